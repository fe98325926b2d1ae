"""Isshoni's backend as a later version might be: its envelopes have a field more.

The environment is that of `python -m isshoni.backend`.
"""

import sys

from isshoni.backend.live import chat_writer
from isshoni.backend.process.server import main
from isshoni.session.messages import ChatEnvelope, encode_envelope


def encode_newer(envelope: ChatEnvelope) -> bytes:
    """Encode an envelope with a field that this version does not know."""
    return encode_envelope(envelope)[:-1] + b',"mood":"newer"}'


if __name__ == "__main__":
    chat_writer.encode_envelope = encode_newer  # type: ignore[attr-defined]
    sys.exit(main())
