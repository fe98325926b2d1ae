"""What is behind the doors: read from a file, shared between processes by the session."""

from collections import Counter
from pathlib import Path

import msgspec

from isshoni.relay.doors import Door, DoorFile

PROGRAMS = (("127.0.0.1", 1), ("127.0.0.1", 2), ("127.0.0.1", 3))


def write(path: Path, **doors: Door) -> None:
    """Replace a file of doors, as the environment does it."""
    new = path.with_suffix(".new")
    new.write_bytes(msgspec.json.encode(doors))
    new.replace(path)


def test_a_replaced_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "doors.json"
    doors = DoorFile(path)
    assert doors.of("blue") == Door()
    write(path, blue=Door("a", PROGRAMS[:1]))
    assert doors.of("blue").programs == PROGRAMS[:1]
    write(path, blue=Door("b", PROGRAMS[1:2]), green=Door("c", profile="yjs"))
    assert doors.of("blue").release == "b"
    assert doors.of("green").profile == "yjs"


def test_a_damaged_or_removed_file_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "doors.json"
    write(path, blue=Door("a", PROGRAMS[:1]))
    doors = DoorFile(path)
    assert doors.of("blue").release == "a"
    path.write_text("{")
    assert doors.of("blue").release == "a"
    path.unlink()
    assert doors.of("blue").release == "a"


def test_fields_of_a_later_version_are_ignored(tmp_path: Path) -> None:
    path = tmp_path / "doors.json"
    path.write_text('{"blue": {"release": "a", "later": 1}}')
    assert DoorFile(path).of("blue") == Door("a")


def test_a_session_has_one_process_and_each_process_has_sessions() -> None:
    door = Door("a", PROGRAMS)
    firsts = Counter(door.rank(f"/room/{n}")[0] for n in range(300))
    assert all(door.rank("/room/1") == door.rank("/room/1") for _ in range(3))
    assert set(firsts) == set(PROGRAMS) and min(firsts.values()) > 60


def test_without_a_process_only_its_sessions_go_elsewhere() -> None:
    whole, less = Door("a", PROGRAMS), Door("a", PROGRAMS[:2])
    for number in range(100):
        key = f"/room/{number}"
        stays = [address for address in whole.rank(key) if address in PROGRAMS[:2]]
        assert less.rank(key) == stays
