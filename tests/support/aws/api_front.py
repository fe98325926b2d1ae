"""A front of the API server: passes everything on, but says the truth where moto lies.

moto calls every registered target healthy from the first moment, knows no draining, and
keeps the targets of instances that are gone. Here `DescribeTargetHealth` is answered by what
the balancer's health checks say, and a call about tasks by what runs on the machines. Faults
can be ordered, to be met as AWS has them.
"""

import asyncio
import contextlib
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol
from urllib.parse import parse_qs

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_CHANGES = (
    "Modify", "Create", "Delete", "Update", "Register", "Deregister", "Set", "Terminate",
    "Complete",
)  # fmt: skip
_JSON = "application/x-amz-json-1.1"
_METHODS = ["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH"]
_HOP_HEADERS = {"connection", "content-length", "content-encoding", "transfer-encoding", "host"}


class Front(Protocol):
    """Answers the requests of the API at a URL of its own."""

    url: str

    async def answer(self, request: Request) -> Response: ...


@dataclass
class Fault:
    """An answer instead of the server's, for some calls of one operation."""

    operation: str
    code: str
    status: int = 400
    times: int = 1


@dataclass
class ApiFront:
    """The API as an engine of the tests meets it."""

    upstream: str
    describe_targets: Callable[[str], Mapping[str, tuple[str, str]]]
    """For a target group, the state of each target and why, by instance."""
    follow: Callable[[], None]
    """Makes what is there equal to what the server was told."""
    answer_ecs: Callable[[str, Mapping[str, Any]], Mapping[str, Any] | None] = lambda *_: None
    """Answers a call about tasks and container instances; None: it is the server's."""
    faults: list[Fault] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    """Operations, as they came."""
    url: str = ""

    @cached_property
    def client(self) -> httpx.AsyncClient:
        """Make the client, in the loop that serves."""
        return httpx.AsyncClient(trust_env=False, timeout=60.0)

    async def answer(self, request: Request) -> Response:
        body = await request.body()
        operation = name_operation(request, body)
        self.calls.append(operation)
        if fault := self._find_fault(operation):
            return _refuse(fault, is_json="x-amz-target" in request.headers)
        if operation == "DescribeTargetHealth":
            group = parse_qs(body.decode())["TargetGroupArn"][0]
            return _tell_targets(self.describe_targets(group))
        passed = self._find_task_answer(request, operation, body)
        passed = passed or await self._pass_on(request, body)
        if operation.startswith(_CHANGES):
            # In force when the answer comes; an ALB itself takes a second or so longer.
            await asyncio.to_thread(self.follow)
        return passed

    def _find_fault(self, operation: str) -> Fault | None:
        fault = next((f for f in self.faults if f.operation in ("*", operation)), None)
        if fault is not None:
            fault.times -= 1
            if fault.times <= 0:
                self.faults.remove(fault)
        return fault

    def _find_task_answer(self, request: Request, operation: str, body: bytes) -> Response | None:
        if "EC2ContainerService" not in request.headers.get("x-amz-target", ""):
            return None
        answer = self.answer_ecs(operation, json.loads(body))
        return None if answer is None else Response(json.dumps(answer), media_type=_JSON)

    async def _pass_on(self, request: Request, body: bytes) -> Response:
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        headers = {n: v for n, v in request.headers.items() if n not in _HOP_HEADERS}
        answer = await self.client.request(
            request.method, self.upstream + path, content=body, headers=headers
        )
        kept = {n: v for n, v in answer.headers.items() if n not in _HOP_HEADERS}
        return Response(answer.content, answer.status_code, kept)


def name_operation(request: Request, body: bytes) -> str:
    target = request.headers.get("x-amz-target", "")
    if target:
        return target.rpartition(".")[2]
    match = re.search(rb"(?:^|&)Action=(\w+)", body)
    return match[1].decode() if match else ""


def _refuse(fault: Fault, *, is_json: bool) -> Response:
    if is_json:
        words = f'{{"__type": "{fault.code}", "message": "as the test ordered"}}'
        return Response(words, fault.status, media_type="application/x-amz-json-1.0")
    words = (
        f"<ErrorResponse><Error><Code>{fault.code}</Code>"
        "<Message>as the test ordered</Message></Error></ErrorResponse>"
    )
    return Response(words, fault.status, media_type="text/xml")


def _tell_targets(states: Mapping[str, tuple[str, str]]) -> Response:
    members = "".join(
        f"<member><Target><Id>{id}</Id></Target><TargetHealth><State>{state}</State>"
        f"<Description>{why}</Description></TargetHealth></member>"
        for id, (state, why) in states.items()
    )
    return Response(
        "<DescribeTargetHealthResponse><DescribeTargetHealthResult><TargetHealthDescriptions>"
        f"{members}</TargetHealthDescriptions></DescribeTargetHealthResult>"
        "</DescribeTargetHealthResponse>",
        media_type="text/xml",
    )


@contextlib.contextmanager
def serve(front: Front) -> Iterator[None]:
    """Serve it in a thread of its own."""
    app = Starlette(routes=[Route("/{path:path}", front.answer, methods=_METHODS)])
    config = uvicorn.Config(app, log_level="warning", lifespan="off", ws="none")
    server = uvicorn.Server(config)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        front.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])))
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield
        finally:
            server.should_exit = True
            thread.join()
