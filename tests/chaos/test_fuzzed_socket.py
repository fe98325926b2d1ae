"""A thousand fuzzed frames at a real backend, while synthetic users chat and draw."""

import random
from collections.abc import Sequence
from contextlib import suppress

import pytest
from websockets.exceptions import ConnectionClosed

from tests.chaos.installation import Installation
from tests.chaos.misfits import Door
from tests.chaos.ordeal import live_through
from tests.support.nasty_frames import NASTY_TEXTS, mutate, nasty_frames

FRAMES = 1000
BATCH = 10
SOUND = (
    b'{"type":"chat","n":1,"text":"hello"}',
    b'{"type":"ping","t":[1]}',
    b'{"type":"restore_session","session_id":"s","client_id":"c","can":["canvas"]}',
)


def draw_frames(rng: random.Random) -> list[str | bytes]:
    """Draw invalid frames, and valid ones with changed bytes, of both kinds."""
    frames: list[str | bytes] = list(nasty_frames().values())
    frames += [
        text.decode(errors="replace") if isinstance(text, bytes) else text
        for text in NASTY_TEXTS.values()
    ]
    small = [frame for frame in nasty_frames().values() if 0 < len(frame) < 1000]
    while len(frames) < FRAMES:
        if rng.random() < 0.5:
            frames.append(mutate(rng, rng.choice(small)))
        else:
            frames.append(mutate(rng, rng.choice(SOUND)).decode(errors="replace"))
    rng.shuffle(frames)
    return frames


@pytest.mark.spec("A7")
async def test_fuzzed_frames_harm_no_other_client(installation: Installation) -> None:
    frames = draw_frames(random.Random(5))
    thrown_out = 0

    async def send_all(sessions: Sequence[str]) -> None:
        nonlocal thrown_out
        left = list(frames)
        while left:
            # A connection takes so many bad frames and no more; then the next one goes on.
            fuzzer = await Door(installation.url, sessions[0]).connect(max_size=None)
            with suppress(ConnectionClosed):
                while left:
                    for _ in range(min(BATCH, len(left))):
                        await fuzzer.connection.send(left.pop())
                    await fuzzer.send(type="ping")
                    await fuzzer.read("pong")
            thrown_out += fuzzer.connection.close_code == 4400
            await fuzzer.close()

    old = installation.pid("blue"), installation.pid("green")
    verdict = await live_through(installation.url, send_all)
    assert verdict.broken == {}, f"{verdict.result.trouble}\n{installation.logs()}"
    assert verdict.result.gap_ms.clients_cut == 0
    assert thrown_out > 5
    assert (installation.pid("blue"), installation.pid("green")) == old
    assert "Traceback" not in installation.log("blue") + installation.log("green")
