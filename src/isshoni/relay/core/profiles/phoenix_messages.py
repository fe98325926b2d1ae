"""The messages of Phoenix channels, serializer 2.0: text as JSON, or binary."""

from dataclasses import dataclass

import msgspec

from isshoni.relay.core.frames import TEXT
from isshoni.relay.core.messages import Message

_decoder = msgspec.json.Decoder(tuple[str | None, str | None, str, str, msgspec.Raw])
_reply = msgspec.json.Decoder(dict[str, msgspec.Raw])
_PUSH, _REPLY, _BROADCAST = 0, 1, 2


@dataclass(frozen=True, slots=True)
class ChannelMessage:
    """A message of a client or a program, without its content."""

    join_ref: str | None
    ref: str | None
    topic: str
    event: str
    is_ok: bool = True
    """False for a reply whose status is another than `ok`."""


def parse_client(message: Message) -> ChannelMessage | None:
    """Return the message of a client; None if it is none that can be read."""
    if message.opcode == TEXT:
        return _parse_text(message.payload)
    fields = _cut(message.payload, 4, _PUSH)
    return ChannelMessage(fields[0], fields[1], fields[2], fields[3]) if fields else None


def parse_program(message: Message) -> ChannelMessage | None:
    """Return the message of a program; None if it is none that can be read."""
    payload = message.payload
    if message.opcode == TEXT:
        return _parse_text(payload)
    if (push := _cut(payload, 3, _PUSH)) is not None:
        return ChannelMessage(push[0], None, push[1], push[2])
    if (reply := _cut(payload, 4, _REPLY)) is not None:
        return ChannelMessage(reply[0], reply[1], reply[2], "phx_reply", reply[3] == "ok")
    if (broadcast := _cut(payload, 2, _BROADCAST)) is not None:
        return ChannelMessage(None, None, broadcast[0], broadcast[1])
    return None


def _parse_text(payload: bytes) -> ChannelMessage | None:
    try:
        join_ref, ref, topic, event, content = _decoder.decode(payload)
        if event != "phx_reply":
            return ChannelMessage(join_ref, ref, topic, event)
        status = _reply.decode(content).get("status", b"")
    except msgspec.DecodeError:
        return None
    return ChannelMessage(join_ref, ref, topic, event, bytes(status) == b'"ok"')


def _cut(payload: bytes, count: int, kind: int) -> list[str] | None:
    """Return the strings at the begin of a binary message of this kind: each size, then each."""
    if len(payload) < 1 + count or payload[0] != kind:
        return None
    fields, at = [], 1 + count
    for size in payload[1 : 1 + count]:
        fields.append(payload[at : at + size].decode("utf-8", "replace"))
        at += size
    return fields if at <= len(payload) else None
