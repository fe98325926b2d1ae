"""Commands that the dashboard starts in processes of their own."""

import asyncio
import sys
from pathlib import Path

import pytest

from isshoni.dashboard.commands import ProcessCommands, Started
from isshoni.engine.errors import NothingToDo

SCRIPT = """
import os, sys
print(sys.argv[1:], os.environ.get("ISSHONI_ASKED_BY"))
if "--json" in sys.argv:
    sys.exit()
print("no such ref", file=sys.stderr)
sys.exit(int(os.environ["CODE"]))
"""


def make(directory: Path, script: str = SCRIPT, code: int = 7) -> ProcessCommands:
    file = directory / "command.py"
    file.write_text(script)
    prefix = [sys.executable, str(file)]
    return ProcessCommands(prefix, ["-e", "local"], directory / "logs", {"CODE": str(code)})


async def wait_for_end(commands: ProcessCommands) -> Started:
    async with asyncio.timeout(30):
        while commands.last is None or commands.last.exit_code is None:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return commands.last


async def test_a_command_runs_without_a_shell_and_its_end_is_known(tmp_path: Path) -> None:
    commands = make(tmp_path)
    assert commands.last is None
    await commands.start("deploy", "$(id); v2", who="ann (dashboard, from ::1)")
    ended = await wait_for_end(commands)
    assert (ended.verb, ended.arguments, ended.exit_code) == ("deploy", ("$(id); v2",), 7)
    assert ended.last_lines == (
        "['deploy', '-e', 'local', '$(id); v2'] ann (dashboard, from ::1)",
        "no such ref",
    ) or ended.last_lines == (
        "no such ref",
        "['deploy', '-e', 'local', '$(id); v2'] ann (dashboard, from ::1)",
    )
    assert "no such ref" in (tmp_path / "logs" / "deploy.log").read_text()


async def test_only_one_command_runs_at_a_time(tmp_path: Path) -> None:
    commands = make(tmp_path)
    first = asyncio.create_task(commands.start("deploy", "v2", who="ann"))
    await asyncio.sleep(0)
    with pytest.raises(NothingToDo, match="is running"):
        await commands.start("rollback", who="bob")
    await first
    await wait_for_end(commands)
    await commands.start("rollback", who="bob")
    assert (await wait_for_end(commands)).verb == "rollback"


async def test_a_command_that_cannot_be_started_is_explained(tmp_path: Path) -> None:
    commands = ProcessCommands([str(tmp_path / "none")], [], tmp_path / "logs", {})
    for _ in range(2):
        with pytest.raises(NothingToDo, match="could not be started"):
            await commands.start("deploy", "v2", who="ann")


async def test_a_dry_run_is_read_or_its_refusal_is_one_sentence(tmp_path: Path) -> None:
    plan = "import sys; print('{\"steps\": []}' if '--dry-run' in sys.argv else '')"
    assert await make(tmp_path, plan).plan("deploy", "v2") == {"steps": []}
    frame = "╭─ Error ─╮\n│ there is no ref 'x'; │\n│ the nearest is 'y' │\n╰─────╯\n"
    refusal = f"import sys; sys.stderr.write({frame!r}); sys.exit(2)"
    with pytest.raises(NothingToDo) as refused:
        await make(tmp_path, refusal).plan("deploy", "git:x")
    assert str(refused.value) == "there is no ref 'x'; the nearest is 'y'"
