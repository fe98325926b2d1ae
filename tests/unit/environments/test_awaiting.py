"""Waiting for a program, and what is said meanwhile and in the end."""

from pathlib import Path

import pytest

from isshoni.environments.errors import ProgramNotReady
from isshoni.environments.local import awaiting
from isshoni.environments.local.awaiting import Waiter
from isshoni.environments.local.programs import Observed, Program, ProgramFiles

PROGRAM = Program(["sleep"], "log", 1.0)


@pytest.fixture
def files(tmp_path: Path) -> ProgramFiles:
    files = ProgramFiles(tmp_path)
    files.make_directories()
    files.want("blue", PROGRAM)
    files.record("blue", Observed(PROGRAM.revision, pid=1))
    return files


async def test_each_reason_is_reported_once_and_is_in_the_fault(
    files: ProgramFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(awaiting, "READY_SECONDS", 0.2)
    monkeypatch.setattr(awaiting, "REPORT_AFTER_SECONDS", -1.0)
    told: list[str] = []

    async def find_trouble() -> str | None:
        return "Redis: it is gone"

    with pytest.raises(ProgramNotReady, match=r"not in 0\.2 seconds; Redis: it is gone"):
        await Waiter("blue", files, told.append).wait(find_trouble)
    assert told == ["blue is not ready yet: Redis: it is gone"]


async def test_a_program_that_keeps_dying_is_given_up_with_its_last_words(
    files: ProgramFiles,
) -> None:
    async def find_trouble() -> str | None:
        files.record(
            "blue", Observed(PROGRAM.revision, pid=None, restarts=3, last_exit="exit code 3")
        )
        return "no connection"

    with pytest.raises(ProgramNotReady, match="it ended with exit code 3"):
        await Waiter("blue", files, lambda _: None).wait(find_trouble)


async def test_what_ran_before_a_change_does_not_count(
    files: ProgramFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(awaiting, "READY_SECONDS", 0.1)
    files.want("blue", Program(["sleep", "2"], "log", 1.0))

    async def find_trouble() -> str | None:
        return None

    with pytest.raises(ProgramNotReady, match="not in"):
        await Waiter("blue", files, lambda _: None).wait(find_trouble)
