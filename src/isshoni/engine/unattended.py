"""Handle a rollout without an engine: notify the team, and roll it back if configured."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from isshoni.engine.advice import advise_to_continue
from isshoni.engine.companions import Notes
from isshoni.engine.environment import Environment
from isshoni.engine.errors import NothingToDo
from isshoni.engine.lease import is_free
from isshoni.engine.notifications import Message, NotificationSettings, Notifier
from isshoni.engine.operations import Engine, abort
from isshoni.engine.report import RolloutReport
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.state import Rollout


def find_unattended(engine: Engine) -> Rollout:
    """Return the rollout without an engine; raises `NothingToDo` if there is none."""
    journal = engine.environment.journal
    latest = journal.read_latest()
    if latest is None or latest.rollout.outcome != "running":
        raise NothingToDo("no rollout is open, so none is without an engine")
    if not is_free(journal.read_lease(), engine.clock.now()):
        raise NothingToDo(f"an engine works on rollout {latest.rollout.id}")
    return latest.rollout


async def attend(
    engine: Engine,
    notifiers: Sequence[Notifier],
    settings: NotificationSettings,
    *,
    afterwards: str = "",
) -> RolloutReport | None:
    """Report the rollout without an engine, and roll it back if its plan says so.

    `afterwards`: what an operator has to do after a rollback, for the notification. Returns the
    report of the rollback, or None without one. Raises `NothingToDo`.
    """
    rollout = find_unattended(engine)
    notes = Notes(engine.environment, engine.clock)
    message = _describe(rollout, await _read_weights(engine.environment), afterwards)
    notes.add(rollout, "unattended", message.body)
    if message.occasion in settings.on:
        faults = await asyncio.gather(
            *(_send(notifier, message, settings.timeout_seconds) for notifier in notifiers)
        )
        for fault in filter(None, faults):
            notes.add(rollout, "notification_fault", fault)
    if rollout.plan.unattended_action == "notify":
        return None
    find_unattended(engine)  # an engine may have begun while the notifications were sent
    return await abort(replace(engine, who="the supervisor"))


async def _read_weights(environment: Environment) -> str:
    # Not from the journal: the engine may have died between a change and its record.
    try:
        weights = await environment.traffic.verify_weights()
    except EnvironmentFault as fault:
        return f"unknown ({fault})"
    return "unknown" if weights is None else str(weights)


def _describe(rollout: Rollout, weights: str, afterwards: str) -> Message:
    label, step = rollout.release.label, rollout.step
    rolls_back = rollout.plan.unattended_action == "rollback"
    then = f"{advise_to_continue(rollout)}."
    if rolls_back:
        then = " ".join(filter(None, ("It is being rolled back.", afterwards)))
    body = (
        f"rollout {rollout.id} is at step {step.number} ({step.title}), the weights are now "
        f"{weights}, and no engine has worked on it for {rollout.plan.unattended_seconds:g} s. "
    )
    return Message("unattended", f"{label}: the rollout has no engine", body + then, good=False)


async def _send(notifier: Notifier, message: Message, timeout_seconds: float) -> str | None:
    """Send one message; return what went wrong, or None."""
    try:
        async with asyncio.timeout(timeout_seconds):
            await notifier.send(message)
    except TimeoutError:
        return f"{notifier.name}: no answer within {timeout_seconds:g} s"
    except Exception as fault:
        return f"{notifier.name}: {fault}"
    return None
