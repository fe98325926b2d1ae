"""The port `Backends` over HTTP: the private admin API of docs/admin-api.md."""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Literal, TypeVar
from urllib.parse import urlencode

import msgspec

from isshoni.environments.http import NoAnswer, ask
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.model import COLOURS, BackendStatus, Colour, Formats, MigrationStatus, Proof
from isshoni.session.messages import PROTOCOL_VERSION

STATUS_TIMEOUT_SECONDS = 1.5
"""Less than `LOOK_SECONDS` of the engine: of a program that hangs, all else is still observed."""
ONE_OF_SEVERAL_SECONDS = 1.0
"""Patience with one of several that hangs: the others' answers must still make one observation."""
_ORDER_TIMEOUT_SECONDS = 2.0
_PROOF_TIMEOUT_SECONDS = 10.0
_MAX_ANSWER_BYTES = 1 << 20

Count = Annotated[int, msgspec.Meta(ge=0)]


class _Migration(msgspec.Struct):
    to: str
    told: Count
    moved: Count
    closed: Count
    remaining: Count
    done: bool
    rate_per_second: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    share_pct: Annotated[float, msgspec.Meta(ge=0, le=100)] = 100.0
    waiting: Count = 0
    failures: dict[str, Count] = {}
    closed_for: dict[str, Count] = {}
    close_over_seconds: float | None = None


class _Formats(msgspec.Struct):
    writes: tuple[str, ...]
    reads: tuple[str, ...]


class _Finding(msgspec.Struct):
    name: str
    level: str
    detail: str


class _Region(msgspec.Struct):
    standby_ready: bool = False
    reason: str | None = None


class _Status(msgspec.Struct):
    version: str
    state: Literal["serving", "draining", "fenced", "standby"]
    ready: bool
    connections: Count
    sessions: Count
    counters: dict[str, Count] = {}
    gauges: dict[str, float] = {}
    histograms: dict[str, dict[str, Count]] = {}
    protocol: int | None = None
    migration: _Migration | None = None
    not_ready_reason: str | None = None
    limit: str | None = None
    redis_findings: tuple[_Finding, ...] = ()
    formats: _Formats | None = None
    pid: int | None = None
    region: _Region | None = None


class _Proof(msgspec.Struct):
    redis: bool
    sampled: Count
    readable: Count
    fault: str | None = None
    unreadable: tuple[str, ...] = ()
    redis_findings: tuple[_Finding, ...] = ()


Answer = TypeVar("Answer")


class HttpBackends:
    """`Backends` over the admin ports of the two colours."""

    def __init__(
        self,
        admin_urls: Mapping[Colour, str],
        token: str,
        can_move_clients: Callable[[Colour], bool],
        status_seconds: float = STATUS_TIMEOUT_SECONDS,
        process: str = "",
    ) -> None:
        """Ask the admin ports by colour; `process`: one of several behind the same port."""
        self._admin_urls = admin_urls
        self._headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
        }
        self._can_move_clients = can_move_clients
        self._status_seconds = status_seconds
        self._prefix = f"/admin/processes/{process}" if process else "/admin"

    async def status(self, colour: Colour) -> BackendStatus | None:
        """Return a backend's status; None if it has no admin API or gives no readable answer."""
        if not self._can_move_clients(colour):
            return None
        try:
            answer = await self._ask(colour, "GET", f"{self._prefix}/status", self._status_seconds)
            status = _decode(answer, _Status)
        except EnvironmentFault:
            return None
        return _as_status(status)

    async def prove(self, colour: Colour, session_ids: Sequence[str] = ()) -> Proof:
        """Return the proof that a backend can use Redis; a failed request is its `fault`."""
        try:
            query = urlencode([("session", session_id) for session_id in session_ids])
            path = f"/admin/proof?{query}" if query else "/admin/proof"
            answer = await self._ask(colour, "GET", path, _PROOF_TIMEOUT_SECONDS)
            proof = _decode(answer, _Proof)
        except EnvironmentFault as fault:
            return Proof(redis=False, sampled=0, readable=0, fault=str(fault))
        return Proof(
            proof.redis,
            proof.sampled,
            proof.readable,
            proof.fault,
            proof.unreadable,
            warnings=_list_findings(proof.redis_findings),
        )

    async def migrate(
        self,
        colour: Colour,
        to: str,
        *,
        rate_per_second: float,
        within_seconds: float,
        share_pct: float = 100.0,
        close_over_seconds: float = 0.0,
    ) -> None:
        """Request a backend to move a share of its live sessions to a colour or a process."""
        order: dict[str, object] = {
            "to": to,
            "rate_per_second": rate_per_second,
            "within_seconds": within_seconds,
        }
        if share_pct < 100.0:  # unsaid otherwise: a release from before shares refuses it
            order["share_pct"] = share_pct
        if close_over_seconds:  # only a relay reads it
            order["close_over_seconds"] = close_over_seconds
        try:
            await self._ask(
                colour, "POST", f"{self._prefix}/migrate", _ORDER_TIMEOUT_SECONDS, order
            )
        except _Refused as fault:
            if fault.status == HTTPStatus.UNPROCESSABLE_ENTITY and to not in COLOURS:
                raise EnvironmentFault(
                    f"the release on {colour} is too old to move sessions to one process ({to}): "
                    "deploy a newer one. New connections go to every process all the same"
                ) from None
            raise

    async def cancel_migration(self, colour: Colour) -> None:
        """Request a backend to stop moving sessions."""
        await self._ask(colour, "POST", f"{self._prefix}/migrate/cancel", _ORDER_TIMEOUT_SECONDS)

    async def _ask(
        self,
        colour: Colour,
        method: str,
        path: str,
        timeout_seconds: float,
        body: Mapping[str, object] | None = None,
    ) -> bytes:
        if not self._can_move_clients(colour):
            raise EnvironmentFault(
                f"there is nothing to ask on {colour}: its slot is empty or being emptied, "
                "or its program has no admin API"
            )
        url = self._admin_urls[colour] + path
        try:
            answer = await ask(
                url,
                method=method,
                timeout_seconds=timeout_seconds,
                headers=self._headers,
                body=b"" if body is None else msgspec.json.encode(body),
                max_bytes=_MAX_ANSWER_BYTES,
                keeps=True,
            )
        except NoAnswer as fault:
            raise EnvironmentFault(f"{colour} does not answer at {url}: {fault}") from None
        if not answer.is_success:
            words = answer.content[:200].decode(errors="replace")
            raise _Refused(f"{colour} answered {path}: {answer.status} {words}", answer.status)
        return answer.content


class _Refused(EnvironmentFault):
    """An answer of the admin API that is an error."""

    def __init__(self, reason: str, status: int) -> None:
        super().__init__(reason)
        self.status = status


def _decode(content: bytes, kind: type[Answer]) -> Answer:
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as fault:
        raise EnvironmentFault(f"an answer of the admin API cannot be read: {fault}") from None


def _list_findings(findings: Sequence[_Finding]) -> tuple[str, ...]:
    return tuple(finding.detail for finding in findings if finding.level != "accepted")


def _as_status(status: _Status) -> BackendStatus:
    move = status.migration
    return BackendStatus(
        version=status.version,
        ready=status.ready,
        draining=status.state == "draining",
        connections=status.connections,
        sessions=status.sessions,
        counters=status.counters,
        gauges=status.gauges,
        histograms=status.histograms,
        speaks_isshoni=status.protocol == PROTOCOL_VERSION,
        protocol=status.protocol,
        migration=MigrationStatus(**msgspec.structs.asdict(move)) if move else None,
        not_ready_reason=status.not_ready_reason,
        limit=status.limit,
        redis_findings=_list_findings(status.redis_findings),
        formats=Formats(**msgspec.structs.asdict(status.formats)) if status.formats else None,
        pid=status.pid,
        standby_ready=None if status.region is None else status.region.standby_ready,
        standby_reason=_find_standby_reason(status),
    )


def _find_standby_reason(status: _Status) -> str | None:
    if status.region is None:
        return None
    if status.state != "standby":
        return f"it does not stand by: it is {status.state}"
    return status.region.reason
