"""Background tasks: an exception is logged, counted, and followed by what the start says."""

import ast
import asyncio
import logging
from pathlib import Path

import pytest

import isshoni.backend
from isshoni.backend import tasks
from tests.support.waiting import wait_until


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "RESTART_SECONDS", (0.0,))


@pytest.fixture
def errors(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.ERROR, logger="isshoni.backend")
    return caplog


class Work:
    """Work that fails some times, and then runs until it is cancelled."""

    def __init__(self, failures: int, fault: BaseException | None = None) -> None:
        self.failures = failures
        self.fault = fault or ValueError("broken")
        self.runs = 0

    async def run(self) -> None:
        self.runs += 1
        if self.runs <= self.failures:
            raise self.fault
        await asyncio.Event().wait()


class Panic(BaseException):
    """What a panic inside Yjs looks like: no `Exception`."""


@pytest.mark.parametrize("fault", [ValueError("broken"), Panic("broken")])
async def test_a_lasting_task_that_raises_is_logged_counted_and_started_again(
    errors: pytest.LogCaptureFixture, fault: BaseException
) -> None:
    before = tasks.failures.count
    work = Work(2, fault)
    task = tasks.start_lasting("count sheep", work.run)
    await wait_until(lambda: work.runs == 3, "the third run")
    assert tasks.failures.count == before + 2
    assert errors.text.count('event=task_failed error="' + f"{type(fault).__name__}: broken") == 2
    assert 'task="count sheep"' in errors.text
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_lasting_task_that_returns_has_ended() -> None:
    runs: list[int] = []

    async def work() -> None:
        runs.append(1)

    await tasks.start_lasting("one run", work)
    assert runs == [1]


async def test_pauses_grow_and_begin_again_after_a_steady_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    now = [0.0]
    monkeypatch.setattr(tasks, "RESTART_SECONDS", (1.0, 2.0, 3.0))
    monkeypatch.setattr("isshoni.backend.tasks.time.monotonic", lambda: now[0])
    monkeypatch.setattr("isshoni.backend.tasks.asyncio.sleep", sleep)
    runs = 0

    async def work() -> None:
        nonlocal runs
        runs += 1
        if runs == 5:
            now[0] += tasks.STEADY_SECONDS
        if runs < 7:
            raise ValueError

    await tasks.start_lasting("unsteady", work)
    assert pauses == [1.0, 2.0, 3.0, 3.0, 1.0, 2.0]


async def test_an_essential_task_that_raises_ends_the_process_and_is_counted(
    errors: pytest.LogCaptureFixture,
) -> None:
    before, ended = tasks.failures.count, asyncio.Event()
    tasks.start_essential("serve", Work(1).run(), ended.set)
    await asyncio.wait_for(ended.wait(), 10)
    assert tasks.failures.count == before + 1
    assert "task=serve" in errors.text


@pytest.mark.parametrize("kind", ["lasting", "essential", "once"])
async def test_a_cancellation_is_quiet(errors: pytest.LogCaptureFixture, kind: str) -> None:
    before, ended, work = tasks.failures.count, asyncio.Event(), Work(0)
    task = {
        "lasting": lambda: tasks.start_lasting("stopped", work.run),
        "essential": lambda: tasks.start_essential("stopped", work.run(), ended.set),
        "once": lambda: tasks.start_once("stopped", work.run()),
    }[kind]()
    await wait_until(lambda: work.runs == 1, "the first run")
    task.cancel()
    await asyncio.wait([task])
    await asyncio.sleep(0)
    assert task.cancelled()
    assert tasks.failures.count == before
    assert not ended.is_set()
    assert errors.text == ""


async def test_a_single_task_that_raises_is_logged_and_counted(
    errors: pytest.LogCaptureFixture,
) -> None:
    before = tasks.failures.count
    task = tasks.start_once("compact", Work(1).run())
    await asyncio.wait([task])
    await wait_until(lambda: tasks.failures.count == before + 1, "counted")
    assert "task=compact" in errors.text


async def test_the_outcome_of_an_awaited_task_is_its_starters(
    errors: pytest.LogCaptureFixture,
) -> None:
    before = tasks.failures.count
    with pytest.raises(ValueError, match="broken"):
        await tasks.start_awaited("write", Work(1).run())
    assert tasks.failures.count == before
    assert errors.text == ""


async def test_one_failure_among_many_stops_no_other(errors: pytest.LogCaptureFixture) -> None:
    before, done = tasks.failures.count, []

    async def work(number: int) -> None:
        if number == 0:
            raise ValueError("broken")
        await asyncio.sleep(0)
        done.append(number)

    await tasks.run_all("finish", [work(number) for number in range(3)])
    assert done == [1, 2]
    assert tasks.failures.count == before + 1
    assert "task=finish" in errors.text


async def test_an_exception_of_a_timer_is_counted(errors: pytest.LogCaptureFixture) -> None:
    before, loop = tasks.failures.count, asyncio.get_running_loop()
    loop.set_exception_handler(tasks.report_uncaught)
    loop.call_soon(int, "no number")
    await wait_until(lambda: tasks.failures.count == before + 1, "counted")
    assert 'task="event loop"' in errors.text


def _calls(path: Path) -> list[tuple[str, ast.Call]]:
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            name = node.func
            found.append((getattr(name, "attr", getattr(name, "id", "")), node))
    return found


BACKEND = Path(isshoni.backend.__file__).parent
FILES = sorted(path for path in BACKEND.rglob("*.py") if path != BACKEND / "tasks.py")


def test_only_the_helper_creates_tasks() -> None:
    bare = [
        f"{path.relative_to(BACKEND)}:{call.lineno} {name}"
        for path in FILES
        for name, call in _calls(path)
        if name in ("create_task", "ensure_future", "TaskGroup", "Task")
    ]
    assert bare == [], "start these with isshoni.backend.tasks"


def test_every_gather_says_what_an_exception_does_to_the_others() -> None:
    silent = [
        f"{path.relative_to(BACKEND)}:{call.lineno}"
        for path in FILES
        for name, call in _calls(path)
        if name == "gather" and all(word.arg != "return_exceptions" for word in call.keywords)
    ]
    assert silent == [], "use run_all, or write return_exceptions= out"
