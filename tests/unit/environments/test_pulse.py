"""Whether a program answers, and for how long it has not."""

import socket
from collections.abc import Callable, Iterator

import pytest

from isshoni.environments.local.pulse import Pulse, make_pulse


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(10)
        yield listening


class Clock:
    def __init__(self, pulse: Pulse) -> None:
        self.now = 100.0
        self._pulse = pulse

    def pass_by(self, seconds: float, step: float = 0.5) -> None:
        for _ in range(round(seconds / step)):
            self.now += step
            self._pulse.turn(self.now)

    def turn_until(self, condition: Callable[[], bool]) -> None:
        for _ in range(100_000):
            if condition():
                return
            self.now += 0.00001
            self._pulse.turn(self.now)
        raise AssertionError("in vain")


def open_pulse(server: socket.socket, scheme: str = "http") -> tuple[Pulse, Clock]:
    pulse = make_pulse(f"{scheme}://127.0.0.1:{server.getsockname()[1]}/healthz")
    return pulse, Clock(pulse)


@pytest.mark.parametrize("answer", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 503 No\r\n\r\n"])
def test_any_answer_is_a_sign_of_life(server: socket.socket, answer: bytes) -> None:
    pulse, clock = open_pulse(server)
    clock.pass_by(4.0)
    assert not pulse.answered
    accepted, _ = server.accept()
    clock.turn_until(lambda: pulse.silent_seconds > 0 or pulse.answered)
    with accepted:
        accepted.settimeout(10)
        assert accepted.recv(1000).startswith(b"GET /healthz HTTP/1.1\r\n")
        accepted.sendall(answer)
        clock.turn_until(lambda: pulse.answered)
    assert pulse.silent_seconds == 0
    pulse.close()


def test_a_program_that_starts_late_is_soon_known_to_answer(server: socket.socket) -> None:
    port = server.getsockname()[1]
    server.close()
    pulse = make_pulse(f"http://127.0.0.1:{port}/healthz")
    clock = Clock(pulse)
    clock.pass_by(0.2, step=0.1)
    with socket.create_server(("127.0.0.1", port)) as late:
        late.settimeout(10)
        clock.pass_by(0.6, step=0.1)
        accepted, _ = late.accept()
        with accepted:
            accepted.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            clock.turn_until(lambda: pulse.answered)
    pulse.close()


def test_silence_is_measured_whether_it_accepts_or_refuses(server: socket.socket) -> None:
    silent, clock = open_pulse(server)
    clock.pass_by(31.0)
    assert silent.silent_seconds >= 30
    silent.close()
    server.close()
    clock.pass_by(10.0)
    assert silent.silent_seconds >= 40
    silent.close()


def test_a_frozen_machine_is_not_taken_for_a_silent_program(server: socket.socket) -> None:
    pulse, clock = open_pulse(server)
    clock.pass_by(2.0)
    clock.now += 3600
    clock.pass_by(1.0)
    assert pulse.silent_seconds < 5
    pulse.close()


def test_redis_is_checked_with_its_own_protocol() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        pulse = make_pulse(f"redis://127.0.0.1:{server.getsockname()[1]}")
        clock = Clock(pulse)
        clock.pass_by(3.0)
        accepted, _ = server.accept()
        with accepted:
            accepted.settimeout(10)
            assert accepted.recv(100) == b"PING\r\n"
            accepted.sendall(b"-NOAUTH Authentication required.\r\n")
            clock.turn_until(lambda: pulse.answered)
        pulse.close()
