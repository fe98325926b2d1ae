"""Characters that an edit cut in two: every newcomer has what Yjs has."""

import base64
import json
import random
import shutil
import subprocess
from typing import Any

import pytest

from isshoni.backend.live.canvas import Canvas
from isshoni.backend.live.cut_characters import Pairs, mend_log
from isshoni.backend.live.whole_canvas import make_snapshot, render_elements
from isshoni.backend.store.ports import CanvasLog, Entry
from isshoni.session.server.yjs_update import EMPTY_STATE, parse_state
from isshoni.session.sync import SyncUpdate, parse_y_frame
from tests.support.cut_updates import CLOCKS, ELEMENTS, TEXT, UPDATES, Reader
from tests.support.fake_store import FakeServer, FakeSessionStore
from tests.support.foreign_clients import FRONTEND

SEEDS = 60


def _log(updates: list[bytes], snapshot: bytes | None = None) -> CanvasLog:
    entries = [Entry(seq, update) for seq, update in enumerate(updates, 1)]
    return CanvasLog(snapshot, entries, len(updates))


def _missing(canvas: Canvas, state: bytes) -> bytes:
    (frame,) = canvas.document.frames_missing_at(state)
    message = parse_y_frame(frame)
    assert isinstance(message, SyncUpdate)
    return message.update


async def _canvas(updates: list[bytes], cuts: list[int] | None = None) -> Canvas:
    """Load a canvas with these updates in its log."""
    store = FakeSessionStore(FakeServer())
    for update in updates:
        await store.append_canvas("s", update)
    canvas = Canvas("s", store, lambda: None, lambda: (cuts or []).append(1))
    await canvas.load()
    return canvas


def _read(*updates: bytes) -> tuple[str, Any]:
    reader = Reader()
    for update in updates:
        reader.doc.apply_update(update)
    return reader.read()


async def test_a_newcomer_has_what_followed_a_cut_character() -> None:
    canvas = await _canvas(UPDATES)
    assert not canvas.document.has_cut_character
    assert parse_state(canvas.document.state()) == CLOCKS
    assert _read(_missing(canvas, EMPTY_STATE)) == (TEXT, ELEMENTS)


async def test_a_cut_while_the_canvas_is_open_is_counted_and_mended_by_loading_again() -> None:
    cuts: list[int] = []
    store = FakeSessionStore(FakeServer())
    canvas = Canvas("s", store, lambda: None, lambda: cuts.append(1))
    await canvas.load()
    hurt = []
    for seq, update in enumerate(UPDATES, 1):
        await store.append_canvas("s", update)
        canvas.apply(Entry(seq, update))
        hurt.append(canvas.document.has_cut_character)
    assert hurt == [False, True, True, True, True]
    assert cuts == [1]
    await canvas.load()
    assert not canvas.document.has_cut_character
    assert _read(_missing(canvas, EMPTY_STATE)) == (TEXT, ELEMENTS)


async def test_a_document_with_wrong_clocks_puts_nothing_back_into_the_log() -> None:
    store = FakeSessionStore(FakeServer())
    canvas = Canvas("s", store, lambda: None, lambda: None)
    await canvas.load()
    for seq, update in enumerate(UPDATES, 1):
        await store.append_canvas("s", update)
        canvas.apply(Entry(seq, update))
    await canvas.put_back(len(UPDATES))
    assert [entry.payload for entry in (await store.load_canvas("s")).updates] == UPDATES


@pytest.mark.parametrize("upto", range(len(UPDATES) + 1))
def test_a_snapshot_loses_nothing_wherever_it_is_made(upto: int) -> None:
    snapshot = make_snapshot(_log(UPDATES[:upto]), frozenset())
    whole = make_snapshot(_log(UPDATES[upto:], snapshot), frozenset())
    assert _read(whole) == (TEXT, ELEMENTS)
    exported = render_elements(_log(UPDATES[upto:], snapshot), frozenset())
    assert json.loads(exported) == ELEMENTS


def test_characters_that_are_not_cut_stay() -> None:
    log = _log(UPDATES[:1])
    mended, _ = mend_log(log)
    assert mended == log
    assert not Pairs().record(UPDATES[0])


async def test_a_state_inside_a_character_is_answered_with_the_whole_of_it() -> None:
    canvas = await _canvas(UPDATES[:1])
    inside = bytes((1, 1, 1))
    assert _read(_missing(canvas, inside)) == ("😀", {})


def test_a_broken_update_in_the_log_is_left_for_the_one_who_applies_it() -> None:
    log = _log([UPDATES[0], b"\x01\x01\xf0\x9f\x98\x80", *UPDATES[1:]])
    mended, _ = mend_log(log)
    assert mended.updates[1] == log.updates[1]
    assert mended.updates[0] != log.updates[0]


def _node(*arguments: str, lines: list[Any] | None = None) -> list[Any]:
    """Run the Yjs authors; returns the lines of JSON that they print."""
    process = subprocess.run(
        ["node", "compat/surrogates.mjs", *arguments],
        cwd=FRONTEND,
        input="\n".join(map(json.dumps, lines or [])),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return [json.loads(line) for line in process.stdout.splitlines()]


@pytest.mark.skipif(
    not (shutil.which("node") and (FRONTEND / "node_modules" / "yjs").is_dir()),
    reason="NOT RUN: needs node and `npm ci`",
)
async def test_whatever_yjs_authors_cut_every_newcomer_has_what_they_have() -> None:
    """Four newcomers a case: to a log, to a compacted one, half informed, and to a snapshot."""
    first = random.randrange(1_000_000)
    cases = _node("make", str(first), str(SEEDS))
    answers: list[list[str]] = []
    expected: list[Any] = []
    for number, case in enumerate(cases):
        updates = [base64.b64decode(update) for update in case["updates"]]
        for answer in await _answers(updates, random.Random(number)):
            answers.append([base64.b64encode(update).decode() for update in answer])
            expected.append({"seed": first + number, **case["shows"]})
    shown = _node("read", lines=answers)
    assert len(shown) == 4 * SEEDS
    for one, other in zip(shown, expected, strict=True):
        assert {"seed": other["seed"], **one} == other


async def _answers(updates: list[bytes], dice: random.Random) -> list[list[bytes]]:
    upto = dice.randrange(len(updates))
    informed = (await _canvas(updates[:upto])).document.state()
    snapshot = make_snapshot(_log(updates[:upto]), frozenset())
    canvas = await _canvas(updates)
    return [
        [_missing(canvas, EMPTY_STATE)],
        [make_snapshot(_log(updates[upto:], snapshot), frozenset())],
        [*updates[:upto], _missing(canvas, informed)],
        [snapshot, *updates[upto:]],
    ]
