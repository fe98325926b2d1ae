"""Deploy each peer the way that it is deployed, under its stock clients, and count what broke.

A rolling deploy starts the new process, lets the balancer send new connections to it, and ends
the old one by SIGTERM. `kill -9` ends the old one while the new one already runs. Isshoni is
deployed by its own command, under the clients of `isshoni verify`.
"""

import asyncio
import contextlib
import json
import os
import secrets
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from benchmarks.side_by_side.comparison import Comparison, Say
from benchmarks.side_by_side.errors import Unavailable
from benchmarks.side_by_side.folder import HERE
from benchmarks.side_by_side.ledger import Ledger
from benchmarks.side_by_side.peers import ISSHONI, Peer
from benchmarks.side_by_side.programs import Bench, Server
from tests.support.installation import Installation, installation
from tests.support.valkey import find_free_port

from isshoni.environments.local.balancer_files import BalancerFiles
from isshoni.environments.local.config import LocalConfig, Ports
from isshoni.environments.local.envoy import EnvoyTraffic, find_envoy
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.model import Colour, Weights
from isshoni.verify.result import Result, read_result

How = Literal["SIGTERM", "kill -9"]
HOWS: tuple[How, ...] = ("SIGTERM", "kill -9")
CLIENTS, ROOMS, MESSAGES_PER_SECOND = 100, 10, 200
BEFORE_SECONDS = AFTER_SECONDS = 2.0
STOP_SECONDS = 15.0
START_SECONDS = 30.0


class Balancer:
    """The Envoy of Isshoni's local environment, before the two processes of a peer."""

    def __init__(self, bench: Bench, old: Server, new: Server) -> None:
        directory = bench.directory / f"balancer-{secrets.token_hex(3)}"
        self.port, admin = find_free_port(), find_free_port()
        config = LocalConfig(state_dir=directory)
        ports = Ports(public=self.port, balancer_admin=admin, blue=old.port, green=new.port)
        files = BalancerFiles(config, ports)
        files.write_bootstrap()
        files.write_slot("blue", old.peer.health)
        files.write_slot("green", new.peer.health)
        files.write_weights(Weights(blue=100, green=0))
        self._traffic = EnvoyTraffic(files, f"http://127.0.0.1:{admin}")
        options = ["--disable-hot-restart", "--concurrency", "1", "--log-level", "error"]
        command = [str(find_envoy(config)), "-c", str(files.bootstrap_path), *options]
        self._process = subprocess.Popen(command, stderr=subprocess.DEVNULL)

    def wait_until_healthy(self, colour: Colour) -> None:
        """Wait until it would send a connection to this process."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(EnvironmentFault):
                if asyncio.run(self._observe_health())[colour]:
                    return
            time.sleep(0.05)
        raise Unavailable(f"Envoy found no healthy {colour} process within {START_SECONDS} s")

    async def _observe_health(self) -> Mapping[Colour, bool]:
        return await self._traffic.observe_health()

    def send_new_connections_to_green(self) -> None:
        """Change the weights, and wait until they are applied."""
        wanted = Weights(blue=0, green=100)
        asyncio.run(self._traffic.apply_weights(wanted))
        while asyncio.run(self._verify_weights()) != wanted:
            time.sleep(0.02)

    async def _verify_weights(self) -> Weights | None:
        return await self._traffic.verify_weights()

    def stop(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()


def deploy_peer(bench: Bench, peer: Peer, how: How) -> Ledger:
    """Deploy a peer under its stock clients."""
    with contextlib.ExitStack() as stack:
        old = _started(bench, peer, stack)
        new = Server(bench, peer, deploy=True)
        stack.callback(new.stop)
        balancer = Balancer(bench, old, new)
        stack.callback(balancer.stop)
        balancer.wait_until_healthy("blue")
        with _crowd(bench, peer, balancer.port) as crowd:
            time.sleep(BEFORE_SECONDS)
            new.wait_until_ready()
            balancer.wait_until_healthy("green")
            if how == "SIGTERM":
                balancer.send_new_connections_to_green()
            _end(old, how)
            time.sleep(AFTER_SECONDS)
            return crowd()


def _started(bench: Bench, peer: Peer, stack: contextlib.ExitStack) -> Server:
    server = Server(bench, peer, deploy=True)
    stack.callback(server.stop)
    server.wait_until_ready()
    return server


def _end(server: Server, how: How) -> None:
    if how == "SIGTERM":
        server.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.process.wait(STOP_SECONDS)
    server.stop()


@contextlib.contextmanager
def _crowd(bench: Bench, peer: Peer, port: int) -> Iterator[Callable[[], Ledger]]:
    """Run stock clients; yields what ends their sending and returns their ledger."""
    numbers = map(str, (CLIENTS, ROOMS, MESSAGES_PER_SECOND))
    address = f"127.0.0.1:{port}"
    script = str(HERE / "clients" / "crowd.mjs")
    process = subprocess.Popen(
        ["node", script, peer.client, address, secrets.token_hex(3), *numbers],
        env=os.environ | {"PEERS_MODULES": str(bench.folder.node_modules)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None and process.stdout is not None
    # A client that is never let in would keep its line, and this, for ever.
    timer = threading.Timer(STOP_SECONDS * 4, process.kill)
    timer.start()

    def read() -> dict[str, Any]:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise Unavailable(f"the clients of {peer.name} ended, or were never all connected")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def end() -> Ledger:
        assert process.stdin is not None
        process.stdin.write("stop\n")
        process.stdin.flush()
        return Ledger.of(read())

    try:
        read()
        yield end
    finally:
        timer.cancel()
        process.kill()
        process.communicate()


@dataclass(frozen=True)
class IsshoniDeploy:
    """What one deploy of Isshoni did to chat and to canvases."""

    chat: Ledger
    canvas: Ledger


def deploy_isshoni(how: How) -> IsshoniDeploy:
    """Deploy Isshoni by its own command, or kill its stable backend."""
    with installation() as platform:
        platform.up()
        if how == "kill -9":
            _wait_for_spare(platform)
        found = platform.directory / "result.json"
        deploy = ["--deploy", "v1.1"] if how == "SIGTERM" else []
        seconds = str(BEFORE_SECONDS + AFTER_SECONDS + 2)
        rate = str(MESSAGES_PER_SECOND / CLIENTS)
        run = platform.start(
            *("verify", "--clients", str(CLIENTS), "--sessions", str(ROOMS)),
            *("--seconds", seconds, "--messages-per-second", rate, "--edits-per-second", rate),
            *("--json", str(found), *deploy),
        )
        if how == "kill -9":
            _kill_stable_amid(platform)
        _, said = run.communicate(timeout=300)
        if not found.exists():
            raise Unavailable(f"isshoni verify failed: {said[-2000:]}")
        return _ledgers_of(read_result(found))


def _wait_for_spare(platform: Installation) -> None:
    """Wait until what serves after a kill runs already, as with the others."""
    log = platform.directory / "state" / "logs" / "blue.log"
    platform.wait_for("a spare is ready", lambda status: "event=spare_ready" in log.read_text())


def _kill_stable_amid(platform: Installation) -> None:
    def all_connected(status: Mapping[str, Any]) -> bool:
        seen = status["seen"]
        return bool(seen) and seen["colours"]["blue"]["connections"] >= CLIENTS

    platform.wait_for("all clients are connected", all_connected)
    time.sleep(BEFORE_SECONDS)
    os.kill(platform.pid("blue"), signal.SIGKILL)


def _ledgers_of(result: Result) -> IsshoniDeploy:
    gaps = [timeline.gap_ms for timeline in result.timelines]
    messages, edits = result.messages, result.edits
    common = (result.clients, result.gap_ms.clients_cut, gaps)
    return IsshoniDeploy(
        chat=Ledger.from_gaps(
            *common,
            messages=messages.sent,
            lost=messages.lost + messages.sent - messages.acked,
            doubled=messages.doubled,
        ),
        canvas=Ledger.from_gaps(
            *common, messages=edits.sent, lost=edits.lost + edits.sent - edits.saved, doubled=0
        ),
    )


def add_deploys(
    comparison: Comparison, bench: Bench, peers: Sequence[Peer], hows: Sequence[How], say: Say
) -> None:
    """Deploy every peer in these ways, and record the ledgers."""
    for how in hows:
        ours = [peer for peer in peers if peer.runtime == ISSHONI]
        if ours:
            with comparison.attempt(ours[0], say):
                both = deploy_isshoni(how)
                for peer in ours:
                    ledger = both.chat if peer.kind == "chat" else both.canvas
                    _record(comparison, peer, how, ledger, say)
        for peer in peers:
            if peer not in ours:
                with comparison.attempt(peer, say):
                    _record(comparison, peer, how, deploy_peer(bench, peer, how), say)


def _record(comparison: Comparison, peer: Peer, how: How, ledger: Ledger, say: Say) -> None:
    comparison.deploys.setdefault(peer.name, {})[how] = ledger.to_json()
    say(f"deploy by {how}: {peer.name}: {ledger.brief}")
