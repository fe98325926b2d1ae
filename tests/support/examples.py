"""The applications in examples/: their commands, their clients, and what these must get."""

import re
import shlex
import shutil
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

from tests.support.example_crowd import (
    Crowd,
    Hears,
    Member,
    NodeCrowd,
    Plain,
    PlainCrowd,
    Size,
    hears_all,
    hears_itself,
    hears_room,
)
from tests.support.foreign_clients import FRONTEND

FOLDER = Path(__file__).parents[2] / "examples"
Connect = Callable[[str, Size], AbstractAsyncContextManager[Crowd]]
"""Connects the clients of an application to an address: so many of them."""


@dataclass(frozen=True)
class Example:
    """An application, and what its clients see of it."""

    connect: Connect
    hears: Hears
    needs_node: bool = False


def _plain(path: Callable[[Member], str], pack: Callable[[str], str], pattern: str) -> Connect:
    return lambda url, size: PlainCrowd(Plain(path, pack, pattern), size).run(url)


def _node(kind: str) -> Connect:
    def run(url: str, size: Size) -> AbstractAsyncContextManager[Crowd]:
        return NodeCrowd.run(kind, url if kind == "socket.io" else _to_ws(url), size)

    return run


def _to_ws(url: str) -> str:
    return url.replace("http", "ws", 1)


EXAMPLES = {
    "fastapi-chat": Example(
        _plain(lambda member: f"/ws/{member.name[1:]}", str, r"says: (m\d+:\d+)"), hears_all
    ),
    "starlette": Example(_plain(lambda member: "/ws", str, r"was: (m\d+:\d+)"), hears_itself),
    "channels": Example(
        _plain(
            lambda member: f"/ws/chat/{member.room}/",
            lambda text: f'{{"message": "{text}"}}',
            r'"(m\d+:\d+)"',
        ),
        hears_room,
    ),
    "python-socketio": Example(_node("socket.io"), hears_all, needs_node=True),
    "socketio-node": Example(_node("socket.io"), hears_all, needs_node=True),
    "y-websocket": Example(_node("y-websocket"), hears_room, needs_node=True),
    "hocuspocus": Example(_node("hocuspocus"), hears_room, needs_node=True),
    "ws-node": Example(
        _plain(lambda member: "/", str, r"^(m\d+:\d+)$"), hears_all, needs_node=True
    ),
}


def read_commands(name: str) -> dict[str, list[str]]:
    """Return the words of the `isshoni` commands of an example's README, by verb."""
    lines = (FOLDER / name / "README.md").read_text().splitlines()
    commands = [shlex.split(line) for line in lines if re.match(r" {4}isshoni ", line)]
    return {words[1]: words[1:] for words in commands}


def copy_example(name: str, directory: Path) -> None:
    """Copy an application into a directory, with its npm packages beside it."""
    shutil.copytree(FOLDER / name, directory, dirs_exist_ok=True)
    if (directory / "package.json").exists():
        (directory / "node_modules").symlink_to(FRONTEND / "node_modules")


def find_path(path: str) -> str:
    """Return a PATH on which the installed Python programs come first."""
    return f"{Path(sys.executable).parent}:{path}"
