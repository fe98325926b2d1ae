"""The comparison as a table, and as JSON. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.side_by_side.comparison import Comparison, Series
from benchmarks.side_by_side.figures import Figure, ratio_of
from benchmarks.side_by_side.measures import Shape
from benchmarks.side_by_side.peers import ISSHONI, Peer

DOUBT = "*"


def to_json(
    comparison: Comparison, peers: Sequence[Peer], shapes: Sequence[Shape], about: Mapping[str, Any]
) -> dict[str, Any]:
    """Return everything that was found."""
    return {
        "about": dict(about),
        "failures": comparison.failures,
        "peers": {
            peer.name: {
                "label": peer.label,
                "kind": peer.kind,
                "memory_kb_a_connection": comparison.memory_kb.get(peer.name),
                "deploys": comparison.deploys.get(peer.name),
                "shapes": {
                    shape.name: _shape_to_json(comparison, peers, peer, shape)
                    for shape in shapes
                    if (peer.name, shape.name) in comparison.series
                },
            }
            for peer in peers
        },
    }


def _shape_to_json(
    comparison: Comparison, peers: Sequence[Peer], peer: Peer, shape: Shape
) -> dict[str, Any]:
    series = comparison.of(peer.name, shape.name)
    runs = [
        {
            **run.values,
            "server_share": run.server_share,
            "generator_share": run.generator_share,
            "others_share": run.others_share,
            "stolen_share": run.stolen_share,
            "missing": run.missing,
        }
        for run in series.runs
    ]
    ratio = isshoni_ratio(comparison, peers, peer, shape)
    return {
        "runs": runs,
        "isshoni_ratio": None if ratio is None else vars(ratio) | {"spread": ratio.spread},
        "thrown_away": series.thrown_away,
        "doubtful": series.doubtful,
    }


def isshoni_ratio(
    comparison: Comparison, peers: Sequence[Peer], peer: Peer, shape: Shape
) -> Figure | None:
    """Return Isshoni's messages a second (or p99) over this peer's, or None."""
    ours = next((p for p in peers if p.runtime == ISSHONI and p.kind == peer.kind), None)
    if ours is None:
        return None
    name = "p99_ms" if shape.rate else "messages_per_second"
    found = comparison.of(ours.name, shape.name), comparison.of(peer.name, shape.name)
    return ratio_of(found[0].values(name), found[1].values(name))


def to_text(
    comparison: Comparison, peers: Sequence[Peer], shapes: Sequence[Shape], about: Mapping[str, Any]
) -> str:
    """Return Markdown tables: throughput and latency, memory, deploys, what was disturbed."""
    lines = [f"{name}: {value}" for name, value in about.items() if not isinstance(value, Mapping)]
    measured = comparison.series or comparison.memory_kb
    for kind in dict.fromkeys(peer.kind for peer in peers if measured):
        chosen = [peer for peer in peers if peer.kind == kind]
        lines += ["", *_load_table(comparison, peers, chosen, shapes)]
    if comparison.deploys:
        lines += ["", *_deploy_table(comparison, peers)]
    return "\n".join([*lines, "", *_doubts(comparison)])


def _load_table(
    comparison: Comparison, peers: Sequence[Peer], chosen: Sequence[Peer], shapes: Sequence[Shape]
) -> list[str]:
    titles = [title for shape in shapes for title in _titles(shape)]
    rows = [[chosen[0].kind, *titles, "kB a connection"]]
    for peer in chosen:
        cells = [cell for shape in shapes for cell in _cells(comparison, peers, peer, shape)]
        memory = comparison.memory_kb.get(peer.name)
        rows.append([peer.label, *cells, "" if memory is None else f"{memory:.1f}"])
    return to_markdown(rows)


def _titles(shape: Shape) -> list[str]:
    if shape.rate:
        return [f"{shape.name}: p50 / p99 / p99.9 ms", "Isshoni's p99 ÷ this"]
    return [f"{shape.name}: msg/s", "deliveries/s", "Isshoni ÷ this"]


def _cells(comparison: Comparison, peers: Sequence[Peer], peer: Peer, shape: Shape) -> list[str]:
    series = comparison.of(peer.name, shape.name)
    if not series.runs:
        return [""] * len(_titles(shape))
    ratio = isshoni_ratio(comparison, peers, peer, shape)
    doubt = DOUBT if series.doubtful else ""
    last = "" if ratio is None else f"{ratio.median:.2f} ± {ratio.spread:.0%}"
    if shape.rate:
        found = [_median(series, name) for name in ("p50_ms", "p99_ms", "p999_ms")]
        return [" / ".join(f"{value:.2f}" for value in found) + doubt, last]
    rates = [_median(series, f"{what}_per_second") for what in ("messages", "deliveries")]
    return [f"{rates[0]:,.0f}{doubt}", f"{rates[1]:,.0f}", last]


def _median(series: Series, name: str) -> float:
    return Figure.of(series.values(name)).median


def _deploy_table(comparison: Comparison, peers: Sequence[Peer]) -> list[str]:
    names = ("clients", "cut", "gap_p50_ms", "gap_p99_ms", "messages", "lost", "doubled")
    rows = [["deploy", "how", *(name.replace("_", " ") for name in names)]]
    for peer in peers:
        for how, found in comparison.deploys.get(peer.name, {}).items():
            rows.append([peer.label, how, *(f"{found[name]:,}" for name in names)])
    return to_markdown(rows)


def _doubts(comparison: Comparison) -> list[str]:
    lines = [f"{peer} FAILED: {reason}" for peer, reason in comparison.failures.items()]
    for (peer, shape), series in comparison.series.items():
        missing = sum(run.missing for run in series.runs)
        if series.thrown_away:
            reasons = "; ".join(series.thrown_away)
            lines.append(f"{peer}, {shape}: {len(series.thrown_away)} thrown away: {reasons}")
        if series.doubtful:
            lines.append(f"{DOUBT} {peer}, {shape}: disturbed: {'; '.join(series.doubtful)}")
        if missing:
            lines.append(f"{peer}, {shape}: {missing:,} deliveries never came")
    return lines


def to_markdown(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a Markdown table whose first row is its head, with aligned columns."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]

    def line(cells: Sequence[str]) -> str:
        first, *others = (
            c.ljust(w) if i == 0 else c.rjust(w)
            for i, (c, w) in enumerate(zip(cells, widths, strict=True))
        )
        return "| " + " | ".join([first, *others]) + " |"

    rule = (
        "|" + "|".join("-" * (w + 1) + ("-" if i == 0 else ":") for i, w in enumerate(widths)) + "|"
    )
    return [line(rows[0]), rule, *(line(row) for row in rows[1:])]
