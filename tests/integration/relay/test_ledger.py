"""A relay that breaks one message in the middle of a move is convicted by the ledger."""

import time
from collections.abc import Iterable

import pytest

from isshoni.relay.core.messages import Message
from isshoni.relay.core.profiles.plain import Plain
from isshoni.relay.core.profiles.profile import Profile
from isshoni.verify.ports import COMMAND_PHASE, DeployReport, PhaseSpan
from isshoni.verify.settings import PlannedDeploy, RunSettings
from isshoni.verify.stock.run import make_command, verify_stock
from isshoni.verify.stock.settings import Kind, StockSettings
from isshoni.verify.users import Habits
from tests.integration.relay.conftest import Doors
from tests.integration.relay.test_moves import move_all
from tests.support.breaking_proxy import Break

CLIENTS = 4
SETTINGS = RunSettings(
    clients=CLIENTS,
    sessions=1,
    full_clients=CLIENTS,
    talk_seconds=0.5,
    quiet_seconds=0.5,
    warm_up_seconds=0.1,
    habits=Habits(messages_per_second=20.0, edits_per_second=0.0),
)


class Breaking(Plain):
    """A profile that breaks one of the first program's messages, as a faulty relay would."""

    __slots__ = ("_held", "_what")

    def __init__(self, what: Break) -> None:
        super().__init__()
        self._what = what
        self._held: Message | None = None

    def from_program(self, number: int, message: Message, now: float) -> Iterable[Message]:
        """Return the message, except once."""
        what = self._what
        if number or what is Break.NOTHING:
            return (message,)
        if what is Break.SWAP:
            if self._held is None:
                self._held = message
                return ()
            if message.payload.split(b"-")[:3] != self._held.payload.split(b"-")[:3]:
                return (message,)
        self._what = Break.NOTHING
        if what is Break.SWAP:
            assert self._held is not None
            return (message, self._held)
        return () if what is Break.DROP else (message, message)


class Mover:
    """In place of a deploy: moves all clients to the other program."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors

    async def deploy(self, version: str) -> DeployReport:
        """Move all clients; return when they have moved."""

        began = time.time()
        assert await move_all(self._doors, "blue", "green") == [None] * CLIENTS
        span = PhaseSpan(COMMAND_PHASE, began, time.time())
        return DeployReport("promoted", phases=(span,))


@pytest.mark.parametrize(
    ("what", "faults"),
    [
        (Break.NOTHING, (0, 0, 0)),
        (Break.DROP, (1, 0, 0)),
        (Break.DOUBLE, (0, 1, 0)),
        (Break.SWAP, (0, 0, 1)),
    ],
)
async def test_a_relay_that_breaks_one_message_of_a_move_is_convicted(
    doors: Doors, what: Break, faults: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    breaking: list[Profile] = [Breaking(what)]
    monkeypatch.setattr(
        doors.relay, "make_profile", lambda *_: breaking.pop() if breaking else Plain()
    )
    stock = StockSettings(Kind.PLAIN, f"ws://127.0.0.1:{doors.ports['blue']}/ws/{{room}}")
    result = await verify_stock(
        stock,
        SETTINGS,
        make_command(stock.kind),
        deploys=[PlannedDeploy("move")],
        runner=Mover(doors),
    )
    messages = result.messages
    assert (messages.lost, messages.doubled, messages.reordered) == faults
    assert result.stock is not None
    assert result.stock.closes == 0
