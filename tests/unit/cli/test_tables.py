"""Tables fit the width of the terminal, and split no word."""

from io import StringIO

import pytest
from rich.console import Console

from isshoni.cli.output import console, progress, styled, table
from isshoni.cli.tables import Rows

REASON = "the candidate died: signal 9 (SIGKILL), after it had refused 3 connections"


def history() -> Rows:
    rows = table("Rollouts", "id", "began", "kind", "version", "outcome", "reason")
    rows.add_row(
        "20261126-135501-a1b2", "2026-11-26 13:55:01", "deploy", "v1.1", "rolled_back", REASON
    )
    return rows


def draw(rows: Rows, width: int) -> list[str]:
    out = StringIO()
    Console(file=out, width=width, markup=False, emoji=False).print(rows)
    return [line.rstrip() for line in out.getvalue().splitlines()]


@pytest.mark.parametrize("width", [44, 60, 80, 120, 200])
def test_no_line_is_too_long_and_no_word_is_split(width: int) -> None:
    lines = draw(history(), width)
    assert max(map(len, lines)) <= width
    words = " ".join(lines).split()
    assert {"20261126-135501-a1b2", "rolled_back", *REASON.split()} <= set(words)


def test_a_wide_terminal_shows_a_line_for_each_row() -> None:
    assert len(draw(history(), 200)) == 3


def test_a_narrow_terminal_shows_a_paragraph_for_each_row() -> None:
    lines = draw(history(), 44)
    assert lines[1:4] == ["id 20261126-135501-a1b2", "  began 2026-11-26 13:55:01", "  kind deploy"]


def test_a_cell_is_printed_as_it_is() -> None:
    rows = table("", "version")
    rows.add_row("[bold]v1[/] :smile:")
    assert draw(rows, 80)[1] == "[bold]v1[/] :smile:"


@pytest.mark.parametrize("output", [console, progress])
def test_brackets_and_colons_of_foreign_text_are_printed(output: Console) -> None:
    with output.capture() as captured:
        output.print("no [notifications] urls, [/tmp/x] :smile:")
        output.print(styled(("[v1]", "bold"), " is live"))
    assert captured.get() == "no [notifications] urls, [/tmp/x] :smile:\n[v1] is live\n"
