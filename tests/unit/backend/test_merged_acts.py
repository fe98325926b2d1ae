"""Messages about other messages, put back into a log after a failover."""

import json

import pytest
from msgspec import UNSET

from isshoni.backend.live.log_merge import merge_lost, read_log
from isshoni.session.chat_content import About, ChatFile
from isshoni.session.conversation import Conversation
from isshoni.session.errors import ProtocolError
from isshoni.session.from_server import ChatEvent, parse_from_server
from isshoni.session.messages import ChatEnvelope, encode_envelope, event_frame
from isshoni.session.recovery import LogMac, LostEntry
from tests.support.fake_store import FakeServer, FakeSessionStore

MACS = LogMac("secret of the tests")


def envelope(client_id: str, n: int, text: str, about: About | None = None) -> bytes:
    return encode_envelope(ChatEnvelope(client_id, n, text, at=1, about=about or UNSET))


def recall(seq: int, payload: bytes) -> LostEntry:
    """Return the entry that a client hands back: its event went through JSON there."""
    event = event_frame(seq, payload, MACS.sign("s", "e", seq, payload))
    again = json.dumps(json.loads(event), ensure_ascii=False, separators=(",", ":"))
    return MACS.verify("s", "e", again.encode())


@pytest.mark.spec("A4")
async def test_a_merge_keeps_acts_once_and_readers_apply_them_at_their_new_places() -> None:
    store = FakeSessionStore(FakeServer())
    head = await store.open_session("s", epoch="e")
    react, edit = About("react", "ann", 1), About("edit", "ann", 1)
    await store.append_chat("s", "cyd", 1, envelope("cyd", 1, "after the loss"))
    await store.append_chat("s", "bob", 1, envelope("bob", 1, "👍", react))
    lost = [
        recall(1, envelope("ann", 1, "hello")),
        recall(2, envelope("ann", 2, "hallo", edit)),
        recall(3, envelope("bob", 1, "👍", react)),
        # Another life of bob's: the same number and text, about another message.
        recall(4, envelope("bob", 1, "👍", About("react", "cyd", 1))),
    ]
    assert (await merge_lost(store, "s", head.epoch, lost)).count == 3
    assert (await merge_lost(store, "s", head.epoch, lost)).count == 0
    log = await read_log(store, "s", after=0)
    conversation = Conversation()
    for seq, entry in log.items():
        event = parse_from_server(event_frame(seq, entry.envelope))
        assert isinstance(event, ChatEvent)
        conversation.add([event])
    shown = {message.text: list(message.reactions) for message in conversation.messages}
    assert shown == {"after the loss": ["👍"], "hallo": ["👍"]}


def test_a_recalled_event_whose_about_was_changed_is_refused() -> None:
    payload = encode_envelope(ChatEnvelope("a", 1, "x", 1, files=(ChatFile("f1", "a.pdf", "", 9),)))
    event = event_frame(1, payload, MACS.sign("s", "e", 1, payload))
    MACS.verify("s", "e", event)
    with pytest.raises(ProtocolError, match="MAC"):
        MACS.verify("s", "e", event.replace(b"f1", b"f2"))
