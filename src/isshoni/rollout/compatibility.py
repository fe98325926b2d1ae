"""Whether two versions can share what is stored, so that a rollback finds its data (A5)."""

from isshoni.rollout.model import Formats

FIRST = ("chat:1", "canvas:1", "snapshot:1", "seal:none")
FIRST_FORMATS = Formats(writes=FIRST, reads=FIRST)
"""What a backend that tells nothing writes and reads: it is from before they were told."""


def assess_formats(
    candidate: tuple[str, Formats | None], stable: tuple[str, Formats | None]
) -> str | None:
    """Say why two versions must not share sessions; None when they can.

    Each is a label and what its backend tells. Both ways count: people go back and forth
    between the two, and to the stable one for good when the rollout is rolled back.
    """
    for (writer, written), (reader, read) in ((candidate, stable), (stable, candidate)):
        unread = _find_unread(written or FIRST_FORMATS, read or FIRST_FORMATS)
        if unread:
            return (
                f"{writer} writes what {reader} cannot read: {', '.join(unread)}. Deploy a "
                "version that reads it and does not write it first (a key goes behind `none,` "
                "or behind the present one), or use --force, and some of what is written "
                f"meanwhile stays hidden on {reader}"
            )
    return None


def _find_unread(writer: Formats, reader: Formats) -> list[str]:
    return sorted(set(writer.writes) - set(reader.reads))
