"""The loss benchmark, in small: two applications, restarted behind a plain proxy."""

import shutil

import pytest
from benchmarks.loss import COLUMNS, format_table, run_all
from benchmarks.support.loss_peers import PEERS
from benchmarks.support.loss_runs import CONTROL, RESTART, Effort

from isshoni.verify.settings import InvalidRun
from isshoni.verify.stock.settings import Kind
from tests.support.examples import FOLDER
from tests.support.foreign_clients import has_y_websocket

SMALL = Effort(clients=4, rooms=2, messages_per_second=5.0, seconds=1.0)


@pytest.mark.skipif(not has_y_websocket(), reason="NOT RUN: node or npm packages missing")
@pytest.mark.timeout(180)
async def test_a_restart_behind_a_proxy_closes_every_connection_of_both_peers() -> None:
    said: list[str] = []
    rows, failures = await run_all(["fastapi", "socket.io"], [RESTART], SMALL, said.append)
    assert failures == {}
    assert [row["application"] for row in rows] == ["socket.io", "fastapi"]
    for row in rows:
        assert row["closes"] == row["cut"] == 4
        assert row["messages"] > 10
        assert row["gap max"] > 0
        assert row["outcome"] == ["done"]
    assert len(said) == 2
    assert format_table(rows).splitlines()[0].split()[0] == COLUMNS[0]


async def test_without_a_deploy_nothing_is_closed_or_lost() -> None:
    rows, failures = await run_all(["fastapi"], [CONTROL], SMALL, print)
    assert failures == {}
    (row,) = rows
    assert (row["closes"], row["lost"], row["doubled"], row["reordered"]) == (0, 0, 0, 0)


def test_each_peer_has_an_example_and_settings_that_are_valid() -> None:
    for peer in PEERS:
        assert (FOLDER / peer.example / "README.md").is_file()
        try:
            stock = peer.stock(8080)
        except InvalidRun as fault:
            pytest.fail(f"{peer.name}: {fault}")
        assert stock.kind in Kind


def test_the_peer_with_recovery_differs_from_the_other_by_that(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    texts = []
    for name in ("socket.io", "socket.io-recovery"):
        peer = next(peer for peer in PEERS if peer.name == name)
        directory = tmp_path_factory.mktemp(peer.example)
        shutil.rmtree(directory)
        peer.copy_to(directory)
        texts.append((directory / "server.mjs").read_text())
    assert "connectionStateRecovery" in texts[1]
    assert "connectionStateRecovery" not in texts[0]
