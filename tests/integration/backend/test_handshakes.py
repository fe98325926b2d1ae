"""Handshakes over a bare socket: what the balancer takes is taken, every refusal is answered,
logged and counted."""

import socket
from collections.abc import Mapping

import pytest

from tests.support.backend import BackendProcess

ANSWER_SECONDS = 30.0
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
UPGRADE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": KEY,
}
COOKIES = {"Cookie": "; ".join(f"sso_{number}={'x' * 4000}" for number in range(3))}
LARGEST = {"Cookie": "c=" + "x" * 60_000}


def make_head(path: str, headers: Mapping[str, str], method: str = "GET") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: here", *(f"{n}: {v}" for n, v in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def make_handshake(
    backend: BackendProcess, path: str = "/ws/s", method: str = "GET", **changed: str | None
) -> bytes:
    named = {name.replace("_", "-"): value for name, value in changed.items()}
    headers = {n: v for n, v in (UPGRADE | named).items() if v is not None}
    return make_head(path, headers, method)


def ask(backend: BackendProcess, head: bytes) -> bytes:
    """Send bytes and return the head of the answer, with what came with it."""
    with socket.create_connection(("127.0.0.1", backend.port), timeout=ANSWER_SECONDS) as peer:
        peer.sendall(head)
        answer = b""
        while b"\r\n\r\n" not in answer:
            part = peer.recv(65_536)
            assert part, f"closed after {answer!r}"
            answer += part
        return answer


def read_status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def refusals(backend: BackendProcess) -> dict[str, int]:
    counters: dict[str, int] = backend.status()["counters"]
    return {name: count for name, count in counters.items() if name.startswith("refused_")}


def check_refusal(
    backend: BackendProcess, head: bytes, status: int, counter: str, why: str
) -> None:
    before, logged = refusals(backend), len(backend.log)
    answer = ask(backend, head)
    assert read_status(answer) == status, answer
    backend.wait_until(lambda: refusals(backend) == before | {counter: before[counter] + 1})
    backend.wait_until(lambda: why in backend.log[logged:])
    assert "event=refused" in backend.log[logged:]


@pytest.mark.parametrize("cookies", [COOKIES, LARGEST], ids=["three cookies", "60 kB"])
def test_what_the_balancer_takes_is_taken(backend: BackendProcess, cookies: dict[str, str]) -> None:
    before = refusals(backend)
    assert read_status(ask(backend, make_handshake(backend, **cookies))) == 101
    assert read_status(ask(backend, make_head("/healthz", cookies))) == 200
    assert refusals(backend) == before


def test_a_head_that_is_too_large_is_answered(backend: BackendProcess) -> None:
    huge = {"Cookie": "c=" + "secret" * 11_000}
    for head in (make_handshake(backend, **huge), make_head("/", huge)):
        check_refusal(backend, head, 431, "refused_headers", "cookie has 66002")
    assert "secretsecret" not in backend.log


def test_a_head_without_end_is_answered(backend: BackendProcess) -> None:
    endless = make_handshake(backend)[:-2] + b"X-More: " + b"x" * 200_000
    check_refusal(backend, endless, 431, "refused_headers", "longer than 65536")


def test_too_many_headers_are_answered(backend: BackendProcess) -> None:
    many = {f"X_{number}": "x" for number in range(200)}
    head = make_handshake(backend, **many)
    check_refusal(backend, head, 431, "refused_headers", "no more than 128 headers")


def test_what_is_no_handshake_is_answered(backend: BackendProcess) -> None:
    body = make_handshake(backend, Content_Length="3") + b"abc"
    for head, status, why in (
        (make_handshake(backend, Sec_WebSocket_Key=None), 400, "Sec-WebSocket-Key"),
        (make_handshake(backend, Sec_WebSocket_Key="short"), 400, "Sec-WebSocket-Key"),
        (make_handshake(backend, Sec_WebSocket_Version="8"), 400, "Sec-WebSocket-Version"),
        (body, 400, "unsupported request body"),
        (make_handshake(backend, Transfer_Encoding="chunked"), 400, "transfer codings"),
        (b"garbage\r\n\r\n", 400, "Invalid HTTP request"),
        (make_handshake(backend, path="/ws/\xe9"), 400, ""),
    ):
        check_refusal(backend, head, status, "refused_handshake", why)


def test_a_page_of_another_origin_is_told_to_the_operator(backend: BackendProcess) -> None:
    head = make_handshake(backend, Origin="https://evil.example")
    check_refusal(backend, head, 403, "refused_origin", "https://evil.example")


def test_a_handshake_elsewhere_is_told_to_the_operator(backend: BackendProcess) -> None:
    head = make_handshake(backend, path="/elsewhere")
    check_refusal(backend, head, 403, "refused_path", "path=/elsewhere")


def test_an_impossible_session_is_counted(backend: BackendProcess) -> None:
    head = make_handshake(backend, path="/ws/" + "x" * 65)
    check_refusal(backend, head, 101, "refused_session_id", "session id is invalid")


def test_a_refused_connection_is_let_go(backend: BackendProcess) -> None:
    """The answer is followed by the end, and what is still sent is not held against it."""
    with socket.create_connection(("127.0.0.1", backend.port), timeout=ANSWER_SECONDS) as peer:
        peer.sendall(make_handshake(backend, Cookie="x" * 70_000))
        answer = b""
        while part := peer.recv(65_536):
            answer += part
    assert read_status(answer) == 431
    assert answer.endswith(b"cookie has 70000\n")


def test_the_admin_port_answers_too(backend: BackendProcess) -> None:
    with socket.create_connection(
        ("127.0.0.1", backend.admin_port), timeout=ANSWER_SECONDS
    ) as peer:
        peer.sendall(make_head("/admin/status", {"X-Large": "x" * 70_000}))
        assert read_status(peer.recv(65_536)) == 431
