"""Whatever binary frame comes: taken by Yjs, or a `ProtocolError`; never anything else."""

import random
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycrdt import Array, Doc, Map, Text

from isshoni.session.errors import ProtocolError
from isshoni.session.server.yjs_update import check_state, check_update, parse_awareness
from isshoni.session.sync import (
    AwarenessUpdate,
    SyncStep1,
    SyncUpdate,
    apply_update,
    diff,
    parse_y_frame,
)
from tests.support.nasty_frames import mutate, nasty_frames

MEMORY_BYTES = 1 << 30


def rich_document() -> Doc[Any]:
    """Make a document with every kind of content that clients write."""
    doc: Doc[Any] = Doc(client_id=7)
    elements = doc.get("elements", type=Map)
    elements["plain"] = {"x": 1, "y": 2.5, "글": "한글", "list": [None, True, {"deep": [[]]}]}
    elements["map"] = Map({"a": 1})
    elements["text"] = Text("hello")
    elements["array"] = Array([1, "two"])
    elements["text"].insert(2, "🎨")
    del elements["plain"]
    return doc


def take(frame: bytes) -> bool:
    """Take a frame as the backend does; False when it was refused as it may be."""
    try:
        match parse_y_frame(frame):
            case SyncStep1(state):
                check_state(state)
                diff(rich_document(), state)
            case SyncUpdate(update):
                check_update(update)
                apply_update(rich_document(), update)
            case AwarenessUpdate(payload):
                parse_awareness(payload)
    except ProtocolError as fault:
        assert fault.code == "bad_frame"
        return False
    return True


@given(st.binary(max_size=100))
def test_noise_is_refused_or_taken(noise: bytes) -> None:
    for head in (b"", b"\x00\x00", b"\x00\x01", b"\x00\x02", b"\x01"):
        take(head + bytes([len(noise)]) + noise)


@given(st.integers(0, 2**32))
def test_a_sound_update_with_changed_bytes_is_refused_or_taken(seed: int) -> None:
    update = mutate(random.Random(seed), rich_document().get_update())
    take(b"\x00\x02" + _length(update) + update)


@given(st.integers(0, 2**32))
def test_a_sound_state_with_changed_bytes_is_refused_or_taken(seed: int) -> None:
    state = mutate(random.Random(seed), rich_document().get_state())
    take(b"\x00\x00" + _length(state) + state)


def test_a_sound_update_is_taken() -> None:
    update = rich_document().get_update()
    assert take(b"\x00\x02" + _length(update) + update)


@pytest.mark.parametrize("name", nasty_frames())
def test_a_nasty_frame_is_refused_or_taken(name: str) -> None:
    take(nasty_frames()[name])


def test_no_nasty_frame_takes_more_memory_than_a_frame_is_worth() -> None:
    # In a process that may not have it: the library aborts where it cannot allocate.
    program = (
        "import resource\n"
        "from tests.support.nasty_frames import nasty_frames\n"
        "from tests.unit.backend.test_yjs_update_fuzz import take\n"
        f"resource.setrlimit(resource.RLIMIT_AS, ({MEMORY_BYTES}, {MEMORY_BYTES}))\n"
        "for frame in nasty_frames().values():\n"
        "    take(frame)\n"
        "print('alive')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "alive\n", done.stderr[-500:]


def _length(payload: bytes) -> bytes:
    return bytes([len(payload) & 127 | 128, len(payload) >> 7])
