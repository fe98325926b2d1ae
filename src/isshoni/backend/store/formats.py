"""In which forms this version writes and reads what is stored (spec A5).

A form is named `what:version`. What a version adds to a form that older ones can keep
untouched (a new field of the envelope) does not change its number; what they cannot read
does. Everything without a header is of version 1; see `vault.py` for the header.
"""

import msgspec

from isshoni.backend.security.vault import Vault
from isshoni.backend.store.ports import Entry
from isshoni.session.messages import ChatEnvelope

ENVELOPE_VERSIONS = (1,)
"""Versions (`v`) of the chat envelope that this version reads."""
_CONTENT = ("chat:1", "canvas:1", "snapshot:1")


class Formats(msgspec.Struct, frozen=True):
    """The stored formats of a version, which the engine compares with another's."""

    writes: tuple[str, ...]
    reads: tuple[str, ...]


def describe_formats(vault: Vault) -> Formats:
    """Name every form that this version writes and reads with these keys."""
    return Formats((*_CONTENT, vault.writes), (*_CONTENT, *vault.reads))


class _Version(msgspec.Struct):
    v: int = 1


_version_decoder = msgspec.json.Decoder(_Version)
_envelope_decoder = msgspec.json.Decoder(ChatEnvelope)


def find_envelope_fault(entry: Entry) -> str | None:
    """Return why this version cannot read a chat entry; None if it can.

    An entry that is no JSON object would break every frame that it is spliced into.
    """
    if entry.fault is not None:
        return entry.fault
    try:
        if _envelope_decoder.decode(entry.payload).v in ENVELOPE_VERSIONS:
            return None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        pass  # what is wrong with it is of no use if it has another version
    return _describe_fault(entry.payload)


def _describe_fault(payload: bytes) -> str:
    try:
        version = _version_decoder.decode(payload).v
        if version not in ENVELOPE_VERSIONS:
            return f"its form, chat:{version}, is not known here"
        _envelope_decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as fault:
        return f"it is no chat envelope: {fault}"
    raise AssertionError("the envelope has no fault")
