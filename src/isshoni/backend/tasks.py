"""Start background tasks so that none of them ends in silence.

Every exception of a task is counted and logged as `task_failed` with the task's name; a
cancellation is neither. What follows an exception is chosen where the task is started:

- `start_lasting`: the task is started again after a pause.
- `start_essential`: the process ends in order, for without this task it is of no use.
- `start_once`: nothing; the next event starts such a task again.
- `start_awaited`: the caller reads the outcome, so nothing is logged here.

Only this module creates tasks: a unit test fails for every other file of the backend that does.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, TypeVar

from isshoni.backend.log import log_fault

T = TypeVar("T")

RESTART_SECONDS = (0.1, 0.5, 2.0, 10.0)
"""Pauses before a task that failed is started again; the last one repeats."""
STEADY_SECONDS = 60.0
"""After running for this long without an exception, a task begins again with the first pause."""
_QUIET = (asyncio.CancelledError, GeneratorExit, KeyboardInterrupt, SystemExit)


class TaskFailures:
    """Counts the exceptions of all background tasks of this process."""

    def __init__(self) -> None:
        self.count = 0

    def report(self, name: str, fault: BaseException, **fields: object) -> None:
        """Count an exception and log it with the name of its task."""
        self.count += 1
        log_fault("task_failed", fault, task=name, **fields)


failures = TaskFailures()
"""Those of this process; read as the counter `task_failures`."""
_unfinished: set[asyncio.Task[Any]] = set()
"""Strong references: the event loop keeps only weak ones to its tasks."""


def start_lasting(name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> asyncio.Task[None]:
    """Run `work` until it returns or is cancelled; after an exception, again after a pause."""
    return _keep(_create(name, _run_until_done(name, work)))


async def _run_until_done(name: str, work: Callable[[], Awaitable[None]]) -> None:
    attempt = 0
    while True:
        started_at = time.monotonic()
        try:
            await work()
            return
        except _QUIET:
            raise
        except BaseException as fault:  # a panic inside Yjs is no `Exception`
            if time.monotonic() - started_at >= STEADY_SECONDS:
                attempt = 0
            pause_seconds = RESTART_SECONDS[min(attempt, len(RESTART_SECONDS) - 1)]
            failures.report(name, fault, restart_after_seconds=pause_seconds)
        attempt += 1
        await asyncio.sleep(pause_seconds)


def start_essential(
    name: str, work: Coroutine[Any, Any, None], end_process: Callable[[], None]
) -> asyncio.Task[None]:
    """Run `work` once; an exception calls `end_process`, which must end the process in order."""

    def end_if_failed(task: asyncio.Task[None]) -> None:
        if _report_exception(task):
            end_process()

    task = _keep(_create(name, work))
    task.add_done_callback(end_if_failed)
    return task


def start_once(name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Run `work` once; the caller need not keep the task, nor look at its outcome."""
    task = _keep(_create(name, work))
    task.add_done_callback(_report_exception)
    return task


def start_awaited(name: str, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """Run `work` in a task whose result and exception the caller reads."""
    return _create(name, work)


async def run_all(name: str, works: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run all of `works` side by side until each has ended; one exception stops no other."""
    for outcome in await asyncio.gather(*works, return_exceptions=True):
        if isinstance(outcome, BaseException) and not isinstance(outcome, _QUIET):
            failures.report(name, outcome)


def report_uncaught(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Count and log an exception that no task and no caller caught (a loop's handler)."""
    fault = context.get("exception")
    if isinstance(fault, BaseException):
        failures.report("event loop", fault, meaning=context.get("message", ""))
    else:
        loop.default_exception_handler(context)


def _create(name: str, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    return asyncio.get_running_loop().create_task(work, name=name)


def _keep(task: asyncio.Task[T]) -> asyncio.Task[T]:
    _unfinished.add(task)
    task.add_done_callback(_unfinished.discard)
    return task


def _report_exception(task: asyncio.Task[Any]) -> bool:
    """Report the exception that ended a task; False if there was none, or a cancellation."""
    if task.cancelled():
        return False
    fault = task.exception()
    if fault is None:
        return False
    failures.report(task.get_name(), fault)
    return True
