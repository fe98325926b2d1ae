"""Notify the team of what a rollout does; a failure of that is recorded, and has no effect."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Literal, Protocol

from pydantic import Field

from isshoni.engine.companions import Notes
from isshoni.engine.reconciler import TurnReport
from isshoni.errors import IsshoniError
from isshoni.rollout.plan import Settings
from isshoni.rollout.state import Outcome, Rollout

Occasion = Literal["start", "phase", "rollback", "end", "unattended"]
MAX_WAITING = 50
"""Messages that may wait for a receiver; more are dropped, which is recorded."""


class NotificationSettings(Settings):
    """The receivers of notifications, and the occasions."""

    urls: tuple[str, ...] = ()
    """Apprise URLs; `${NAME}` stands for an environment variable, for secrets."""
    on: tuple[Occasion, ...] = ("start", "phase", "rollback", "end", "unattended")
    timeout_seconds: Annotated[float, Field(gt=0, le=60)] = 5.0
    """The time for each message, and for all that are left at the end."""


@dataclass(frozen=True)
class Message:
    """One notification: its occasion and its text."""

    occasion: Occasion
    title: str
    body: str
    good: bool | None = None
    """None: neither good nor bad."""


class NotificationFault(IsshoniError):
    """A receiver did not accept a message."""


class Notifier(Protocol):
    """A receiver of notifications."""

    @property
    def name(self) -> str:
        """The name that users see, without its secrets."""

    async def send(self, message: Message) -> None:
        """Send a message; raises `NotificationFault`. May hang: callers bound it."""


class Notifications:
    """A `Companion` that sends messages to each receiver in a task of its own."""

    def __init__(
        self, notifiers: Sequence[Notifier], settings: NotificationSettings, notes: Notes
    ) -> None:
        self._settings = settings
        self._notes = notes
        self._before: Rollout | None = None
        self._rollout: Rollout | None = None
        self._receivers = [_Receiver(n, settings.timeout_seconds, self._note) for n in notifiers]

    def see(self, turn: TurnReport) -> None:
        """Queue the messages about this turn."""
        self._rollout = turn.rollout
        for message in describe_turn(self._before, turn):
            if message.occasion in self._settings.on:
                for receiver in self._receivers:
                    receiver.queue(message)
        self._before = turn.rollout

    async def finish(self, rollout: Rollout) -> None:
        """Send what is left, within the time limit."""
        del rollout
        await asyncio.gather(*(r.aclose(self._settings.timeout_seconds) for r in self._receivers))

    def _note(self, why: str) -> None:
        if self._rollout is not None:
            self._notes.add(self._rollout, "notification_fault", why)


class _Receiver:
    """A receiver, its queue and the task that empties it."""

    def __init__(self, notifier: Notifier, timeout_seconds: float, note: "_Note") -> None:
        self._notifier = notifier
        self._timeout_seconds = timeout_seconds
        self._note = note
        self._waiting: asyncio.Queue[Message] = asyncio.Queue(MAX_WAITING)
        self._task: asyncio.Task[None] | None = None

    def queue(self, message: Message) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._work())
        try:
            self._waiting.put_nowait(message)
        except asyncio.QueueFull:
            self._fault(message, f"{MAX_WAITING} messages wait for it already")

    async def aclose(self, patience_seconds: float) -> None:
        if self._task is None:
            return
        try:
            async with asyncio.timeout(patience_seconds):
                await self._waiting.join()
        except TimeoutError:
            self._note(f"{self._notifier.name} did not get all messages: the rollout is over")
        self._task.cancel()
        await asyncio.wait({self._task})

    async def _work(self) -> None:
        while True:
            message = await self._waiting.get()
            try:
                async with asyncio.timeout(self._timeout_seconds):
                    await self._notifier.send(message)
            except TimeoutError:
                self._fault(message, f"no answer within {self._timeout_seconds:g} s")
            except Exception as fault:
                self._fault(message, str(fault))
            finally:
                self._waiting.task_done()

    def _fault(self, message: Message, why: str) -> None:
        self._note(
            f"{self._notifier.name} did not get the message about the {message.occasion}: {why}"
        )


class _Note(Protocol):
    def __call__(self, why: str) -> None: ...


def describe_turn(before: Rollout | None, turn: TurnReport) -> Iterator[Message]:
    """Return the messages about a turn; `before` is the rollout a turn ago."""
    rollout = turn.rollout
    what = f"{rollout.stable.release.name} → {rollout.release.name} on {rollout.candidate}"
    if before is None and rollout.outcome == "running":
        yield Message("start", _begin(turn), f"{what} ({rollout.id})")
    elif before is not None:
        yield from _describe_phases(before, rollout, what)
    for event in turn.events:
        if event.what == "rollback":
            title = f"{rollout.release.label} is being rolled back"
            yield Message("rollback", title, event.why, good=False)
    if rollout.outcome != "running":
        yield _describe_end(rollout, what)


def _describe_phases(before: Rollout, rollout: Rollout, what: str) -> Iterator[Message]:
    passed = rollout.steps[before.step_index : rollout.step_index + 1]
    for last, step in pairwise(passed):  # one turn can pass a phase that has nothing to do
        if step.phase != last.phase:
            title = f"{rollout.release.label}: {step.phase}"
            yield Message("phase", title, f"step {step.number}: {step.title}; {what}")


def _begin(turn: TurnReport) -> str:
    rollout = turn.rollout
    done = sum(event.what == "step_done" for event in turn.events)
    if rollout.step_index == done:  # all that is done was done in this turn
        return f"Deploying {rollout.release.label}"
    return f"Continuing {rollout.release.label} at step {rollout.step.number}"


_TITLES: dict[Outcome, str] = {
    "promoted": "{} is live",
    "rolled_back": "{} was rolled back",
    "refused": "{} was not started",
    "stuck": "{} is stuck: an operator must check",
}


def _describe_end(rollout: Rollout, what: str) -> Message:
    took = (rollout.ended or rollout.began) - rollout.began
    body = f"{what}, after {took:.1f} s" + (f": {rollout.reason}" if rollout.reason else "")
    title = _TITLES[rollout.outcome].format(rollout.release.label)
    return Message("end", title, body, good=rollout.outcome == "promoted")
