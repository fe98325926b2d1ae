"""Several relay processes: names, ports, doors, and their joined moves."""

from pathlib import Path

import pytest

from isshoni.environments.joined_status import UNHEARD_OF_RATE, join_migrations
from isshoni.environments.local.config import LocalConfig, Ports
from isshoni.environments.local.port_allocation import PortBook
from isshoni.environments.local.programs import ProgramFiles
from isshoni.environments.local.relay import LocalRelay
from isshoni.environments.local.relay_names import name_relay, parse_relay
from isshoni.rollout.model import MigrationStatus


def test_the_moves_of_several_relays_are_summed_with_their_reasons() -> None:
    one = MigrationStatus("green", 3, 1, 0, 2, done=False, failures={"refused": 2})
    other = MigrationStatus(
        "green", 2, 0, 1, 1, done=False, failures={"refused": 1, "busy": 1}, closed_for={"busy": 1}
    )
    joined = join_migrations([one, other])
    assert joined is not None and (joined.moved, joined.closed, joined.remaining) == (1, 1, 3)
    assert joined.failures == {"refused": 3, "busy": 1}
    assert joined.closed_for == {"busy": 1}


def test_relays_with_different_times_for_closes_are_ordered_again() -> None:
    orders = [
        MigrationStatus("green", 0, 0, 0, 0, done=True, rate_per_second=5, close_over_seconds=over)
        for over in (0.0, 30.0)
    ]
    joined = join_migrations([*orders])
    assert joined is not None and not joined.done and joined.rate_per_second == UNHEARD_OF_RATE


def test_relay_processes_have_ports_names_and_a_door_with_one_of_each(tmp_path: Path) -> None:
    config = LocalConfig(state_dir=tmp_path, relay_processes=2)
    files = ProgramFiles(tmp_path)
    files.make_directories()
    relay = LocalRelay(config, PortBook(config, Ports()), files, "t" * 32)
    relay.want()
    assert relay.numbers == [0, 1] and files.names_wanted() == {"relay", "relay-1"}
    assert relay.door_of("blue").ports == tuple(relay.ports_of("blue", n).public for n in (0, 1))
    programs = [files.wanted(name) for name in ("relay", "relay-1")]
    directories = [p.env["ISSHONI_RELAY_DIRECTORY"] for p in programs if p is not None]
    assert [Path(each).name for each in directories] == ["upgrade", "upgrade-1"]
    ports = [relay.ports_of(c, n) for c in ("blue", "green") for n in (0, 1)]
    assert len({port for pair in ports for port in pair}) == 8


def test_one_relay_keeps_the_name_and_the_ports_of_the_only_one(tmp_path: Path) -> None:
    config = LocalConfig(state_dir=tmp_path)
    book = PortBook(config, Ports())
    relay = LocalRelay(config, book, ProgramFiles(tmp_path), "t" * 32)
    assert relay.door_of("blue").ports == (book.of_relay("blue").public,)
    assert not relay.door_of("blue").is_spread


@pytest.mark.parametrize(
    ("name", "number"),
    [("relay", 0), ("relay-1", 1), ("relay-12", 12), ("relay-0", None), ("relay-x", None)],
)
def test_names_of_relay_processes(name: str, number: int | None) -> None:
    assert parse_relay(name) == number
    assert number is None or name_relay(number) == name


@pytest.mark.parametrize("wrong", [0, 33, "2", True, 1.5])
def test_a_number_of_relay_processes_out_of_bounds_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match="from 1 to 32"):
        LocalConfig.model_validate({"relay_processes": wrong})
