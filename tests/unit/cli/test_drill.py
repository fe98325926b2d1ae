"""The verdict of a drill, and the options of commands about regions."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import typer

from isshoni.cli.config import Config, load_config
from isshoni.cli.drill_report import Verdict, judge
from isshoni.cli.environments import check_region
from isshoni.cli.failover_run import choose_request
from isshoni.cli.options import options
from isshoni.cli.region_option import find_local_config
from isshoni.verify.percentiles import Percentiles
from isshoni.verify.result import (
    ClientSpan,
    ClientTimeline,
    DeliveryMs,
    Deploy,
    Edits,
    GapMs,
    Messages,
    Result,
    Sla,
    WireMessages,
)

TWO = "[environments.local.regions.east]\n[environments.local.regions.west]\n"
REPORT: dict[str, Any] = {
    "began": 20.5,
    "missing_at_most": {"link": "down", "bytes": 0, "seconds": 1.0},
    "steps": [{"name": "read", "began": 100.0, "ended": 100.0}],
    "lacked": {"messages": 2, "edits": 1, "oldest_at": 99.5},
}

FAILED: dict[str, Any] = {"began": 10.1, "outcome": "back", "reason": "Redis refuses it"}
DONE: dict[str, Any] = {"began": 11.0, "outcome": "promoted", "reason": ""}


def timeline(*cuts: tuple[float, float]) -> ClientTimeline:
    spans = [ClientSpan(began, ended, None) for began, ended in cuts]
    return ClientTimeline("c", "s", 0.0, tuple(spans))


def verdict_of(
    *cuts: tuple[float, float],
    lost: int = 0,
    outcome: str = "promoted",
    planned: Sequence[dict[str, Any]] = (),
    **report: Any,
) -> Verdict:
    """Judge a run with a planned act from 10 s and an emergency from 20 to 40 s."""
    deploys = [
        Deploy("planned failover", "promoted", outcome, 10.0, 2.0, 0.0),
        Deploy("emergency", "promoted", "promoted", 20.0, 2.0, 0.0),
    ]
    result = Result(
        target="ws://127.0.0.1",
        started_at_unix=0.0,
        seconds=40.0,
        seed=1,
        clients=1,
        sessions=1,
        messages=Messages(10, 10, 10, lost, 0, 0),
        wire=WireMessages(),
        edits=Edits(5, 5, 0, 0),
        gap_ms=GapMs(0, 0, 0, 0),
        delivery_ms=DeliveryMs(Percentiles(), Percentiles()),
        deploys=tuple(deploys),
        sla=Sla(True, ()),
        timelines=(timeline(*cuts),),
    )
    return judge(result, [planned, [REPORT | report]], [False, True])


def broken(verdict: Verdict) -> list[str]:
    return [promise.promised for promise in verdict.promises if not promise.met]


def test_a_drill_without_a_cut_in_the_planned_act_keeps_every_promise() -> None:
    verdict = verdict_of((21.0, 22.5))
    assert verdict.met, broken(verdict)
    assert verdict.acts[1].gap_ms.p50 == 1500.0
    assert verdict.acts[1].engine_began_seconds == 0.5
    assert verdict.emergency_gap_ms.p50 == 1500.0


@pytest.mark.parametrize(
    ("verdict", "promise"),
    [
        (verdict_of((10.5, 10.6)), "without a connection: 0 ms"),
        (verdict_of((21.0, 23.5)), "without a connection: p50 ≤ 2 s, p99 ≤ 10 s"),
        (verdict_of(lost=1), "0"),
        (verdict_of(outcome="stuck"), "it ends as expected"),
        (
            verdict_of(lacked={"messages": 2, "edits": 0, "oldest_at": 97.0}),
            "it lacks only what was acknowledged in the last 1.00 s",
        ),
        (
            verdict_of(planned=[FAILED | {"outcome": "stuck"}, DONE]),
            "a promotion that fails: the old region writes again",
        ),
        (verdict_of(missing_at_most=None), "the bound on what is missing is known"),
    ],
)
def test_a_broken_promise_is_named(verdict: Verdict, promise: str) -> None:
    assert not verdict.met
    assert broken(verdict) == [promise]


def test_a_promotion_that_failed_as_the_drill_let_it_is_shown_with_its_reason() -> None:
    verdict = verdict_of(planned=[FAILED, DONE])
    assert verdict.met, broken(verdict)
    assert "back (Redis refuses it)" in [promise.found for promise in verdict.promises]


def configuration(directory: Path, text: str) -> Config:
    file = directory / "isshoni.toml"
    file.write_text(text)
    return load_config(file, {})


def test_a_region_that_is_not_named_or_not_there_is_a_usage_error(tmp_path: Path) -> None:
    config = configuration(tmp_path, TWO)
    check_region(config, "east")
    with pytest.raises(typer.BadParameter, match=r"-e local\.east"):
        check_region(config, "")
    with pytest.raises(typer.BadParameter, match="there is no region 'north'"):
        check_region(config, "north")
    with pytest.raises(typer.BadParameter, match=r"isshoni\.toml names none"):
        check_region(configuration(tmp_path, ""), "east")


def test_a_backup_of_two_regions_names_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configuration(tmp_path, TWO)
    monkeypatch.setattr(options, "config_file", tmp_path / "isshoni.toml")
    with pytest.raises(typer.BadParameter, match=r"-e local\.east"):
        find_local_config(None)
    assert find_local_config("west").state_dir == tmp_path / ".isshoni" / "regions" / "west"


def test_requests_to_a_failover_exclude_each_other() -> None:
    assert choose_request(abort=False, pause=False, resume=False) is None
    assert choose_request(abort=True, pause=False, resume=False) == "abort"
    with pytest.raises(typer.BadParameter):
        choose_request(abort=True, pause=True, resume=False)
