"""The prober: while a client is cut, ask for the same session as a new client would."""

import asyncio
from collections.abc import Callable

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from isshoni.verify.attribution import Probe, ProbeOutcome

EVERY_SECONDS = 1.0
ANSWER_SECONDS = 2.0
MAX_ANSWER_BYTES = 64 << 20
"""A new client's restore brings the recent messages and the canvas as JSON."""


class _Answer(msgspec.Struct):
    type: str = ""
    code: str = ""


_decode_answer = msgspec.json.Decoder(_Answer).decode


async def probe_while_cut(
    url: str,
    cut_session: Callable[[], str | None],
    now: Callable[[], float],
    probes: list[Probe],
    token: str | None = None,
) -> None:
    """Probe the session that `cut_session` names, once a second, until cancelled."""
    while True:
        await asyncio.sleep(EVERY_SECONDS)
        session_id = cut_session()
        if session_id is not None:
            at = now()
            outcome, detail = await probe(url, session_id, token)
            probes.append(Probe(at, outcome, detail))


async def probe(url: str, session_id: str, token: str | None = None) -> tuple[ProbeOutcome, str]:
    """Try to restore a session once; return the outcome, and details in words."""
    headers = {"Authorization": f"Bearer {token}"} if token else None
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            async with connect(
                f"{url.rstrip('/')}/ws/{session_id}",
                additional_headers=headers,
                proxy=None,
                close_timeout=0.2,
                max_size=MAX_ANSWER_BYTES,
            ) as socket:
                return await _ask(socket, session_id)
    except InvalidStatus as fault:
        return ProbeOutcome.TURNED_AWAY, f"status {fault.response.status_code}"
    except ConnectionClosed as fault:
        return ProbeOutcome.CLOSED, f"code {fault.rcvd.code}" if fault.rcvd else "no close frame"
    except TimeoutError:
        return ProbeOutcome.SILENT, f"within {ANSWER_SECONDS:g} s"
    except OSError as fault:
        return ProbeOutcome.REFUSED, "" if isinstance(fault, ConnectionRefusedError) else str(fault)
    except WebSocketException as fault:
        return ProbeOutcome.TURNED_AWAY, str(fault)


async def _ask(socket: ClientConnection, session_id: str) -> tuple[ProbeOutcome, str]:
    request = {"type": "restore_session", "session_id": session_id}
    await socket.send(msgspec.json.encode(request), text=True)
    while True:
        frame = await socket.recv()
        try:
            answer = _decode_answer(frame) if isinstance(frame, str) else _Answer()
        except msgspec.DecodeError:
            return ProbeOutcome.CLOSED, "an answer that is no JSON"
        if answer.type == "session_restored":
            return ProbeOutcome.RESTORED, ""
        if answer.type == "error":
            return ProbeOutcome.NOT_READY, answer.code
