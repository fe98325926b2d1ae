"""The state of a link that another process loads is that of the link, whatever came before."""

import random
from typing import Any

import msgspec
import pytest

from isshoni.relay.core.frames import BINARY, TEXT, make_frame
from isshoni.relay.core.handshake import Answer, Handshake
from isshoni.relay.core.leg import Leg
from isshoni.relay.core.link import Link
from isshoni.relay.core.moves import Timing
from isshoni.relay.core.profiles.plain import Plain
from isshoni.relay.core.saved import CannotLoad, CannotSave, load, save
from isshoni.relay.doors import Door, FixedDoors
from isshoni.relay.relay import Relay
from isshoni.rollout.model import PROFILES
from isshoni.session.server.yjs_update import Announcement, encode_awareness_states
from isshoni.session.sync import make_awareness
from tests.unit.relay.simulation import KEY, Simulation

TIMING = Timing()


class Pipe:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.written = bytearray()

    def write(self, data: bytes) -> None:
        self.written += data

    def finish(self) -> None:
        self.written += b"<finish>"

    def end(self) -> None:
        self.written += b"<end>"


ANSWER = Answer(b"HTTP/1.1 101 Switching Protocols\r\n\r\n", 101, None)


def make_key() -> bytes:
    return KEY


def _shared(client: object, program: object) -> dict[str, object]:
    return {
        "client": client,
        "program": program,
        "timing": TIMING,
        "make_key": make_key,
    }


def _traffic(rng: random.Random) -> tuple[bytes, bytes]:
    """Return bytes of a client and of its program, in any of the protocols, cut anywhere."""
    announced = encode_awareness_states([Announcement(7, rng.randrange(9), b'{"x":1}')])
    texts = [b"2", b"3", b'40/chat,{"a":1}', b'42/chat,7["e",1]', b"43/chat,7[]", b"451-[{}]"]
    frames = [(TEXT, rng.choice(texts)), (BINARY, b"\x00\x00\x01\x00")]
    frames += [(BINARY, make_awareness(announced)), (TEXT, b"x" * rng.randrange(300))]
    up = b"".join(make_frame(*rng.choice(frames), KEY) for _ in range(4))
    down = b"".join(make_frame(*rng.choice(frames)) for _ in range(4))
    return up[: rng.randrange(len(up))], down[: rng.randrange(len(down))]


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("seed", range(10))
def test_a_loaded_link_continues_as_the_saved_one_would(name: str, seed: int) -> None:
    rng = random.Random(seed)
    relay = Relay(FixedDoors({"blue": Door(profile=name, preamble_messages=2)}), TIMING)
    handshake = Handshake(b"GET /x HTTP/1.1\r\n\r\n", "/x", is_upgrade=True)
    pipes = (Pipe(), Pipe())
    profile = relay.make_profile(handshake, "blue", ANSWER)
    link = Link(pipes[0], Leg(pipes[1], "blue"), profile, TIMING, make_key)
    mine = relay.shared() | {"timing": TIMING, "make_key": make_key}
    if rng.random() < 0.5:
        link.arm(0.9)
    up, down = _traffic(rng)
    link.client_sent(up, 1.0)
    link.program_sent(link._current, down, 1.0)
    data = save((handshake, ("key", 1), link), mine | {"client": pipes[0], "program": pipes[1]})
    others = (Pipe(), Pipe())
    loaded: Any = load(data, mine | {"client": others[0], "program": others[1]})
    assert loaded[:2] == (handshake, ("key", 1))
    assert save(loaded, mine | {"client": others[0], "program": others[1]}) == data
    more = _traffic(rng)
    for one, (client, program) in ((link, pipes), (loaded[2], others)):
        client.written.clear()
        program.written.clear()
        one.client_sent(more[0], 1.1)
        one.program_sent(one._current, more[1], 1.1)
        one.tick(9.0)
    assert [p.written for p in pipes] == [p.written for p in others]


@pytest.mark.parametrize("seed", range(20))
def test_a_client_that_moves_between_upgrades_loses_nothing(seed: int) -> None:
    simulation = Simulation(seed, timing=TIMING)
    rng, world = random.Random(seed), simulation.world

    def upgrade() -> None:
        leg = simulation.link.only_leg
        if leg is not None:
            shared = _shared(simulation.link._down._client, leg.pipe)
            shared["timing"] = simulation.link._timing
            shared["make_key"] = simulation.link._up._make_key
            simulation.continue_with(load(save(simulation.link, shared), shared))
        world.after(rng.random() * 0.2, upgrade)

    world.after(0.05, upgrade)
    for n in range(100):
        world.after(0.1 + n * 0.05, lambda n=n: simulation.send(b"m%d" % n))  # type: ignore[misc]
    world.after(1.0, lambda: simulation.move(simulation.green))
    world.after(3.5, lambda: simulation.move(simulation.blue))
    world.run_until(10.0)
    assert simulation.got == simulation.chat.published
    assert simulation.sent == simulation.chat.published
    assert not simulation.closed
    assert simulation.link.colour == "blue"


def test_a_state_of_a_newer_version_is_refused_and_one_of_an_older_has_defaults() -> None:
    data = save(Plain(3), {})
    tag, number, name, fields = msgspec.msgpack.decode(data)

    def encode(name: str, fields: dict[str, object]) -> bytes:
        return msgspec.msgpack.encode([tag, number, name, fields])

    with pytest.raises(CannotLoad, match=r"plain\.Plain has no field '_new'"):
        load(encode(name, fields | {"_new": 1}), {})
    with pytest.raises(CannotLoad, match="'Newer' is no class"):
        load(encode("Newer", fields), {})
    with pytest.raises(CannotLoad, match="cannot be read"):
        load(b"\xc1", {})
    del fields["_preamble"]
    loaded = load(encode(name, fields), {})
    assert save(loaded, {}) == save(Plain(), {})


def test_what_no_other_process_can_have_cannot_be_saved() -> None:
    with pytest.raises(CannotSave, match=r"builtins\.object"):
        save([object()], {})
