"""What one process's users saw, judged and ready to be sent; and several of them as one.

A session's users are all in one process, so each process judges its sessions on its own, and
nothing that a single ledger would see is lost by adding the findings up.
"""

from collections.abc import Iterable, Sequence
from functools import reduce
from typing import TypeVar

import msgspec

from isshoni.verify.attribution import Probe, attribute, explain
from isshoni.verify.edits import EditFindings
from isshoni.verify.gaps import Span, calculate_gap_ms, deploy_windows
from isshoni.verify.judge import ChatFindings, judge
from isshoni.verify.latency import LatencySeries, Window
from isshoni.verify.result import (
    ClientSpan,
    ClientTimeline,
    Edits,
    LongCut,
    Messages,
    StockFindings,
    WireMessages,
)
from isshoni.verify.users import Books, SyntheticUser

Sum = TypeVar("Sum", Messages, WireMessages, Edits)


class Collected(msgspec.Struct, frozen=True):
    """The findings of one process, or of all of them."""

    messages: Messages
    wire: WireMessages
    edits: Edits
    timelines: tuple[ClientTimeline, ...]
    long_cuts: tuple[LongCut, ...]
    trouble: tuple[str, ...]
    deliveries: bytes
    """A `LatencySeries`."""
    cpu_seconds: float = 0.0
    """What the users took of the processor while they talked."""
    stock: StockFindings | None = None
    """Of stock clients, which are judged in one process."""

    def with_cpu(self, more_seconds: float) -> "Collected":
        """Return the same findings with more processor time."""
        return msgspec.structs.replace(self, cpu_seconds=self.cpu_seconds + more_seconds)

    def __add__(self, more: "Collected") -> "Collected":
        latency = LatencySeries.from_bytes(self.deliveries)
        latency.extend(LatencySeries.from_bytes(more.deliveries))
        return Collected(
            messages=_add(self.messages, more.messages),
            wire=_add(self.wire, more.wire),
            edits=_add(self.edits, more.edits),
            timelines=self.timelines + more.timelines,
            long_cuts=self.long_cuts + more.long_cuts,
            trouble=self.trouble + more.trouble,
            deliveries=latency.to_bytes(),
            cpu_seconds=self.cpu_seconds + more.cpu_seconds,
            stock=self.stock or more.stock,
        )


def _add(one: Sum, more: Sum) -> Sum:
    """Add up each field; a count, or a tuple of names."""
    fields = one.__struct_fields__
    return type(one)(*(getattr(one, name) + getattr(more, name) for name in fields))


def add_all(parts: Iterable[Collected]) -> Collected:
    """Add up the findings of all processes."""
    return reduce(lambda one, more: one + more, parts)


def collect(
    books: Books,
    users: Sequence[SyntheticUser],
    probes: Sequence[Probe],
    *,
    deploys_began_at: Sequence[float],
    ended_at: float,
    cut_seconds: float,
    cpu_seconds: float = 0.0,
) -> Collected:
    """Judge the books of one process; cuts longer than `cut_seconds` are explained."""
    for user in users:
        user.timeline.end(ended_at)
    windows = deploy_windows(deploys_began_at, ended_at)
    chat = judge(books.chat)
    return Collected(
        messages=_count_messages(chat),
        wire=WireMessages(chat.wire.lost, chat.wire.doubled, chat.wire.reordered),
        edits=_count_edits(books.edits.judge()),
        timelines=tuple(_describe_client(user, windows) for user in users),
        long_cuts=_find_long_cuts(users, probes, cut_seconds),
        trouble=(*books.trouble, *books.conversations.find_differences()),
        deliveries=books.chat.latency.to_bytes(),
        cpu_seconds=cpu_seconds,
    )


def _count_messages(found: ChatFindings) -> Messages:
    return Messages(
        sent=found.sent,
        acked=found.acked,
        delivered=found.delivered,
        lost=found.lost,
        doubled=found.doubled,
        reordered=found.reordered,
        foreign=found.foreign,
    )


def _count_edits(found: EditFindings) -> Edits:
    diverged = found.diverged_sessions
    return Edits(found.sent, found.saved, found.lost, len(diverged), diverged, found.foreign)


def _describe_client(user: SyntheticUser, windows: Iterable[Window]) -> ClientTimeline:
    return ClientTimeline(
        client_id=user.client_id,
        session_id=user.session_id,
        gap_ms=round(calculate_gap_ms(user.timeline, windows), 3),
        spans=tuple(_describe_span(span) for span in user.timeline.spans),
    )


def _describe_span(span: Span) -> ClientSpan:
    return ClientSpan(round(span.began_at, 4), round(span.ended_at, 4), span.colour, span.version)


def _find_long_cuts(
    users: Sequence[SyntheticUser], probes: Sequence[Probe], limit_seconds: float
) -> tuple[LongCut, ...]:
    found = []
    for user in users:
        for cut in user.timeline.cuts:
            if cut.seconds > limit_seconds:
                part = attribute(cut, probes)
                words = explain(cut, probes, part)
                found.append(LongCut(user.client_id, cut.began_at, cut.seconds, part, words))
    return tuple(found)
