"""Tables that fit the terminal: as columns, or a paragraph for each row if it is narrow."""

from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

_GAP = 2
_LEAST_SENTENCE = 24
"""A column of sentences is never narrower than this, in characters."""
_INDENT = 2

Cell = str | Text


class Rows:
    """A title, column headers and rows; no word is split as long as the terminal has the width.

    If the columns are too wide together, the widest one breaks its lines between words. If it
    would become too narrow, each row becomes a paragraph with a line for each column.
    """

    def __init__(self, title: str, columns: Sequence[str]) -> None:
        self._title = title
        self._columns = columns
        self._rows: list[list[Text]] = []

    def add_row(self, *cells: Cell) -> None:
        """Add a row; text is printed as it is, without markup."""
        self._rows.append([Text(c) if isinstance(c, str) else c for c in cells])

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self._title:
            yield Text(self._title, style="bold")
        widths = self._fit(options.max_width)
        yield from self._show_paragraphs() if widths is None else [self._draw(widths)]

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        widths = self._fit(options.max_width)
        if widths is None:
            return Measurement(0, options.max_width)
        width = sum(widths) + _GAP * len(widths)
        return Measurement(width, max(width, cell_len(self._title))).clamp(0, options.max_width)

    def _fit(self, available: int) -> list[int] | None:
        """Return the width of each column; None if they do not fit."""
        cells = [[Text(name), *column] for name, column in self._list_columns()]
        widths = [max(cell_len(line) for c in cs for line in _lines(c)) for cs in cells]
        excess = sum(widths) + _GAP * (len(widths) - 1) - available
        if excess <= 0:
            return widths
        widest = widths.index(max(widths))
        longest_word = max(cell_len(word) for c in cells[widest] for word in c.plain.split() or "")
        widths[widest] -= excess
        return widths if widths[widest] >= max(longest_word, _LEAST_SENTENCE) else None

    def _list_columns(self) -> Iterable[tuple[str, list[Text]]]:
        return ((name, [row[n] for row in self._rows]) for n, name in enumerate(self._columns))

    def _draw(self, widths: Sequence[int]) -> Table:
        drawn = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="dim")
        for name, width in zip(self._columns, widths, strict=True):
            drawn.add_column(Text(name), min_width=width, max_width=width, overflow="fold")
        for row in self._rows:
            drawn.add_row(*row)
        return drawn

    def _show_paragraphs(self) -> RenderResult:
        for row in self._rows:
            named = [(n, cell) for n, cell in zip(self._columns, row, strict=True) if cell.plain]
            for number, (name, cell) in enumerate(named):
                line = Text.assemble((f"{name} " if name else "", "dim"), cell)
                yield Padding(line, (0, 0, 0, _INDENT if number else 0), expand=False)


def _lines(cell: Text) -> list[str]:
    return cell.plain.splitlines() or [""]
