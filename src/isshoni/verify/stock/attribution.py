"""Find the part at fault for a long cut, from what the client's attempts met."""

from collections.abc import Sequence

from isshoni.verify.attribution import SLOW_SECONDS, Part, Probe, ProbeOutcome
from isshoni.verify.gaps import Cut


def attribute_stock(cut: Cut, attempts: Sequence[Probe]) -> tuple[Part, str]:
    """Return the part at fault for a cut and a sentence; `unknown` where nothing was seen."""
    during = [probe for probe in attempts if cut.began_at <= probe.at <= cut.ended_at]
    refused = sum(probe.outcome is ProbeOutcome.REFUSED for probe in during)
    answered = [probe for probe in during if probe.outcome is not ProbeOutcome.REFUSED]
    last = during[-1].at if during else cut.began_at
    if cut.ended_at - last > SLOW_SECONDS and (during or cut.ended):
        part, why = Part.RECONNECT, f"it did not try for {cut.ended_at - last:.1f} s at the end"
    elif refused > len(answered):
        part, why = Part.BALANCER, f"nothing listened at the address in {refused} attempt(s)"
    elif answered:
        part, why = (
            Part.BALANCER,
            f"{len(answered)} attempt(s) got {answered[-1].detail}",
        )
    else:
        part, why = Part.UNKNOWN, "no attempt of it failed"
    code = "no close frame" if cut.close_code in (None, 1006) else f"close code {cut.close_code}"
    back = "" if cut.ended else ", never came back"
    return part, f"at fault: {part} ({code}{back}; {why})"
