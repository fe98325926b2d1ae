"""Check that two versions can read each other's stored data, as a rollback needs (A5)."""

from isshoni.rollout.model import BackendStatus, Formats

FIRST = ("chat:1", "canvas:1", "snapshot:1", "seal:none")
FIRST_FORMATS = Formats(writes=FIRST, reads=FIRST)
"""The formats of a backend that reports none: it is of an early version."""


def assess_formats(
    candidate: tuple[str, Formats | None], stable: tuple[str, Formats | None]
) -> str | None:
    """Return why two versions must not share sessions; None if they can.

    Each is a label and the formats its backend reports. Both directions count: clients move
    between the two, and all return to stable when the rollout is rolled back.
    """
    for (writer, written), (reader, read) in ((candidate, stable), (stable, candidate)):
        unread = _find_unread(written or FIRST_FORMATS, read or FIRST_FORMATS)
        if unread:
            return (
                f"{writer} writes what {reader} cannot read: {', '.join(unread)}. Deploy a "
                "version that reads it and does not write it first (a key goes behind `none,` "
                "or behind the present one), or use --force, and some of what is written "
                f"in that time stays hidden on {reader}"
            )
    return None


def assess_protocol(
    candidate: tuple[str, BackendStatus | None], stable: tuple[str, BackendStatus | None]
) -> str | None:
    """Return why the protocols of stable, candidate or probes do not match; None if they do.

    Probes with another protocol can only request pages, and a candidate that was hardly
    tested would count as good.
    """
    (label, mine), (other_label, theirs) = candidate, stable
    if mine is None or mine.protocol is None:
        return None  # a program with a protocol of its own, or one that does not answer
    spoken = theirs.protocol if theirs else None
    if spoken is not None and spoken != mine.protocol:
        return (
            f"{label} speaks version {mine.protocol} of the wire protocol and {other_label} "
            f"version {spoken}: clients of one cannot move to the other. Deploy a version that "
            "speaks both first, or use --force, and every client must load the page again"
        )
    if not mine.speaks_isshoni:
        return (
            f"{label} speaks version {mine.protocol} of the wire protocol, which the probes of "
            "this Isshoni do not: they could not test its sessions. Deploy it with an Isshoni "
            "of that version, or use --force, and only its pages are tested"
        )
    return None


def _find_unread(writer: Formats, reader: Formats) -> list[str]:
    return sorted(set(writer.writes) - set(reader.reads))
