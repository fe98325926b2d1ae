"""The small parts of the local environment."""

import socket
import stat
from pathlib import Path

import pytest

from isshoni.environments.counters import GrowingCounters
from isshoni.environments.errors import PortTaken, ReleaseFault
from isshoni.environments.local.config import LocalConfig, Ports
from isshoni.environments.local.credentials import load_credentials
from isshoni.environments.local.files import write_atomically
from isshoni.environments.local.logs import last_words, tail
from isshoni.environments.local.port_allocation import (
    ProcessPorts,
    allocate_ports,
    check_port_free,
    find_free_port,
    read_ephemeral_range,
)
from isshoni.environments.local.process import describe_exit
from isshoni.environments.local.process_names import SlotProcess
from isshoni.environments.local.programs import Program
from isshoni.environments.local.redis_server import mask_password
from isshoni.environments.local.slot_programs import fill_command
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.model import Release


def command(template: str) -> list[str]:
    return fill_command(
        Release("v 1", command=template), SlotProcess("green"), ProcessPorts(8085, 8086)
    )


def test_a_command_is_filled_in_word_by_word() -> None:
    filled = command("serve --bind {host}:{port} --admin={admin_port} --as {colour} '{version}!'")
    assert filled == [
        "serve", "--bind", "127.0.0.1:8085", "--admin=8086", "--as", "green", "v 1!",
    ]  # fmt: skip


def test_nothing_of_a_command_reaches_a_shell() -> None:
    assert command("serve ; rm $HOME {{}}") == ["serve", ";", "rm", "$HOME", "{}"]


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("serve {prot}", r"\{prot\} is not one of \{host\}, \{port\}"),
        ("serve {}", "is not one of"),
        ("serve {port.real}", "is not one of"),
        ("serve {port:>9}", "is not one of"),
        ("serve {port", "cannot be read"),
        ("serve 'open", "cannot be read"),
        ("  ", "command is empty"),
    ],
)
def test_an_unknown_placeholder_is_named(template: str, said: str) -> None:
    with pytest.raises(ReleaseFault, match=said):
        command(template)


def test_free_ports_are_chosen_once_and_kept(tmp_path: Path) -> None:
    free = Ports(**dict.fromkeys(Ports.model_fields, 0))
    config = LocalConfig(state_dir=tmp_path, ports=free)
    first = allocate_ports(config)
    assert len(set(dict(first).values())) == len(Ports.model_fields)
    assert min(dict(first).values()) > 0
    assert allocate_ports(config) == first


def test_a_port_named_later_wins_over_the_one_remembered(tmp_path: Path) -> None:
    free = Ports(**dict.fromkeys(Ports.model_fields, 0))
    first = allocate_ports(LocalConfig(state_dir=tmp_path, ports=free))
    named = free.model_copy(update={"public": first.blue})
    second = allocate_ports(LocalConfig(state_dir=tmp_path, ports=named))
    assert second.public == first.blue != second.blue


def test_a_kept_port_is_never_one_that_outgoing_connections_are_given() -> None:
    first, last = read_ephemeral_range()
    found = [find_free_port("127.0.0.1") for _ in range(200)]
    assert not [port for port in found if first <= port <= last]


def test_a_port_in_use_is_said_in_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(PortTaken, match=rf"^port {port} is in use.*set ports\.redis"):
            check_port_free("127.0.0.1", port, "ports.redis")
    check_port_free("127.0.0.1", port, "ports.redis")


def test_counters_grow_over_a_restart_of_their_source() -> None:
    counters = GrowingCounters()
    assert counters.grow({"a": 5, "b": 1}) == {"a": 5, "b": 1}
    assert counters.grow({"a": 2, "b": 1}) == {"a": 7, "b": 1}
    assert counters.grow({"b": 3}) == {"a": 7, "b": 3}
    assert counters.grow({"a": 1, "b": 3}) == {"a": 8, "b": 3}


def test_credentials_are_made_once_for_their_owner_alone(tmp_path: Path) -> None:
    first = load_credentials(tmp_path)
    assert load_credentials(tmp_path) == first
    assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600
    assert len({first.admin_token, first.ticket_secret, first.redis_password}) == 3


def test_damaged_credentials_are_not_replaced_in_silence(tmp_path: Path) -> None:
    (tmp_path / "secrets.json").write_text("{")
    with pytest.raises(EnvironmentFault, match=r"secrets\.json is damaged"):
        load_credentials(tmp_path)
    assert (tmp_path / "secrets.json").read_text() == "{"


def test_a_failed_write_leaves_the_old_file_and_no_temporary_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"old")
    with pytest.raises(TypeError):
        write_atomically(path, None)  # type: ignore[arg-type]
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_program_is_another_revision_when_its_secrets_change_not_its_stop_time() -> None:
    program = Program(["serve"], "log", 5.0, env={"TOKEN": "a"})
    assert program.revision == Program(["serve"], "log", 9, env={"TOKEN": "a"}).revision
    assert program.revision != Program(["serve"], "log", 5.0, env={"TOKEN": "b"}).revision


def test_last_words_are_of_this_run_alone(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"from before\n")
    start = log.stat().st_size
    assert last_words(log, since=start) is None
    with log.open("ab") as file:
        file.write("ああ\xff no key\n\n".encode())
    assert last_words(log, since=start) == "ああÿ no key"
    assert tail(log, 2) == ["ああÿ no key", ""]
    assert tail(tmp_path / "none", 5) == []


@pytest.mark.parametrize(
    ("code", "words"), [(3, "exit code 3"), (-9, "signal 9 (SIGKILL)"), (-99, "signal 99")]
)
def test_an_exit_is_put_into_words(code: int, words: str) -> None:
    assert describe_exit(code) == words


def test_a_url_is_shown_without_its_password() -> None:
    assert mask_password("rediss://me:secret@h:1/0") == "rediss://me:***@h:1/0"
    assert mask_password("redis://h:1/0") == "redis://h:1/0"
