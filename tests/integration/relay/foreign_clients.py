"""Processes with stock clients in them that chat, and what each of them has got."""

import asyncio
import contextlib
import json
import os
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

from tests.support.foreign_clients import FRONTEND

Report = list[dict[str, Any]]
"""What each client has sent and got."""


def has_package(name: str) -> bool:
    """True if this machine can run an npm package."""
    return bool(shutil.which("node")) and (FRONTEND / "node_modules" / name).is_dir()


class Clients:
    """A process with stock clients in it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    @contextlib.asynccontextmanager
    async def run(
        cls, *command: str, folder: Path = FRONTEND, settings: Mapping[str, str] | None = None
    ) -> AsyncIterator["Clients"]:
        """Run the command with these settings in its environment."""
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=folder,
            env={**os.environ, **(settings or {})},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=1 << 26,
        )
        try:
            yield cls(process)
        finally:
            process.kill()
            await process.wait()

    def order(self, line: str) -> None:
        """Send an order."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())

    async def report(self) -> Report:
        """Return what each client has sent and got."""
        self.order("report")
        assert self._process.stdout is not None
        report: Report = json.loads(await asyncio.wait_for(self._process.stdout.readline(), 30))
        return report

    async def settle(self, condition: Callable[[Report], bool]) -> Report:
        """Return the report that fulfils a condition, or the last one after 30 s."""
        for _ in range(300):
            report = await self.report()
            if condition(report):
                return report
            await asyncio.sleep(0.1)
        return report


def find_wanted(report: Report, member: dict[str, Any], sent: str) -> list[str]:
    """Return every message that was sent in a member's room."""
    return [i for other in report if other["room"] == member["room"] for i in other[sent]]


def has_everything(report: Report, sent: str = "sent", got: str = "got") -> bool:
    """True if each client has as many messages as were sent in its room."""
    return all(len(m[got]) >= len(find_wanted(report, m, sent)) for m in report)


def assert_each_got_everything_once(
    report: Report, sent: str = "sent", got: str = "got", *, slack: int = 0
) -> None:
    """Fail if a message is lost or doubled, or was overtaken by more than `slack` later ones."""
    for member in report:
        wanted = Counter(find_wanted(report, member, sent))
        found: Counter[str] = Counter(member[got])
        lost, doubled = wanted - found, found - wanted
        assert not lost and not doubled, f"lost {lost}, doubled {doubled}: {member}"
        latest: dict[str, int] = {}
        for author, number in (message.split(":") for message in member[got]):
            latest[author] = max(latest.get(author, 0), int(number))
            assert int(number) >= latest[author] - slack, f"{author}:{number} is late: {member}"
