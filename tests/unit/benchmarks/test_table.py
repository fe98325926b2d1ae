"""The comparison as a table and as JSON."""

import dataclasses
import json

from benchmarks.side_by_side.comparison import Comparison
from benchmarks.side_by_side.figures import Run
from benchmarks.side_by_side.ledger import Ledger
from benchmarks.side_by_side.measures import Shape
from benchmarks.side_by_side.peers import PEERS, choose_peers
from benchmarks.side_by_side.table import to_json, to_markdown, to_text

ROOMS = Shape("rooms of 10", rooms=20, size=10)
LATENCY = Shape("latency at 1,000/s", rooms=20, size=10, rate=1000)
SHAPES = (LATENCY, ROOMS)
CHOSEN = choose_peers(["fastapi"])


def run_of(rate: float, p99_ms: float = 0.0) -> Run:
    values = {"messages_per_second": rate, "deliveries_per_second": rate * 10}
    latency = {"p50_ms": p99_ms / 4, "p99_ms": p99_ms, "p999_ms": p99_ms * 2}
    return Run(values | latency, server_share=1.0, generator_share=0.1, others_share=0.0)


def found() -> Comparison:
    comparison = Comparison(memory_kb={"isshoni": 11.25, "fastapi": 31.9})
    for name, rates in (("isshoni", (900.0, 1000.0, 1100.0)), ("fastapi", (500.0, 500.0, 500.0))):
        comparison.of(name, ROOMS.name).runs += [run_of(rate) for rate in rates]
        comparison.of(name, LATENCY.name).runs.append(run_of(1000.0, 1.5))
    ledger = Ledger.from_gaps(100, 100, [1000.0] * 100, messages=800, lost=3, doubled=0)
    comparison.deploys["fastapi"] = {"SIGTERM": ledger.to_json()}
    return comparison


def row_of(label: str, text: str) -> list[str]:
    line = next(line for line in text.splitlines() if line.startswith(f"| {label}"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_isshoni_is_always_there_to_compare_with() -> None:
    assert [peer.name for peer in CHOSEN] == ["isshoni", "fastapi"]
    assert [peer.name for peer in choose_peers(["hocuspocus"])] == ["isshoni-canvas", "hocuspocus"]
    assert choose_peers([]) == list(PEERS)


def test_a_row_has_medians_and_the_ratio_to_isshoni_with_its_spread() -> None:
    row = row_of("FastAPI", to_text(found(), CHOSEN, SHAPES, {"machine": "two cores"}))
    assert row[1] == "0.38 / 1.50 / 3.00"
    assert row[3:6] == ["500", "5,000", "2.00 ± 10%"]
    assert row[-1] == "31.9"


def test_the_machine_is_named() -> None:
    assert to_text(found(), CHOSEN, SHAPES, {"machine": "two cores"}).startswith(
        "machine: two cores\n"
    )


def test_deploys_have_a_table_of_their_own() -> None:
    text = to_text(found(), CHOSEN, SHAPES, {})
    deploys = text[text.index("| deploy") :]
    assert row_of("FastAPI", deploys)[1:] == [
        *("SIGTERM", "100", "100", "1,000", "1,000", "800", "3", "0")
    ]


def test_doubtful_runs_are_marked_and_explained() -> None:
    comparison = found()
    series = comparison.of("fastapi", ROOMS.name)
    series.thrown_away.append("other programs took 90% of a core")
    series.doubtful.append("other programs took 50% of a core")
    text = to_text(comparison, CHOSEN, SHAPES, {})
    assert row_of("FastAPI", text)[3] == "500*"
    assert "* fastapi, rooms of 10: disturbed: other programs took 50% of a core" in text
    assert "fastapi, rooms of 10: 1 thrown away: other programs took 90% of a core" in text


def test_deliveries_that_never_came_are_named() -> None:
    comparison = found()
    series = comparison.of("fastapi", ROOMS.name)
    series.runs[0] = dataclasses.replace(series.runs[0], missing=1200)
    assert "fastapi, rooms of 10: 1,200 deliveries never came" in to_text(
        comparison, CHOSEN, SHAPES, {}
    )


def test_the_json_has_every_run() -> None:
    document = json.loads(json.dumps(to_json(found(), CHOSEN, SHAPES, {"machine": "two cores"})))
    rooms = document["peers"]["fastapi"]["shapes"]["rooms of 10"]
    assert [run["messages_per_second"] for run in rooms["runs"]] == [500.0, 500.0, 500.0]
    assert rooms["isshoni_ratio"]["median"] == 2.0
    assert document["peers"]["fastapi"]["deploys"]["SIGTERM"]["lost"] == 3


def test_the_columns_of_a_table_are_aligned() -> None:
    assert to_markdown([["peer", "msg/s"], ["a", "1"]]) == [
        "| peer | msg/s |",
        "|------|------:|",
        "| a    |     1 |",
    ]
