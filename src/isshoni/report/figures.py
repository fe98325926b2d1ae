"""Figures that every report has: weights and connections over time, phases under them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from isshoni.report import charts
from isshoni.report.charts import WIDTH, Scale
from isshoni.report.words import say_clock

COLOURS = ("blue", "green")

Counts = Sequence[tuple[float, Mapping[str, int]]]
"""Whole numbers by colour, each from a moment on."""


@dataclass(frozen=True)
class Tick:
    """A word beside an axis; `place_pct` from the left or the top."""

    place_pct: float
    text: str


@dataclass(frozen=True)
class Figure:
    """A drawing and the words around it."""

    name: str
    title: str
    note: str
    height: float
    drawing: Markup
    y_ticks: tuple[Tick, ...] = ()
    legend: tuple[tuple[str, str], ...] = ()
    """(class of the swatch, words)."""


@dataclass(frozen=True)
class Band:
    """A phase of a deploy as a stripe under every figure."""

    left_pct: float
    width_pct: float
    text: str
    kind: str


def time_scale(seconds: float) -> Scale:
    """Map a run's seconds to the drawing's width."""
    return Scale(0.0, max(seconds, 0.001), 0.0, WIDTH)


def time_ticks(seconds: float) -> tuple[Tick, ...]:
    """Mark round moments of a run."""
    x = time_scale(seconds)
    moments = charts.pick_ticks(0.0, seconds, 8)
    return tuple(Tick(x(at) / WIDTH * 100, say_clock(at)) for at in moments)


def lay_out_phases(x: Scale, phases: Iterable[tuple[str, float, float]]) -> list[Band]:
    """Lay out a deploy's phases: name, begin and end."""
    return [
        Band(
            left_pct=x(began) / 10,
            width_pct=max(0.0, x(ended) - x(began)) / 10,
            text=name,
            kind="moving" if name in ("migrate", "rollback") else ("even", "odd")[number % 2],
        )
        for number, (name, began, ended) in enumerate(phases)
    ]


def draw_weights(x: Scale, weights: Counts) -> Figure:
    """Draw the verified weights as steps."""
    height = 90.0
    y = Scale(0, 100, height - 2, 2)
    lines = [
        charts.path(
            f"line {colour}",
            charts.steps_path([(x(at), y(shares[colour])) for at, shares in weights], WIDTH),
        )
        for colour in COLOURS
    ]
    return Figure(
        name="weights",
        title="Share of new connections",
        note="The weights that the load balancer confirmed.",
        height=height,
        drawing=Markup("").join(lines),
        y_ticks=tuple(Tick(y(v) / height * 100, f"{v} %") for v in (0, 50, 100)),
        legend=tuple((colour, colour) for colour in COLOURS),
    )


def draw_connections(x: Scale, counts: Counts, note: str) -> Figure:
    """Draw the connections per colour as stacked areas."""
    height = 130.0
    names = sorted({name for _, count in counts for name in count})
    top = max((sum(count.values()) for _, count in counts), default=1) or 1
    y = Scale(0, top * 1.05, height, 0)
    floor = [0] * len(counts)
    areas = []
    for name in names:
        ceiling = [
            below + count.get(name, 0) for below, (_, count) in zip(floor, counts, strict=True)
        ]
        places = [x(at) for at, _ in counts]
        upper = [(place, y(value)) for place, value in zip(places, ceiling, strict=True)]
        lower = [(place, y(value)) for place, value in zip(places, floor, strict=True)]
        area = charts.step_area_path(upper, lower, WIDTH)
        areas.append(charts.path(f"fill {name_kind(name)}", area))
        floor = ceiling
    ticks = [value for value in charts.pick_ticks(0, top, 4) if value == int(value)]
    return Figure(
        name="connections",
        title="Connections by colour",
        note=note,
        height=height,
        drawing=Markup("").join(areas),
        y_ticks=tuple(Tick(y(value) / height * 100, f"{value:,.0f}") for value in ticks),
        legend=tuple((name_kind(name), name) for name in names),
    )


def name_kind(colour: str | None) -> str:
    """Name the class of a colour's marks; a server without one has its own."""
    return colour if colour in COLOURS else "other"
