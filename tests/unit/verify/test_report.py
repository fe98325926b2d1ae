"""The report and the JSON of a run."""

from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from isshoni.report.charts import (
    LogScale,
    Scale,
    bars_path,
    pick_log_ticks,
    pick_ticks,
    step_area_path,
    steps_path,
)
from isshoni.verify.percentiles import Percentiles
from isshoni.verify.report import render_report
from isshoni.verify.report.figures import gap_bins
from isshoni.verify.result import (
    DeliveryMs,
    GapMs,
    LoadShare,
    Result,
    StockFindings,
    read_result,
    write_result,
)
from isshoni.verify.sla import Evidence, SlaLimits, assess_sla
from tests.unit.verify.results import make_result

HOSTILE = '<script>alert("x")</script>'


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]


def _read(html: str) -> _Page:
    page = _Page()
    page.feed(html)
    return page


@pytest.mark.parametrize("bad", [False, True])
def test_the_report_needs_nothing_but_itself(bad: bool) -> None:
    page = _read(render_report(make_result(bad=bad, clients=30)))
    assert page.links == []
    assert "script" not in page.tags


def test_hostile_names_are_escaped_wherever_they_appear() -> None:
    result = make_result(bad=True, clients=30)
    renamed = msgspec.structs.replace(
        result,
        target=HOSTILE,
        deploys=tuple(
            msgspec.structs.replace(
                deploy,
                version=HOSTILE,
                outcome=HOSTILE,
                reason=HOSTILE,
                phases=tuple(msgspec.structs.replace(p, name=HOSTILE) for p in deploy.phases),
            )
            for deploy in result.deploys
        ),
        timelines=tuple(
            msgspec.structs.replace(
                client,
                client_id=HOSTILE,
                session_id=HOSTILE,
                spans=tuple(
                    msgspec.structs.replace(span, colour=span.colour and f'x" {HOSTILE}')
                    for span in client.spans
                ),
            )
            for client in result.timelines
        ),
        connections=tuple(
            msgspec.structs.replace(count, connections={HOSTILE: 3}) for count in result.connections
        ),
        sla=msgspec.structs.replace(result.sla, failed=(HOSTILE,)),
    )
    html = render_report(renamed)
    assert "&lt;script&gt;" in html
    assert "<script" not in html


def test_a_run_with_no_deploy_and_no_message_can_be_drawn() -> None:
    result = msgspec.structs.replace(
        make_result(clients=10), deploys=(), weights=(), latency=(), connections=(), timelines=()
    )
    assert "with no deploy" in render_report(result)


def test_a_broken_run_says_so_first() -> None:
    html = render_report(make_result(bad=True, clients=30))
    assert "<h1>The SLA was not met.</h1>" in html
    assert "✗ broken" in html


def test_a_good_run_is_headed_by_what_its_figures_say() -> None:
    result = make_result(clients=30)
    assert "<h1>The SLA was met, and no client was cut.</h1>" in render_report(result)
    cut = msgspec.structs.replace(result, gap_ms=GapMs(0.0, 900.0, 1234.0, 2))
    assert "<h1>The SLA was met, with gaps of up to 1.23 s.</h1>" in render_report(cut)


def test_a_target_that_is_not_part_of_the_sla_is_missed_not_broken_where_the_sla_is_met() -> None:
    result = slow_result(strict=False)
    html = render_report(result)
    assert result.sla.met
    assert "– missed" in html
    assert "broken" not in html.partition("</style>")[2]
    assert "Delay added while sessions move: +1003.9 ms" in html.partition("</header>")[0]


def test_a_target_of_our_own_is_broken_in_a_strict_run() -> None:
    html = render_report(slow_result(strict=True))
    assert "<h1>The SLA was not met.</h1>" in html
    assert "✗ broken" in html
    assert "– missed" not in html


def slow_result(*, strict: bool) -> Result:
    """Make a run that delivered a second late while sessions moved."""
    result = make_result(clients=30)
    delivery = DeliveryMs(result.delivery_ms.quiet, Percentiles(2.0, 1010.0, 2000.0, 20_000))
    evidence = Evidence(
        messages=result.messages,
        wire=result.wire,
        edits=result.edits,
        gap_ms=result.gap_ms,
        delivery_ms=delivery,
        deploys=result.deploys,
    )
    sla = assess_sla(evidence, SlaLimits(), strict=strict)
    return msgspec.structs.replace(result, delivery_ms=delivery, sla=sla)


def test_the_share_that_the_clients_took_of_the_machine_is_named() -> None:
    result = make_result()
    assert "of the machine that they ran on" not in render_report(result)
    load = LoadShare(1, 100, 100, 12.0, 60.0, 0.2)
    html = render_report(msgspec.structs.replace(result, load=load))
    assert "The clients took 20 % of the machine that they ran on." in html
    warned = msgspec.structs.replace(load, share=0.5, warning="The synthetic users took <half>.")
    html = render_report(msgspec.structs.replace(result, load=warned))
    assert "The synthetic users took &lt;half&gt;." in html


def test_every_client_is_in_one_bin_of_the_gaps() -> None:
    bins = gap_bins(make_result(bad=True, clients=120))
    assert sum(count for _, count, _, _ in bins) == 120
    assert bins[0][0] == "never cut"


def test_a_result_survives_its_file(tmp_path: Path) -> None:
    result = make_result(bad=True, clients=30)
    path = tmp_path / "verify.json"
    write_result(result, path)
    assert read_result(path) == result


def test_scales_keep_values_inside_the_drawing() -> None:
    scale = Scale(0, 10, 100, 0)
    assert (scale(0), scale(5), scale(10), scale(99), scale(-5)) == (100, 50, 0, 0, 100)
    assert Scale(3, 3, 0, 10)(3) == 0
    assert LogScale(1, 100, 0, 10)(10) == pytest.approx(5)
    assert LogScale(1, 100, 0, 10)(0) == 0


def test_ticks_are_round() -> None:
    assert pick_ticks(0, 62, 8) == [0, 10, 20, 30, 40, 50, 60]
    assert pick_ticks(0, 0, 8) == [0]
    assert pick_log_ticks(1, 1000) == [1, 10, 100, 1000]


def test_paths_are_drawn_as_steps_areas_and_bars() -> None:
    assert steps_path([(0, 5), (10, 2)], 20) == "M0 5H10V2H20"
    assert step_area_path([(0, 1), (4, 2)], [(0, 9), (4, 8)], 6) == ("M0 1H4V2H6L6 8L4 8L4 9L0 9Z")
    assert bars_path([(1, 2, 3, 4)]) == "M1 2h3v4h-3z"


def test_a_run_of_stock_clients_shows_their_closes_and_what_was_judged() -> None:
    stock = StockFindings(
        kind="plain",
        library="websockets",
        reach="its sender only",
        judged="a message reaches its sender only",
        closes=1012,
        closes_by_code={"1012": 1000, "<no close frame>": 12},
        reconnects=1011,
    )
    page = render_report(msgspec.structs.replace(make_result(), stock=stock))
    assert "200 stock clients (websockets)" in page
    assert "Connections closed" in page
    assert "a message reaches its sender only" in page
    assert "&lt;no close frame&gt;" in page
