"""Garbage in every form: an error for its sender, nothing for anybody else."""

import json
import os

import jwt
import pytest
from websockets.exceptions import ConnectionClosed

from tests.support.backend import TICKET_SECRET, BackendProcess, RawClient

BAD_TEXTS = {
    "bad_json": ["", "{", "[1,2]", "nul", "[" * 100_000, '{"type":"ping"', '"x"'],
    "unknown_type": ["{}", '{"type":"drop_tables"}', '{"type":null}'],
    "bad_message": [
        '{"type":"restore_session"}',
        '{"type":"restore_session","session_id":"s","client_id":"../etc"}',
        '{"type":"restore_session","session_id":"s","generation":-1}',
        '{"type":"chat","n":0,"text":"x"}',
        '{"type":"chat","n":1,"text":""}',
        '{"type":"chat","n":99999999999999999999,"text":"x"}',
    ],
    "too_large": [json.dumps({"type": "chat", "n": 1, "text": "x" * 4001})],
    "wrong_session": ['{"type":"restore_session","session_id":"another"}'],
    "not_restored": ['{"type":"chat","n":1,"text":"x"}'],
}


def _varuint(number: int) -> bytes:
    encoded = b""
    while number > 127:
        encoded += bytes([number & 127 | 128])
        number >>= 7
    return encoded + bytes([number])


def _update_frame(update: bytes) -> bytes:
    return b"\x00\x02" + _varuint(len(update)) + update


BAD_BINARIES = [
    b"",
    b"\x00",
    b"\x02\x01x",
    b"\x00\x07\x01x",
    b"\x00\x02\x05ab",
    b"\x00\x00\x02\xff\xff",
    b"\xff" * 50,
    b"\x01\x03\x01\x02\x03",
    _update_frame(b"not an update"),
    # Four thousand million clients announced in ten bytes.
    _update_frame(_varuint(2**32 - 1) + b"\x01\x01\x00"),
    # Arrays within arrays, deep enough to overflow the stack of a recursive reader.
    _update_frame(
        b"\x01\x01\x01\x00\x28\x01\x08elements\x01a\x01" + b"\x75\x01" * 200_000 + b"\x7e\x00"
    ),
]


@pytest.mark.spec("A7")
async def test_garbage_gets_an_error_and_harms_nobody(
    backend: BackendProcess, session_id: str
) -> None:
    good = await backend.join(session_id, client_id="good")
    bad = await backend.connect(session_id, max_size=None)
    for code, texts in BAD_TEXTS.items():
        for text in texts:
            await bad.connection.send(text)
            assert (await bad.next_frame())["code"] == code, text[:80]
    for frame in BAD_BINARIES:
        await bad.connection.send(frame)
        assert (await bad.read("error"))["code"] == "bad_frame", frame[:80]
    await good.chat(1)
    await good.read("ack")
    assert backend.status()["counters"]["connections_failed"] == 0
    await good.close()
    await bad.close()
    assert "Traceback" not in backend.log


@pytest.mark.spec("A7")
async def test_a_flood_of_bad_frames_is_closed_for_good(
    backend: BackendProcess, session_id: str
) -> None:
    client = await backend.connect(session_id)
    for _ in range(51):
        await client.connection.send(b"\xff" + os.urandom(20))
    assert await client.close_code() == 4400


@pytest.mark.spec("A7")
@pytest.mark.parametrize("name", ["a%20b", "x" * 65, "%00", "a.b", "a/b", "세션"])
async def test_an_impossible_session_id_is_closed_with_4404(
    backend: BackendProcess, name: str
) -> None:
    client = await backend.connect(name)
    assert await client.close_code() == 4404


@pytest.mark.spec("A7")
async def test_an_oversized_frame_is_closed_with_a_code_that_forbids_to_come_back(
    backend: BackendProcess, session_id: str
) -> None:
    before = backend.status()["counters"]["frames_too_large"]
    client = await backend.join(session_id)
    # Much more than the server's buffers hold: the close frame must reach one that still sends.
    await client.connection.send(b"x" * (24 << 20))
    assert await client.close_code() == 4413
    assert backend.status()["counters"]["frames_too_large"] == before + 1


@pytest.mark.spec("A7")
async def test_an_oversized_text_is_refused_with_words_and_what_follows_it_is_taken(
    backend: BackendProcess, session_id: str
) -> None:
    client = await backend.join(session_id)
    await client.connection.send("x" * ((1 << 20) + 1))
    assert (await client.read("error"))["code"] == "too_large"
    await client.chat(1)
    assert (await client.read("ack"))["n"] == 1
    await client.close()


def _ticket(session_id: str, **changed: object) -> str:
    claims = {"sub": session_id, "aud": "blue", "exp": 4_000_000_000} | changed
    return jwt.encode({k: v for k, v in claims.items() if v is not None}, TICKET_SECRET)


@pytest.mark.spec("A7")
async def test_only_a_good_ticket_is_let_in(backend: BackendProcess, session_id: str) -> None:
    good = await backend.connect(session_id, f"?target=blue&ticket={_ticket(session_id)}")
    assert (await good.restore())["type"] == "session_restored"
    await good.close()
    bad = [
        "",
        "garbage",
        _ticket("another"),
        _ticket(session_id, aud="green"),
        _ticket(session_id, exp=1_000_000_000),
        _ticket(session_id, exp=None),
        jwt.encode({"sub": session_id, "aud": "blue", "exp": 4_000_000_000}, "x" * 32),
        _ticket(session_id).rsplit(".", 1)[0] + ".",
    ]
    for ticket in bad:
        client = await backend.connect(session_id, f"?target=blue&ticket={ticket}")
        assert await client.close_code() == 4401, ticket


@pytest.mark.spec("A4")
async def test_a_reader_that_stalls_is_cut_and_delays_nobody(
    backend: BackendProcess, session_id: str
) -> None:
    writer = await backend.join(session_id, client_id="writer")
    # It reads one frame and no more: then its buffers fill, and its queue.
    slow = await backend.connect(session_id, max_queue=1)
    await slow.send(type="restore_session", session_id=session_id)
    text = "x" * 4000
    sent = 0
    while backend.status()["counters"]["overflows"] == 0:
        assert sent < 4000, "the slow reader was never cut"
        for _ in range(100):
            sent += 1
            await writer.chat(sent, text)
        while (await writer.read("ack"))["n"] < sent:
            pass
    assert await slow.close_code() == 4000
    heard = await _last_seq(writer, sent)
    assert heard == sent
    await writer.close()


async def _last_seq(client: RawClient, awaited: int) -> int:
    seq = 0
    await client.chat(awaited + 1)
    try:
        while seq <= awaited:
            seq = (await client.read("chat"))["seq"]
    except ConnectionClosed:
        return -1
    return seq - 1
