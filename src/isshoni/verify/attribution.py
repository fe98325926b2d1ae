"""Which part was at fault for a long cut (spec E3).

While any client is cut, a prober asks the same address for the same session as a
new client would. What it meets tells the parts apart: a prober that is served
while a client stays away means that the client is slow; where nothing can be
concluded, the answer is `unknown`, never a guess.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from isshoni.verify.gaps import Cut

GOING_AWAY = (1001, 1012)
SLOW_SECONDS = 5.0
"""A client that stays away longer than this, once it could be served, is slow itself."""


class Part(StrEnum):
    """A part of the platform that can keep clients out."""

    DRAIN = "load balancer drain"
    BALANCER = "load balancer"
    BACKEND = "backend"
    REDIS = "Redis"
    RECONNECT = "reconnect logic"
    UNKNOWN = "unknown"


class ProbeOutcome(StrEnum):
    """What a prober met."""

    RESTORED = "restored"
    REFUSED = "connection refused"
    TURNED_AWAY = "turned away by HTTP"
    CLOSED = "closed before it was restored"
    SILENT = "opened, but no answer came"
    NOT_READY = "answered that the session cannot be restored"


_BLAME = {
    ProbeOutcome.REFUSED: Part.BALANCER,
    ProbeOutcome.TURNED_AWAY: Part.BALANCER,
    ProbeOutcome.CLOSED: Part.BACKEND,
    ProbeOutcome.SILENT: Part.BACKEND,
    ProbeOutcome.NOT_READY: Part.REDIS,
}


@dataclass(frozen=True)
class Probe:
    """One try of the prober."""

    at: float
    outcome: ProbeOutcome
    detail: str = ""


def attribute(cut: Cut, probes: Sequence[Probe]) -> Part:
    """Name the part at fault for `cut`."""
    during = _during(cut, probes)
    served = [probe.at for probe in during if probe.outcome is ProbeOutcome.RESTORED]
    if served and cut.ended_at - served[0] > SLOW_SECONDS:
        return Part.RECONNECT
    blamed = [_BLAME[probe.outcome] for probe in during if probe.outcome in _BLAME]
    if not blamed:
        return Part.UNKNOWN
    part = max(sorted(set(blamed)), key=blamed.count)
    if part is Part.BALANCER and cut.close_code in GOING_AWAY:
        # The old backend closed its connections while no other backend could accept them.
        return Part.DRAIN
    return part


def explain(cut: Cut, probes: Sequence[Probe], part: Part) -> str:
    """Describe in a sentence what a client and the prober met during `cut`."""
    code = "no close frame" if cut.close_code in (None, 1006) else f"close code {cut.close_code}"
    back = "" if cut.ended else ", never came back"
    met = sorted({_say(probe) for probe in _during(cut, probes)})
    seen = f"; a prober was {' / '.join(met)}" if met else "; no prober ran"
    return f"at fault: {part} ({code}{back}{seen})"


def _during(cut: Cut, probes: Sequence[Probe]) -> list[Probe]:
    return [probe for probe in probes if cut.began_at <= probe.at <= cut.ended_at]


def _say(probe: Probe) -> str:
    return f"{probe.outcome}, {probe.detail}" if probe.detail else str(probe.outcome)
