"""A pycrdt-websocket server as an application to deploy, under y-websocket's clients."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path

from tests.support.example_crowd import Crowd, NodeCrowd, Size, hears_room
from tests.support.examples import Example

REPOSITORY = Path(__file__).parents[2]
PROGRAM = "uvicorn tests.support.pycrdt_server:app --port {port}"


def _connect(url: str, size: Size) -> AbstractAsyncContextManager[Crowd]:
    return NodeCrowd.run("y-websocket", f"{url.replace('http', 'ws', 1)}/ws", size)


PYCRDT = Example(_connect, hears_room, needs_node=True)


def pycrdt_commands() -> dict[str, list[str]]:
    """Return the words of its `isshoni` commands, by verb."""
    options = ["--command", PROGRAM, "--cwd", str(REPOSITORY), "--ready-path", "/"]
    return {"up": ["up", "v1", *options], "deploy": ["deploy", "v2", *options]}
