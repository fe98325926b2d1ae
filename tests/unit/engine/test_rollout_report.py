"""The report that every rollout leaves behind, and the companions that go along."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from isshoni.engine.companions import Companion, Notes
from isshoni.engine.environment import Environment
from isshoni.engine.operations import Engine, deploy
from isshoni.engine.readings import Reading, ReadingLog, calculate_rate, read_readings, thin_out
from isshoni.engine.reconciler import TurnReport
from isshoni.engine.rollout_report.document import sum_up_felt
from isshoni.engine.rollout_report.render import draw_gaps
from isshoni.engine.rollout_report.writer import ReportFiles, ReportWriter, keep_since
from isshoni.rollout.model import Release, Stable
from isshoni.rollout.plan import RolloutPlan
from isshoni.rollout.state import Rollout
from tests.support.fake_environment import V1, V2, FakePorts, World
from tests.support.memory_journal import MemoryJournal
from tests.support.world_clock import WorldClock

PLAN = RolloutPlan(bake_seconds=2.0, drain_timeout_seconds=30.0)
HOSTILE = '<script>alert("x")</script>'


class _Page(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def files(tmp_path: Path) -> ReportFiles:
    return ReportFiles(tmp_path / "reports")


@pytest.fixture
def engine(world: World, files: ReportFiles) -> Iterator[Engine]:
    journal = MemoryJournal()
    journal.record_stable(Stable("blue", V1), at=world.now)
    ports = FakePorts(world)
    environment = Environment(ports, ports, ports, ports, journal)

    def gather(environment: Environment, notes: Notes) -> Sequence[Companion]:
        del notes
        return [ReportWriter(files, environment)]

    yield Engine(environment, WorldClock(world), "tester", gather)


@pytest.mark.spec("C6", "E1")
async def test_a_promoted_release_leaves_a_report_as_html_and_json(
    engine: Engine, files: ReportFiles
) -> None:
    report = await deploy(engine, V2, PLAN)
    document = json.loads(files.json(report.id).read_bytes())
    assert document["report"]["outcome"] == "promoted"
    assert document["felt"]["told"] == document["felt"]["moved"] > 0
    assert document["felt"]["gaps"][0] == {"up_to_seconds": 0.005, "count": 50}
    first, last = document["readings"][0], document["readings"][-1]
    assert first["connections"] == {"blue": 50, "green": 0}
    assert last["connections"] == {"blue": 0, "green": 50}
    html = files.html(report.id).read_text()
    assert "v2 is live." in html
    assert 'id="weights"' in html
    assert 'id="connections"' in html
    assert 'id="gaps"' in html and "up to 5 ms" in html
    assert {"script", "link", "img"}.isdisjoint(_Page(html).tags)


@pytest.mark.spec("C6")
async def test_a_rollback_report_has_verdict_clocks_and_the_candidates_last_words(
    world: World, engine: Engine, files: ReportFiles
) -> None:
    world.candidate_faults = {"error_share": 0.2}
    report = await deploy(engine, V2, PLAN)
    document = json.loads(files.json(report.id).read_bytes())
    assert document["report"]["rollback_seconds"]["new_connections"] is not None
    assert document["log_lines"] == ["v2 starts"]
    html = files.html(report.id).read_text()
    assert "v2 starts" in html
    assert "Traffic on stable" in html
    assert "5xx" in html


@pytest.mark.spec("E1")
def test_gaps_that_clients_measured_are_told_as_a_histogram_of_both_colours() -> None:
    def told(*counts: int) -> dict[str, int]:
        return dict(zip(("0.005", "1.0", "+Inf"), counts, strict=True))

    before = Reading(0.0, 1, gaps={"blue": told(100, 100, 101), "green": told(0, 0, 0)})
    after = Reading(1.0, 1, gaps={"blue": told(102, 102, 103), "green": told(5, 6, 6)})
    felt = sum_up_felt([before, after])
    assert [(gap.up_to_seconds, gap.count) for gap in felt.gaps] == [
        (0.005, 7),
        (1.0, 1),
        (None, 0),
    ]
    assert draw_gaps(felt.gaps) == [
        ("up to 5 ms", 7, 100.0),
        ("up to 1 s", 1, pytest.approx(14.3, abs=0.1)),
    ]


async def test_hostile_names_are_escaped(engine: Engine, files: ReportFiles) -> None:
    report = await deploy(engine, Release(HOSTILE), PLAN)
    html = files.html(report.id).read_text()
    assert HOSTILE not in html
    assert "script" not in _Page(html).tags
    assert html.count("&lt;script&gt;") >= 2


class _Broken:
    def see(self, turn: TurnReport) -> None:
        raise RuntimeError("cannot see")

    async def finish(self, rollout: Rollout) -> None:
        raise OSError("cannot write")


async def test_a_companion_that_fails_fails_no_rollout_and_is_noted(engine: Engine) -> None:
    report = await deploy(replace(engine, companions=lambda _, __: [_Broken()]), V2, PLAN)
    assert report.outcome == "promoted"
    records = engine.environment.journal.read_records(report.id)
    faults = [record.why for record in records if record.what == "companion_fault"]
    assert faults == ["_Broken: RuntimeError: cannot see", "_Broken: OSError: cannot write"]


def test_readings_survive_an_engine_killed_while_it_wrote(tmp_path: Path) -> None:
    log = ReadingLog(tmp_path / "r.jsonl")
    log.append(Reading(1.0, 1))
    with (tmp_path / "r.jsonl").open("a") as file:
        file.write('\n{"at": 2.0, "st')
    ReadingLog(tmp_path / "r.jsonl").append(Reading(3.0, 2))
    assert [reading.at for reading in read_readings(tmp_path / "r.jsonl")] == [1.0, 3.0]


def test_rate_is_of_the_last_seconds_of_one_move() -> None:
    readings = [Reading(float(t), 9, told=10 * t, moved=10 * t) for t in range(8)]
    assert calculate_rate(readings) == 10.0
    home = Reading(8.0, 9, told=3, moved=2, rolling_back=True)
    assert calculate_rate([*readings, home]) == 0.0
    assert calculate_rate([]) == 0.0


def test_thinning_keeps_the_ends() -> None:
    readings = [Reading(float(t), 1) for t in range(1001)]
    kept = thin_out(readings, 100)
    assert len(kept) <= 101
    assert (kept[0].at, kept[-1].at) == (0.0, 1000.0)


def test_the_log_of_a_rollback_begins_where_the_rollout_did() -> None:
    lines = [
        "2026-11-22T23:12:47.141Z event=started version=v1.1",
        "a line of v1.1 without a time",
        "2026-11-22T23:20:50.338Z event=stopped",
        "a line without a time",
        "2026-11-22T23:25:01.866Z event=started version=v1.3",
    ]
    began = 1795389890.9  # 2026-11-22T23:24:50.9Z
    assert keep_since(lines, began) == lines[3:]
    assert keep_since(["no", "times"], began) == ["no", "times"]
    assert keep_since(lines, 0.0) == lines


def test_the_report_has_the_most_connections_of_each_process() -> None:
    readings = [
        Reading(0.0, 1, processes={"blue-0": 5, "blue-1": 7}),
        Reading(1.0, 1),
        Reading(2.0, 1, processes={"blue-0": 9, "green-0": 3}),
    ]
    assert sum_up_felt(readings).processes == {"blue-0": 9, "blue-1": 7, "green-0": 3}
