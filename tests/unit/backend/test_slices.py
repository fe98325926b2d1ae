"""Long work lets other tasks run once its slice of time is used up."""

import asyncio
from types import SimpleNamespace

import pytest

from isshoni.backend.live import slices
from isshoni.backend.live.slices import Steps, run_at_once, run_in_slices


def _work(done: list[str]) -> Steps[int]:
    for _ in range(4):
        done.append("step")
        yield
    return 7


async def _run_beside_another(
    seconds: float, step_seconds: float, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    done: list[str] = []
    clock = iter(number * step_seconds for number in range(100))
    monkeypatch.setattr(slices, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    asyncio.get_running_loop().call_soon(done.append, "other")
    assert await run_in_slices(_work(done), seconds) == 7
    return done


async def test_another_task_runs_after_a_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    done = await _run_beside_another(0.001, 0.0006, monkeypatch)
    assert done == ["step", "step", "other", "step", "step"]


async def test_no_pause_is_made_within_a_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    done = await _run_beside_another(0.001, 0.0001, monkeypatch)
    assert done == ["step"] * 4


def test_steps_run_at_once_return_their_result() -> None:
    assert run_at_once(_work([])) == 7


async def test_a_fault_of_a_step_is_raised() -> None:
    def fail() -> Steps[int]:
        yield
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await run_in_slices(fail(), 1.0)
    with pytest.raises(ValueError, match="broken"):
        run_at_once(fail())
