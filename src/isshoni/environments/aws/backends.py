"""The port `Backends` over all instances of a colour: asked each, told as one."""

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
"""Who looks at the same time shares one answer: traffic is read out of it too."""
_UNHEARD_OF_RATE = 1e-9
"""A rate that nobody orders: the order is then given again, to all."""

_BUCKET = " at most "
"""Between the name of a histogram and a bound, where its buckets are told as counters."""


class InstanceBackends:
    """`Backends` over the private admin ports of the instances in each group."""

    def __init__(self, groups: Groups, admin_port: int, read_token: Callable[[], str]) -> None:
        self._groups = groups
        self._admin_port = admin_port
        self._read_token = read_token
        self._counters = {colour: GrowingCounters() for colour in COLOURS}
        self._seen = {
            colour: Remembered(partial(self._look, colour), _ONE_LOOK_SECONDS) for colour in COLOURS
        }

    async def status(self, colour: Colour) -> BackendStatus | None:
        """Ask every instance how it is; None unless each one answers."""
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
        """Discard what is remembered: the next look at either colour reads again."""
        for seen in self._seen.values():
            seen.forget()

    async def prove(self, colour: Colour, session_ids: Sequence[str] = ()) -> Proof:
        """Have every instance prove Redis; the first that fails speaks for all."""
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
        """Order every instance to move a share of its sessions, each at that rate.

        A session's share is decided by its name, so all instances move the same ones.
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
        """Order the move to stop, everywhere."""
        backends = await self._find(colour)
        with changing(self):
            await _all(backend.cancel_migration(colour) for backend in backends.values())

    async def _find(self, colour: Colour) -> dict[str, HttpBackends]:
        group = (await self._groups.observe())[colour]
        if not group.serving:
            raise EnvironmentFault(
                f"there is nothing to ask on {colour}: no instance of it is in service"
            )
        return {instance.id: self._connect(colour, instance) for instance in group.serving}

    def _connect(self, colour: Colour, instance: Instance) -> HttpBackends:
        url = f"http://{instance.address}:{self._admin_port}"
        return HttpBackends({colour: url}, self._read_token(), lambda _: True)


async def _all(orders: Iterable[Coroutine[None, None, None]]) -> None:
    """Give every order, even when one fails; then raise that one's fault."""
    results = await asyncio.gather(*orders, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result


def join_statuses(statuses: Mapping[str, BackendStatus], growing: GrowingCounters) -> BackendStatus:
    """Tell several instances as one: sums of what is counted, the worst of what is measured."""
    told = list(statuses.values())
    unready = {name: status for name, status in statuses.items() if not status.ready}
    counted = {name: {**s.counters, **_flatten(s.histograms)} for name, s in statuses.items()}
    sums = _sum_counters(
        growing.grow({f"{n} {key}": v for n, keys in counted.items() for key, v in keys.items()})
    )
    return BackendStatus(
        version=" and ".join(sorted({status.version for status in told})),
        ready=not unready,
        draining=any(status.draining for status in told),
        connections=sum(status.connections for status in told),
        sessions=sum(status.sessions for status in told),
        counters={name: count for name, count in sums.items() if _BUCKET not in name},
        gauges={
            name: max(status.gauges.get(name, 0.0) for status in told)
            for name in {name for status in told for name in status.gauges}
        },
        migration=join_migrations([status.migration for status in told]),
        not_ready_reason="; ".join(f"{n}: {s.not_ready_reason}" for n, s in unready.items())
        or None,
        formats=_join_formats([status.formats for status in told]),
        histograms=_unflatten(sums),
        speaks_isshoni=all(status.speaks_isshoni for status in told),
        redis_findings=tuple(dict.fromkeys(f for s in told for f in s.redis_findings)),
        limit="; ".join(sorted({status.limit for status in told if status.limit})) or None,
        protocol=_find_odd_protocol(told),
    )


def _find_odd_protocol(told: Sequence[BackendStatus]) -> int | None:
    """Return the protocol of the instances; if they differ, one that probes do not speak."""
    odd = [status.protocol for status in told if not status.speaks_isshoni]
    spoken = [version for version in odd if version is not None]
    return spoken[0] if spoken else None if odd else told[0].protocol


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
    """Add up by name; an instance that is gone keeps its part, so sums never fall."""
    sums: dict[str, int] = {}
    for named, value in counters.items():
        name = named.partition(" ")[2]
        sums[name] = sums.get(name, 0) + value
    return sums


def join_migrations(moves: list[MigrationStatus | None]) -> MigrationStatus | None:
    """Tell several moves as one. Where they differ it is one that still has to be ordered."""
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
        done=agreed and all(move.done for move in known),
        rate_per_second=rate if agreed else _UNHEARD_OF_RATE,
    )


def _join_formats(told: list[Formats | None]) -> Formats | None:
    """Give what any of them writes and all of them read."""
    known = [formats for formats in told if formats is not None]
    if len(known) < len(told) or not known:
        return None
    writes = {form for formats in known for form in formats.writes}
    reads = set.intersection(*(set(formats.reads) for formats in known))
    return Formats(tuple(sorted(writes)), tuple(sorted(reads)))
