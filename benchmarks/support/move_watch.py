"""Watch a slot while sessions move to it: its CPU, and how many clients arrive in a second."""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import msgspec

COLOURS = ("blue", "green")
LOOK_SECONDS = 0.1
WINDOW_SECONDS = 1.0
_TIMEOUT_SECONDS = 2.0


@dataclass(frozen=True)
class Look:
    """What both slots reported at one moment of a move."""

    at: float
    to: str
    asked: int
    """Clients of this order that were asked to move so far."""
    opened: int
    """Connections that the receiving slot has accepted so far, those of probes included."""
    probes: int
    """Connections of probes that are open there."""
    cpu_pct: float


class MoveWatch:
    """Reads the status of both slots ten times a second, in a thread, while sessions move."""

    def __init__(self, state_dir: Path) -> None:
        ports = msgspec.json.decode((state_dir / "ports.json").read_bytes())
        token = msgspec.json.decode((state_dir / "secrets.json").read_bytes())["admin_token"]
        self._urls = {
            colour: f"http://127.0.0.1:{ports[f'{colour}_admin']}/admin/status"
            for colour in COLOURS
        }
        self._client = httpx.Client(
            headers={"Authorization": f"Bearer {token}"}, timeout=_TIMEOUT_SECONDS
        )
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.moves: list[list[Look]] = []
        """The looks at each order, oldest first."""

    def __enter__(self) -> "MoveWatch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._client.close()

    def _watch(self) -> None:
        order: tuple[str, float] | None = None
        while not self._ended.wait(LOOK_SECONDS):
            seen = {colour: self._read(colour) for colour in COLOURS}
            found = find_move(seen)
            if found is None:
                order = None
                continue
            look, share = found
            if order != (look.to, share):
                order = look.to, share
                self.moves.append([])
            self.moves[-1].append(look)

    def _read(self, colour: str) -> Mapping[str, Any] | None:
        try:
            answer = self._client.get(self._urls[colour])
            status: dict[str, Any] = msgspec.json.decode(answer.content)
        except (httpx.HTTPError, msgspec.DecodeError):
            return None
        return status


def find_move(seen: Mapping[str, Mapping[str, Any] | None]) -> tuple[Look, float] | None:
    """Return a look at the move that is not over, with its share; None if no session moves."""
    for status in seen.values():
        move = status and status["migration"]
        if not status or not move or move["done"]:
            continue
        to = seen.get(move["to"])
        if to is None:
            return None
        counters, gauges = to["counters"], to["gauges"]
        return Look(
            status["uptime_seconds"],
            move["to"],
            move["told"],
            counters["connections_opened"],
            gauges.get("probe_connections", 0),
            gauges["cpu_pct"],
        ), move["share_pct"]
    return None


def find_busiest(moves: Iterable[list[Look]], name: str) -> float:
    """Return the most that a counter grew in one second of any move."""
    most = 0.0
    for looks in moves:
        for number, first in enumerate(looks):
            within = [it for it in looks[number:] if it.at - first.at <= WINDOW_SECONDS]
            most = max(most, getattr(within[-1], name) - getattr(first, name))
    return most


def find_peak_cpu(moves: Iterable[list[Look]]) -> float:
    """Return the greatest CPU of a receiving slot, in percent of one core."""
    return max((look.cpu_pct for looks in moves for look in looks), default=0.0)
