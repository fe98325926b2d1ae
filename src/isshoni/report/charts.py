"""Small drawings: scales, ticks, and the path data of lines, steps, areas and bars.

Drawings are stretched to the page's width, so they hold shapes only, in a box of
`WIDTH` by the figure's height; all words beside them are HTML and keep their size.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

WIDTH = 1000.0

Point = tuple[float, float]
Bar = tuple[float, float, float, float]
"""Left, top, width, height."""


@dataclass(frozen=True)
class Scale:
    """A linear map of values to positions; values beyond the ends stay at the ends."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        extent = self.high - self.low
        share = (value - self.low) / extent if extent else 0.0
        return self.start + min(1.0, max(0.0, share)) * (self.end - self.start)


@dataclass(frozen=True)
class LogScale:
    """A logarithmic map of positive values to positions."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        linear = Scale(math.log10(self.low), math.log10(self.high), self.start, self.end)
        return linear(math.log10(max(value, self.low)))


def pick_ticks(low: float, high: float, about: int) -> list[float]:
    """Choose round values from `low` to `high`: steps of 1, 2 or 5 times a power of ten."""
    if high <= low:
        return [low]
    rough = (high - low) / max(1, about)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def pick_log_ticks(low: float, high: float) -> list[float]:
    """Choose the powers of ten within `low` to `high`."""
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    return [10.0**exponent for exponent in range(first, last + 1)]


def line_path(points: Sequence[Point]) -> str:
    """Join points by straight lines."""
    return "M" + "L".join(_point(x, y) for x, y in points) if points else ""


def steps_path(points: Sequence[Point], end_x: float) -> str:
    """Draw each value as level until the next point, and the last one up to `end_x`."""
    if not points:
        return ""
    first, rest = points[0], points[1:]
    moves = "".join(f"H{_number(x)}V{_number(y)}" for x, y in rest)
    return f"M{_point(*first)}{moves}H{_number(end_x)}"


def step_area_path(upper: Sequence[Point], lower: Sequence[Point], end_x: float) -> str:
    """Fill between two step lines that change at the same places."""
    if not upper:
        return ""
    back = ""
    right = end_x
    for x, y in reversed(lower):
        back += f"L{_point(right, y)}L{_point(x, y)}"
        right = x
    return steps_path(upper, end_x) + back + "Z"


def bars_path(bars: Iterable[Bar]) -> str:
    """Draw many rectangles as one shape."""
    return "".join(
        f"M{_point(left, top)}h{_number(width)}v{_number(height)}h{_number(-width)}z"
        for left, top, width, height in bars
    )


def path(kind: str, data: str, title: str | None = None) -> Markup:
    """Make a path element; `kind` is its class, `title` the text that is shown on hovering."""
    if not data:
        return Markup("")
    inside = Markup("<title>{}</title>").format(title) if title else ""
    return Markup('<path class="{}" d="{}">{}</path>').format(kind, data, inside)


def _point(x: float, y: float) -> str:
    return f"{_number(x)} {_number(y)}"


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
