"""What a process of a region reports and is asked over the admin API (docs/admin-api.md)."""

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec

from isshoni.environments.http import NoAnswer, ask
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.failover.model import Lag, ProcessSeen, RegionRecord

STATUS_SECONDS = 1.0
RECORD_SECONDS = 7.0
"""A process waits up to 5 s for its writes in flight before it confirms a record."""
_MAX_ANSWER_BYTES = 1 << 20
Count = Annotated[int, msgspec.Meta(ge=0)]


class _Lag(msgspec.Struct):
    link: str | None = None
    bytes: int | None = None
    seconds: float | None = None


class _Region(msgspec.Struct):
    name: str
    term: int | None = None
    writer: str | None = None
    standby_ready: bool = False
    reason: str | None = None
    in_flight: Count = 0
    stamp: Count = 0
    redis_role: str | None = None
    lag: _Lag | None = None


class _Status(msgspec.Struct):
    version: str
    ready: bool
    connections: Count
    region: _Region | None = None
    not_ready_reason: str | None = None


class _Reason(msgspec.Struct):
    reason: str


class _Refusal(msgspec.Struct):
    detail: _Reason


async def ask_region(url: str, token: str, name: str) -> ProcessSeen:
    """Return what a process reports; raises `EnvironmentFault`."""
    content = await _send(f"{url}/admin/status", token, "GET", STATUS_SECONDS)
    try:
        status = msgspec.json.decode(content, type=_Status)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as fault:
        raise EnvironmentFault(f"an answer of the admin API cannot be read: {fault}") from None
    region = status.region
    if region is None:
        raise EnvironmentFault(f"{status.version} knows nothing of regions: start a newer version")
    record = RegionRecord(region.term, region.writer or "") if region.term else None
    return ProcessSeen(
        name,
        record,
        status.ready,
        region.standby_ready,
        region.reason or status.not_ready_reason,
        region.in_flight,
        status.connections,
        _read_lag(region.lag),
        region.stamp,
        _read_role(region.redis_role),
    )


def _read_role(role: str | None) -> Literal["master", "slave"] | None:
    match role:
        case "master" | "slave":
            return role
    return None


def _read_lag(lag: _Lag | None) -> Lag | None:
    return None if lag is None else Lag(lag.link or "down", lag.bytes, lag.seconds)


async def send_record(url: str, token: str, record: RegionRecord) -> None:
    """Set which region writes; raises `EnvironmentFault` unless the process confirms it."""
    body = {"term": record.term, "writer": record.writer or None}
    await _send(f"{url}/admin/region", token, "POST", RECORD_SECONDS, body)


async def send_move(
    url: str, token: str, to: str, address: str, *, rate_per_second: float, within_seconds: float
) -> None:
    """Ask a process to move its sessions to another region; raises `EnvironmentFault`."""
    body = {
        "to": to,
        "address": address,
        "rate_per_second": rate_per_second,
        "within_seconds": within_seconds,
    }
    await _send(f"{url}/admin/migrate", token, "POST", STATUS_SECONDS, body)


async def cancel_move(url: str, token: str) -> None:
    """Ask a process to move no more sessions. Idempotent; raises `EnvironmentFault`."""
    await _send(f"{url}/admin/migrate/cancel", token, "POST", STATUS_SECONDS)


async def _send(
    url: str,
    token: str,
    method: str,
    timeout_seconds: float,
    body: Mapping[str, object] | None = None,
) -> bytes:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    try:
        answer = await ask(
            url,
            method=method,
            timeout_seconds=timeout_seconds,
            headers=headers,
            body=b"" if body is None else msgspec.json.encode(body),
            max_bytes=_MAX_ANSWER_BYTES,
        )
    except NoAnswer as fault:
        raise EnvironmentFault(f"no answer at {url}: {fault}") from None
    if not answer.is_success:
        raise EnvironmentFault(f"{url} answered {answer.status}: {_find_reason(answer.content)}")
    return answer.content


def _find_reason(content: bytes) -> str:
    """Return the reason of a refusal; of an answer without one, its beginning."""
    try:
        return msgspec.json.decode(content, type=_Refusal).detail.reason
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return content[:200].decode(errors="replace")
