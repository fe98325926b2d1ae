"""The comparison with peers, in small: the generator against real servers."""

import dataclasses
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pycrdt
import pytest
from benchmarks.side_by_side.comparison import Effort, compare
from benchmarks.side_by_side.cores import choose_cores
from benchmarks.side_by_side.errors import Unavailable
from benchmarks.side_by_side.folder import Folder, find_compiler
from benchmarks.side_by_side.measures import Shape
from benchmarks.side_by_side.peers import PEERS
from benchmarks.side_by_side.programs import Bench, Generator, bench, running
from benchmarks.side_by_side.table import to_json, to_text

from isshoni.backend.store.redis.store import RedisStore

PEER = {peer.name: peer for peer in PEERS}
SMALL = Shape("rooms of 5", rooms=2, size=5)
STEADY = Shape("latency at 100/s", rooms=2, size=5, rate=100)

pytestmark = pytest.mark.skipif(
    not any(map(shutil.which, ("gcc", "cc", "clang"))), reason="NOT RUN: no C compiler on the PATH"
)


class OurPackages(Folder):
    """A folder whose Python packages are those of this environment: nothing is installed."""

    @property
    def python(self) -> Path:
        return Path(sys.executable)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    try:
        cores = choose_cores()
    except Unavailable as missing:
        pytest.skip(f"NOT RUN: needs two cores: {missing}")
    with bench(OurPackages(tmp_path_factory.mktemp("peers")), cores) as place:
        yield place


def test_peers_are_compared_in_turn(place: Bench) -> None:
    peers = [PEER["isshoni"], PEER["fastapi"]]
    said: list[str] = []
    effort = Effort(seconds=0.5, warmup=0.2, rounds=1, tries=1)
    comparison = compare(place, peers, [SMALL, STEADY], effort, said.append)
    assert len(said) == 4
    for peer in peers:
        (rooms,) = comparison.of(peer.name, SMALL.name).runs
        assert rooms.missing == 0
        assert rooms.values["deliveries_per_second"] > 0
        (steady,) = comparison.of(peer.name, STEADY.name).runs
        assert steady.missing == 0
        assert 0 < steady.values["p50_ms"] <= steady.values["p99_ms"] <= steady.values["max_ms"]
    document = to_json(comparison, peers, [SMALL, STEADY], {})
    assert document["peers"]["fastapi"]["shapes"]["rooms of 5"]["isshoni_ratio"]["median"] > 0
    assert "FastAPI" in to_text(comparison, peers, [SMALL, STEADY], {})


def test_a_peer_that_fails_does_not_end_the_comparison(place: Bench) -> None:
    broken = dataclasses.replace(
        PEER["fastapi"], name="broken", program=["-c", "raise SystemExit('no such module')"]
    )
    effort = Effort(seconds=0.2, warmup=0.1, rounds=2, tries=1)
    said: list[str] = []
    comparison = compare(place, [broken, PEER["fastapi"]], [SMALL], effort, said.append)
    assert "no such module" in comparison.failures["broken"]
    assert len(comparison.of("fastapi", SMALL.name).runs) == 2
    assert sum("broken" in line for line in said) == 1


def test_memory_is_that_of_idle_connections(place: Bench) -> None:
    with running(place, PEER["isshoni"]) as server:
        with Generator(place, server, rooms=2, size=10, mode="idle") as generator:
            assert generator.read() == {"ready": 20}


async def test_the_edits_of_the_generator_are_edits_of_a_canvas(place: Bench) -> None:
    with running(place, PEER["isshoni-canvas"]) as server:
        options: dict[str, Any] = {"rooms": 1, "size": 4, "mode": "rate", "rate": 200}
        with Generator(place, server, **options, run="ab1", seconds=0.5, warmup=0.1) as generator:
            generator.read()
            generator.proceed()
            found = [generator.read() for _ in range(3)][-1]
        assert found["missing"] == 0
        elements = await load_elements(place.valkey.url, "rab1-0")
    assert found["all_sent"] > 20
    assert len(elements) == 4
    assert all(element["x"] > 0 for element in elements.values())


async def load_elements(redis_url: str, session_id: str) -> dict[str, Any]:
    store = RedisStore(redis_url)
    await store.start()
    loaded = await store.load_canvas(session_id)
    await store.aclose()
    doc: pycrdt.Doc[Any] = pycrdt.Doc({"elements": pycrdt.Map()})
    for update in [loaded.snapshot, *(entry.payload for entry in loaded.updates)]:
        if update:
            doc.apply_update(update)
    elements: dict[str, Any] = doc["elements"].to_py()
    return elements


def test_without_a_server_the_generator_says_so(place: Bench) -> None:
    with running(place, PEER["isshoni"]) as server:
        server.stop()
        with Generator(place, server, rooms=1, size=1) as generator:
            with pytest.raises(Unavailable, match="cannot connect to"):
                generator.read()


def test_without_a_compiler_the_benchmark_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(Unavailable, match="sudo apt install gcc"):
        find_compiler()
