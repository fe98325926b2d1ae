"""Cases of RFC 6455: what a client may send, and what it must not.

After the case list of the Autobahn test suite (its chapters are named), which was read for what
it tries; the cases are written here. Each is a list of parts, sent with a pause after each.
"""

from tests.integration.relay.raw_frames import (
    BINARY,
    CLOSE,
    CONTINUE,
    PING,
    PONG,
    TEXT,
    close,
    frame,
)

Cases = dict[str, list[bytes]]

SIZES = (0, 1, 125, 126, 127, 128, 65_535, 65_536)
GREEK = "κόσμε Hello-µ@ßöäüàá-UTF-8!!".encode()
GOOD_TEXTS = {
    "the last of one byte": b"\x7f",
    "the first of two bytes": b"\xc2\x80",
    "the last of three bytes": b"\xef\xbf\xbf",
    "the last of four bytes": b"\xf4\x8f\xbf\xbf",
    "a byte order mark": b"\xef\xbb\xbf",
    "a NUL": b"\x00",
    "outside the basic plane": "😀🎉".encode(),
}
BAD_TEXTS = {
    "a lone continuation": b"\x80",
    "an overlong slash": b"\xc0\xaf",
    "an overlong of four": b"\xf0\x80\x80\xaf",
    "a surrogate": b"\xed\xa0\x80",
    "beyond the last": b"\xf4\x90\x80\x80",
    "five bytes": b"\xf8\x88\x80\x80\x80",
    "an impossible byte": b"\xff",
    "cut off": b"\xce",
    "bad after good": GREEK + b"\xf4\x90\x80\x80" + b"edited",
}
GOOD_CODES = (
    *(1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014),
    *(3000, 3999, 4000, 4999),
)
BAD_CODES = (0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65_535)


def chop(data: bytes, size: int) -> list[bytes]:
    """Cut bytes into pieces."""
    return [data[at : at + size] for at in range(0, len(data), size)]


def framing() -> Cases:
    """Autobahn 1: messages of every kind of length, whole and cut."""
    cases: Cases = {}
    for opcode, name in ((TEXT, "text"), (BINARY, "binary")):
        for size in SIZES:
            cases[f"{name} of {size}"] = [frame(opcode, b"*" * size)]
        cases[f"{name} byte by byte"] = chop(frame(opcode, b"x" * 130), 1)
        cases[f"{name} cut in odd places"] = chop(frame(opcode, b"y" * 66_000), 997)
    cases["many in one write"] = [b"".join(frame(TEXT, b"n%d" % n) for n in range(200))]
    cases["with a mask of zeros"] = [frame(TEXT, b"zero", key=b"\0\0\0\0")]
    return cases


def pings() -> Cases:
    """Autobahn 2: pings and pongs, asked for or not."""
    cases: Cases = {
        "an empty ping": [frame(PING)],
        "a ping with text": [frame(PING, b"hello")],
        "a ping with bytes": [frame(PING, b"\x00\xff\xfe\xfd")],
        "a ping of 125": [frame(PING, b"p" * 125)],
        "a ping of 126": [frame(PING, b"p" * 126)],
        "a ping byte by byte": chop(frame(PING, b"q" * 125), 1),
        "a pong that was not asked for": [frame(PONG)],
        "a pong with text": [frame(PONG, b"unasked")],
        "a pong, then a ping": [frame(PONG, b"unasked"), frame(PING, b"asked")],
        "ten pings": [frame(PING, b"%d" % n) for n in range(10)],
        "ten pings in one write": [b"".join(frame(PING, b"%d" % n) for n in range(10))],
        "a ping like the relay's": [frame(PING, b"isshoni-probe-1"), frame(TEXT, b"x")],
    }
    return cases


def broken_frames() -> Cases:
    """Autobahn 3 and 4: reserved bits, reserved opcodes, masks that are missing."""
    cases: Cases = {}
    for bits in range(1, 8):
        cases[f"reserved bits {bits}"] = [
            frame(TEXT, b"sound"),
            frame(TEXT, b"bad", reserved=bits) + frame(PING),
        ]
    for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
        cases[f"opcode {opcode}"] = [frame(TEXT, b"sound"), frame(opcode, b"bad"), frame(PING)]
    cases["a reserved bit, cut off"] = [frame(TEXT, b"x"), frame(TEXT, b"", reserved=4)[:1]]
    cases["a reserved bit and an endless length"] = [
        frame(TEXT, b"sound"),
        frame(BINARY, b"bad", reserved=2, declared=1 << 40),
    ]
    cases["a ping with a reserved bit"] = [frame(PING, b"bad", reserved=1), frame(TEXT, b"x")]
    cases["a close with a reserved bit"] = [frame(CLOSE, b"\x03\xe8", reserved=1)]
    cases["no mask"] = [frame(TEXT, b"sound"), frame(TEXT, b"bare", key=None)]
    cases["a ping in fragments"] = [frame(PING, b"a", final=False), frame(CONTINUE, b"b")]
    cases["a length of 64 bits whose first is set"] = [
        frame(TEXT, b"sound"),
        b"\x82\xff" + b"\xff" * 8 + b"abcd",
    ]
    return cases


def fragments() -> Cases:
    """Autobahn 5: messages in fragments, with control frames in between."""
    first, last = frame(TEXT, b"one ", final=False), frame(CONTINUE, b"two")
    middle = frame(CONTINUE, b"and ", final=False)
    ping = frame(PING, b"between")
    return {
        "two fragments": [first, last],
        "two fragments in one write": [first + last],
        "three fragments and pings": [first, ping, middle, ping, last],
        "fragments and pings in one write": [first + ping + middle + ping + last],
        "empty fragments": [frame(TEXT, final=False), frame(CONTINUE, final=False), last],
        "only empty fragments": [frame(TEXT, final=False), frame(CONTINUE)],
        "fragments byte by byte": chop(first + ping + last, 1),
        "a continuation of nothing": [frame(CONTINUE, b"lost"), frame(TEXT, b"x")],
        "a continuation of nothing, open": [frame(CONTINUE, b"lost", final=False), last],
        "a new message in a message": [first, frame(TEXT, b"other")],
        "a close between fragments": [first, close(1000), last],
        "a pong between fragments": [first, frame(PONG, b"unasked"), last],
        "two messages of fragments": [first, last, frame(BINARY, b"a", final=False), last],
        "a hundred fragments": [
            first,
            b"".join(frame(CONTINUE, b"%d" % n, final=False) for n in range(100)),
            last,
        ],
        "a fragment, and no more": [frame(TEXT, b"sound"), first],
    }


def texts() -> Cases:
    """Autobahn 6: UTF-8, whole and in fragments that cut a character."""
    cases: Cases = {f"good text, {name}": [frame(TEXT, text)] for name, text in GOOD_TEXTS.items()}
    cases["good text in fragments"] = [
        frame(TEXT, GREEK[:1], final=False),
        frame(CONTINUE, GREEK[1:3], final=False),
        frame(CONTINUE, GREEK[3:]),
    ]
    cases["good text, each byte a fragment"] = [
        frame(TEXT, final=False)
        + b"".join(frame(CONTINUE, bytes([byte]), final=False) for byte in GREEK)
        + frame(CONTINUE)
    ]
    for name, text in BAD_TEXTS.items():
        cases[f"bad text, {name}"] = [frame(TEXT, b"sound"), frame(TEXT, text)]
        cases[f"bad text in fragments, {name}"] = [
            frame(TEXT, text[:1], final=False),
            frame(CONTINUE, text[1:]),
        ]
        cases[f"the same as bytes, {name}"] = [frame(BINARY, text)]
    return cases


def closes() -> Cases:
    """Autobahn 7: close handshakes of every code, and what comes after them."""
    cases: Cases = {
        "a close without a code": [close(None)],
        "a close with half a code": [frame(CLOSE, b"\x03")],
        "a close with the longest reason": [close(1000, b"r" * 123)],
        "a close with a reason too long": [close(1000, b"r" * 124)],
        "a close with a bad reason": [close(1000, b"\xce\xba\xff")],
        "a close with a reason in Greek": [close(1000, GREEK)],
        "a close in fragments": [frame(CLOSE, b"\x03\xe8", final=False)],
        "two closes": [close(1000) + close(1001)],
        "a ping after the close": [close(1000) + frame(PING, b"late")],
        "a text after the close": [close(1000) + frame(TEXT, b"late")],
        "a close byte by byte": chop(close(1000, b"slowly"), 1),
    }
    for code in GOOD_CODES + BAD_CODES:
        cases[f"a close with {code}"] = [frame(TEXT, b"sound"), close(code, b"why")]
    return cases


def limits() -> Cases:
    """Autobahn 9: large messages, whole, in fragments, and in small writes."""
    mib = 1 << 20
    parts = [b"f" * 65_536] * 64
    return {
        "1 MiB": [frame(TEXT, b"*" * mib)],
        "4 MiB and a byte": [frame(BINARY, b"*" * (4 * mib + 1))],
        "16 MiB": [frame(BINARY, b"*" * (16 * mib)), frame(TEXT, b"after")],
        "4 MiB in 64 fragments": [frame(BINARY, final=False)]
        + [frame(CONTINUE, part, final=False) for part in parts]
        + [frame(CONTINUE)],
        "8 MiB in two fragments": [
            frame(BINARY, b"a" * 4 * mib, final=False),
            frame(CONTINUE, b"b" * 4 * mib),
        ],
        "1 MiB in writes of 1,000": [b"".join(chop(frame(TEXT, b"c" * mib), 1000))],
    }


CHAPTERS = {
    "framing": framing,
    "pings": pings,
    "broken frames": broken_frames,
    "fragments": fragments,
    "texts": texts,
    "closes": closes,
    "limits": limits,
}
