"""Medians, ratios, and which runs of a comparison are believed."""

import dataclasses

import pytest
from benchmarks.side_by_side.comparison import Series, add_undisturbed
from benchmarks.side_by_side.figures import (
    Figure,
    Run,
    disturbance_of,
    generator_limit,
    ratio_of,
)

QUIET = Run(
    values={"messages_per_second": 1000.0, "deliveries_per_second": 10_000.0},
    server_share=0.99,
    generator_share=0.2,
    others_share=0.03,
)
BUSY = dataclasses.replace(QUIET, others_share=0.8)
BUSIER = dataclasses.replace(QUIET, others_share=1.2)


def test_a_figure_is_the_median_with_its_spread() -> None:
    figure = Figure.of([100.0, 90.0, 120.0])
    assert (figure.median, figure.least, figure.most) == (100.0, 90.0, 120.0)
    assert figure.spread == pytest.approx(0.15)


def test_a_ratio_compares_the_runs_of_one_round() -> None:
    # The machine was half as fast in the second round, for both.
    ratio = ratio_of([200.0, 100.0], [100.0, 50.0])
    assert ratio is not None
    assert (ratio.median, ratio.spread) == (2.0, 0.0)


def test_there_is_no_ratio_to_nothing() -> None:
    assert ratio_of([200.0], [0.0]) is None
    assert ratio_of([], []) is None


def test_a_quiet_run_is_believed() -> None:
    assert disturbance_of(QUIET) is None


def test_a_run_beside_other_programs_is_not_believed() -> None:
    assert disturbance_of(BUSY) == "other programs took 80% of a core"


def test_time_that_the_hypervisor_took_disturbs_as_well() -> None:
    stolen = dataclasses.replace(QUIET, others_share=0.06, stolen_share=0.06)
    assert disturbance_of(stolen) == "other programs took 12% of a core"


def test_a_run_that_the_generator_held_up_is_not_believed() -> None:
    held_up = dataclasses.replace(QUIET, generator_share=0.4)
    assert disturbance_of(held_up) == "the load generator took 40% of its core, over 35%"


def test_the_generator_may_use_more_only_beyond_its_rate() -> None:
    assert generator_limit(100_000) == 0.35
    assert generator_limit(590_000) == 0.35
    assert generator_limit(1_180_000) == pytest.approx(0.7)
    assert generator_limit(10_000_000) == pytest.approx(0.7)


def test_a_disturbed_run_is_thrown_away_and_repeated() -> None:
    runs = iter([BUSY, QUIET])
    series = Series()
    add_undisturbed(series, lambda: next(runs), tries=3)
    assert series.runs == [QUIET]
    assert series.thrown_away == ["other programs took 80% of a core"]
    assert series.doubtful == []


def test_of_runs_that_were_all_disturbed_the_least_is_kept_and_marked() -> None:
    runs = iter([BUSIER, BUSY, BUSIER])
    series = Series()
    add_undisturbed(series, lambda: next(runs), tries=3)
    assert series.runs == [BUSY]
    assert len(series.thrown_away) == 2
    assert series.doubtful == ["other programs took 80% of a core"]
