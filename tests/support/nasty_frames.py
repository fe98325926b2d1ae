"""Frames that have broken parsers elsewhere, or would have broken ours, by name."""

import random


def varuint(number: int) -> bytes:
    """Encode as lib0 does."""
    encoded = b""
    while number > 127:
        encoded += bytes([number & 127 | 128])
        number >>= 7
    return encoded + bytes([number])


NASTY_TEXTS: dict[str, str | bytes] = {
    "nothing": "",
    "a lone brace": "{",
    "two objects": '{"type":"ping"}{"type":"ping"}',
    "an array": "[]",
    "a bare string": '"ping"',
    "a byte order mark": '\ufeff{"type":"ping"}',
    "no UTF-8": b'{"type":"ping","t":"\xff\xfe"}',
    "a lone surrogate": '{"type":"chat","n":1,"text":"\\ud800"}',
    "a NUL": '{"type":"chat","n":1,"text":"\\u0000"}',
    "a type that is an object": '{"type":{}}',
    "a type twice": '{"type":"ping","type":"chat"}',
    "deep arrays": "[" * 100_000,
    "deep objects": '{"a":' * 100_000,
    "deep arrays in a ping": '{"type":"ping","t":' + "[" * 100_000 + "]" * 100_000 + "}",
    "a number of a megabyte": '{"type":"chat","n":' + "9" * 1_000_000 + ',"text":"x"}',
    "an infinite number": '{"type":"chat","n":1e999,"text":"x"}',
    "not a number": '{"type":"chat","n":NaN,"text":"x"}',
    "a negative n": '{"type":"chat","n":-1,"text":"x"}',
    "an n beyond doubles": '{"type":"chat","n":9007199254740992,"text":"x"}',
    "an n that is true": '{"type":"chat","n":true,"text":"x"}',
    "a text of a megabyte": '{"type":"chat","n":1,"text":"' + "x" * 1_000_000 + '"}',
    "a field of a megabyte": '{"type":"ping","' + "x" * 1_000_000 + '":1}',
    "a hundred thousand fields": "{" + ",".join(f'"{n}":1' for n in range(100_000)) + "}",
    "a climbing client_id": '{"type":"restore_session","session_id":"s","client_id":"../../etc"}',
    "a client_id of lines": '{"type":"restore_session","session_id":"s","client_id":"a\\nb"}',
    "a position of strings": '{"type":"restore_session","session_id":"s","position":{"seq":"1"}}',
}

_NESTED = b"\x01\x01\x01\x00\x28\x01\x08elements\x01a\x01" + b"\x75\x01" * 200_000 + b"\x7e\x00"

NASTY_UPDATES: dict[str, bytes] = {
    "nothing": b"",
    "four thousand million clients": varuint(2**32 - 1) + b"\x01\x01\x00",
    "more clients than 64 bits hold": b"\xff" * 12,
    "four thousand million structs": b"\x01" + varuint(2**32 - 1) + b"\x01\x00",
    "an endless number": b"\xff" * 1_000_000,
    "arrays as deep as a stack": _NESTED,
    "a text longer than all": b"\x01\x01\x01\x00\x04\x01" + varuint(2**31) + b"x",
    "a clock at the end of time": b"\x01\x01\x01" + varuint(2**32 - 1) + b"\x00\x00\x00",
    "a skip over all of time": b"\x01\x01\x01\x00\x0a" + varuint(2**63 - 1) + b"\x00",
    "a deletion of everything": b"\x00\x01\x01\x01\x00" + varuint(2**32 - 1),
    "deletions that overflow": b"\x00\x01\x01\x01" + varuint(2**31 - 1) + varuint(2**31 - 1),
    "four thousand million deletions": b"\x00\x01\x01" + varuint(2**32 - 1),
    "a parent that is itself": b"\x01\x01\x01\x00\x01\x00\x01\x00\x05\x00",
    "an unknown content": b"\x01\x01\x01\x00\x1f\x01\x01a\x00",
}


def nasty_frames() -> dict[str, bytes]:
    """Give the updates as y-websocket frames, and frames that are none."""
    frames = {
        f"{name}, as {kind}": bytes([0, step]) + varuint(len(update)) + update
        for name, update in NASTY_UPDATES.items()
        for step, kind in ((0, "step 1"), (1, "step 2"), (2, "update"))
    }
    awareness = {
        f"{name}, as awareness": b"\x01" + varuint(len(update)) + update
        for name, update in NASTY_UPDATES.items()
    }
    return {
        **frames,
        **awareness,
        "no frame": b"",
        "an endless kind": b"\xff" * 1_000_000,
        "an endless step": b"\x00" + b"\xff" * 1_000_000,
        "a length beyond all": b"\x00\x02" + varuint(2**62),
    }


def mutate(rng: random.Random, frame: bytes) -> bytes:
    """Change a sound frame a little: flip, cut, double or insert some of its bytes."""
    changed = bytearray(frame or b"\x00")
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(changed))
        match rng.randrange(4):
            case 0:
                changed[at] ^= 1 << rng.randrange(8)
            case 1 if at:
                del changed[at:]
            case 2:
                changed[at:at] = changed[max(0, at - 8) : at]
            case _:
                changed[at:at] = rng.randbytes(rng.randint(1, 4))
    return bytes(changed)
