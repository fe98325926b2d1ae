"""A burst of requests to a program that keeps few new connections waiting."""

import asyncio
import shlex
import sys

from isshoni.environments.http import ask
from isshoni.environments.local.environment import LocalEnvironment
from isshoni.rollout.model import Release, Stable
from tests.support.local_environments import eventually_healthy

_SLOW = """
import socket, sys, time
door = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=1)
while True:
    client, _ = door.accept()
    client.recv(65536)
    time.sleep(0.05)
    client.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\nConnection: close\\r\\n\\r\\nok")
    client.close()
"""


async def test_what_the_kernel_turns_away_at_first_is_only_late(
    environment: LocalEnvironment,
) -> None:
    command = shlex.join([sys.executable, "-c", _SLOW]) + " {port}"
    await environment.up(Stable("blue", Release("slow", command=command, ready_path="/")))
    await eventually_healthy(environment, blue=True)
    url = environment.addresses().public

    answers = await asyncio.gather(*(ask(f"{url}/", timeout_seconds=10.0) for _ in range(8)))

    assert [answer.status for answer in answers] == [200] * 8
