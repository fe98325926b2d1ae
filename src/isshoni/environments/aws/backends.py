"""The port `Backends` on AWS: asks every instance of a slot, and joins the answers."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from isshoni.environments.aws.groups import Groups, Instance
from isshoni.environments.aws.remembered import Remembered, changing
from isshoni.environments.backend_api import HttpBackends
from isshoni.environments.counters import GrowingCounters
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.model import (
    COLOURS,
    BackendStatus,
    Colour,
    Formats,
    MigrationStatus,
    Proof,
)

_ONE_LOOK_SECONDS = 0.2
"""Observations within this time share one answer: traffic is read from it too."""
_UNHEARD_OF_RATE = 1e-9
"""A rate that is never ordered, so that the migration is ordered again from all instances."""

_BUCKET = " at most "
"""Separates a histogram's name and bound in the name of the counter of a bucket."""


class InstanceBackends:
    """Asks the private admin ports of the instances in each slot's group."""

    def __init__(self, groups: Groups, admin_port: int, read_token: Callable[[], str]) -> None:
        self._groups = groups
        self._admin_port = admin_port
        self._read_token = read_token
        self._counters = {colour: GrowingCounters() for colour in COLOURS}
        self._seen = {
            colour: Remembered(partial(self._look, colour), _ONE_LOOK_SECONDS) for colour in COLOURS
        }

    async def status(self, colour: Colour) -> BackendStatus | None:
        """Return the joined status of all instances; None unless each one answers."""
        return await self._seen[colour].get()

    async def _look(self, colour: Colour) -> BackendStatus | None:
        try:
            backends = await self._find(colour)
        except EnvironmentFault:
            return None
        found = await asyncio.gather(*(b.status(colour) for b in backends.values()))
        answered = [status for status in found if status is not None]
        if not answered or len(answered) < len(found):
            return None
        named = dict(zip(backends, answered, strict=True))
        return join_statuses(named, self._counters[colour])

    def forget(self) -> None:
        """Discard the remembered answers: the next observation asks again."""
        for seen in self._seen.values():
            seen.forget()

    async def prove(self, colour: Colour, session_ids: Sequence[str] = ()) -> Proof:
        """Ask every instance for its proof; return the first that fails, if any."""
        try:
            backends = await self._find(colour)
        except EnvironmentFault as fault:
            return Proof(redis=False, sampled=0, readable=0, fault=str(fault))
        proofs = await asyncio.gather(*(b.prove(colour, session_ids) for b in backends.values()))
        return next((proof for proof in proofs if not proof.holds), proofs[0])

    async def migrate(
        self,
        colour: Colour,
        to: Colour,
        *,
        rate_per_second: float,
        within_seconds: float,
        share_pct: float = 100.0,
    ) -> None:
        """Request every instance to move a share of its sessions, each at that rate.

        The share is decided by the session's id, so all instances move the same sessions.
        """
        backends = await self._find(colour)
        with changing(self):
            await _all(
                backend.migrate(
                    colour,
                    to,
                    rate_per_second=rate_per_second,
                    within_seconds=within_seconds,
                    share_pct=share_pct,
                )
                for backend in backends.values()
            )

    async def cancel_migration(self, colour: Colour) -> None:
        """Request every instance to stop moving sessions."""
        backends = await self._find(colour)
        with changing(self):
            await _all(backend.cancel_migration(colour) for backend in backends.values())

    async def _find(self, colour: Colour) -> dict[str, HttpBackends]:
        group = (await self._groups.observe())[colour]
        if not group.serving:
            raise EnvironmentFault(f"{colour} cannot be asked: it has no instance in service")
        return {instance.id: self._connect(colour, instance) for instance in group.serving}

    def _connect(self, colour: Colour, instance: Instance) -> HttpBackends:
        url = f"http://{instance.address}:{self._admin_port}"
        return HttpBackends({colour: url}, self._read_token(), lambda _: True)


async def _all(orders: Iterable[Coroutine[None, None, None]]) -> None:
    """Send every request, even if one fails; then raise the first fault."""
    results = await asyncio.gather(*orders, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result


def join_statuses(statuses: Mapping[str, BackendStatus], growing: GrowingCounters) -> BackendStatus:
    """Join the statuses of several instances: counters are summed, gauges are the worst."""
    known = list(statuses.values())
    unready = {name: status for name, status in statuses.items() if not status.ready}
    counted = {name: {**s.counters, **_flatten(s.histograms)} for name, s in statuses.items()}
    sums = _sum_counters(
        growing.grow({f"{n} {key}": v for n, keys in counted.items() for key, v in keys.items()})
    )
    return BackendStatus(
        version=" and ".join(sorted({status.version for status in known})),
        ready=not unready,
        draining=any(status.draining for status in known),
        connections=sum(status.connections for status in known),
        most_connections=max(status.connections for status in known),
        sessions=sum(status.sessions for status in known),
        counters={name: count for name, count in sums.items() if _BUCKET not in name},
        gauges={
            name: max(status.gauges.get(name, 0.0) for status in known)
            for name in {name for status in known for name in status.gauges}
        },
        migration=join_migrations([status.migration for status in known]),
        not_ready_reason="; ".join(f"{n}: {s.not_ready_reason}" for n, s in unready.items())
        or None,
        formats=_join_formats([status.formats for status in known]),
        histograms=_unflatten(sums),
        speaks_isshoni=all(status.speaks_isshoni for status in known),
        redis_findings=tuple(dict.fromkeys(f for s in known for f in s.redis_findings)),
        limit="; ".join(sorted({status.limit for status in known if status.limit})) or None,
        protocol=_find_odd_protocol(known),
    )


def _find_odd_protocol(statuses: Sequence[BackendStatus]) -> int | None:
    """Return the instances' protocol version; if they differ, one that no probe can speak."""
    odd = [status.protocol for status in statuses if not status.speaks_isshoni]
    spoken = [version for version in odd if version is not None]
    return spoken[0] if spoken else None if odd else statuses[0].protocol


def _flatten(histograms: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    return {
        f"{name}{_BUCKET}{bound}": count
        for name, buckets in histograms.items()
        for bound, count in buckets.items()
    }


def _unflatten(counters: Mapping[str, int]) -> dict[str, dict[str, int]]:
    histograms: dict[str, dict[str, int]] = {}
    for key, count in counters.items():
        name, is_bucket, bound = key.partition(_BUCKET)
        if is_bucket:
            histograms.setdefault(name, {})[bound] = count
    return histograms


def _sum_counters(counters: Mapping[str, int]) -> dict[str, int]:
    """Sum counters by name; those of a removed instance still count, so sums never fall."""
    sums: dict[str, int] = {}
    for named, value in counters.items():
        name = named.partition(" ")[2]
        sums[name] = sums.get(name, 0) + value
    return sums


def join_migrations(moves: list[MigrationStatus | None]) -> MigrationStatus | None:
    """Sum the migrations of a slot's instances; None if none of them has one.

    If their orders differ, or one has none, the sum is not `done`, and its rate is one that
    is never ordered, so the caller orders the migration again from all instances.
    """
    known = [move for move in moves if move is not None]
    if not known:
        return None
    slowest = min(known, key=lambda move: move.share_pct)
    agreed = len(known) == len(moves) and len({(m.to, m.share_pct) for m in known}) == 1
    rate = min(move.rate_per_second for move in known)
    return replace(
        slowest,
        told=sum(move.told for move in known),
        moved=sum(move.moved for move in known),
        closed=sum(move.closed for move in known),
        remaining=sum(move.remaining for move in known),
        waiting=max(move.waiting for move in known),
        done=agreed and all(move.done for move in known),
        rate_per_second=rate if agreed else _UNHEARD_OF_RATE,
    )


def _join_formats(formats_of_all: list[Formats | None]) -> Formats | None:
    """Return the formats that any instance writes, and those that all of them read."""
    known = [formats for formats in formats_of_all if formats is not None]
    if len(known) < len(formats_of_all) or not known:
        return None
    writes = {form for formats in known for form in formats.writes}
    reads = set.intersection(*(set(formats.reads) for formats in known))
    return Formats(tuple(sorted(writes)), tuple(sorted(reads)))
