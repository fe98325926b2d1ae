"""When each user had an open, restored connection, to which colour, and when not."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from isshoni.verify.latency import Window


@dataclass(frozen=True)
class Span:
    """A stretch of one user's time, in seconds of the run."""

    began_at: float
    ended_at: float
    colour: str | None
    """Which colour served; None: cut."""
    version: str | None = None


@dataclass(frozen=True)
class Cut:
    """A stretch without an open, restored connection."""

    began_at: float
    ended_at: float
    ended: bool
    """False: the run was over first."""
    colour: str | None
    """The colour that was lost."""
    close_code: int | None

    @property
    def seconds(self) -> float:
        """How long it was."""
        return self.ended_at - self.began_at


@dataclass(slots=True)
class ConnectionTimeline:
    """One user's spans, as its listener reports them; times never fall."""

    spans: list[Span] = field(default_factory=list)
    cuts: list[Cut] = field(default_factory=list)
    _since: float | None = None
    _colour: str | None = None
    _version: str | None = None
    _lost_colour: str | None = None
    _close_code: int | None = None

    @property
    def joined(self) -> bool:
        """True if the user was ever in the session."""
        return self._since is not None

    @property
    def connected(self) -> bool:
        """True if the user is in the session now."""
        return self._since is not None and self._colour is not None

    def record_restored(self, at: float, colour: str, version: str) -> None:
        """Record that `colour` serves the user: at first, after a cut, or after a move."""
        if self.connected and (colour, version) == (self._colour, self._version):
            return
        self._end_span(at, ended=True)
        self._since, self._colour, self._version = at, colour, version

    def record_lost(self, at: float, close_code: int | None) -> None:
        """Record that the last restored connection is lost."""
        if not self.connected:
            return
        self._end_span(at, ended=True)
        self._lost_colour, self._close_code = self._colour, close_code
        self._since, self._colour, self._version = at, None, None

    def end(self, at: float) -> None:
        """Close the last span: the run is over."""
        self._end_span(at, ended=False)
        self._since = None

    def cut_seconds(self, window: Window) -> float:
        """Add up the time without a connection within `window`."""
        return sum(
            max(0.0, min(cut.ended_at, window[1]) - max(cut.began_at, window[0]))
            for cut in self.cuts
        )

    def _end_span(self, at: float, *, ended: bool) -> None:
        if self._since is None:
            return
        if self._colour is not None:
            self.spans.append(Span(self._since, at, self._colour, self._version))
            return
        self.spans.append(Span(self._since, at, None))
        self.cuts.append(Cut(self._since, at, ended, self._lost_colour, self._close_code))


def deploy_windows(deploys_began_at: Sequence[float], ended_at: float) -> list[Window]:
    """Cut a run into one window a deploy, each up to the next; before the first counts too."""
    starts = [0.0, *deploys_began_at]
    return [
        (began, end)
        for began, end in zip(starts, [*starts[1:], ended_at], strict=True)
        if end > began
    ]


def calculate_gap_ms(timeline: ConnectionTimeline, windows: Iterable[Window]) -> float:
    """Return a client's gap: its time without a connection in the worst of `windows`."""
    return max((timeline.cut_seconds(window) for window in windows), default=0.0) * 1000


class HasSpan(Protocol):
    """A stretch of a client's time."""

    @property
    def began_at(self) -> float:
        """When it began."""

    @property
    def ended_at(self) -> float:
        """When it ended."""

    @property
    def colour(self) -> str | None:
        """Which colour served; None: cut."""


class HasSpans(Protocol):
    """A client's time, cut into spans."""

    @property
    def spans(self) -> Sequence[HasSpan]:
        """The spans in their order."""


def count_by_colour(
    timelines: Iterable[HasSpans],
) -> list[tuple[float, dict[str, int]]]:
    """Count connections per colour at each moment that one came or went."""
    changes: list[tuple[float, str, int]] = []
    for timeline in timelines:
        for span in timeline.spans:
            if span.colour is not None:
                changes.append((span.began_at, span.colour, 1))
                changes.append((span.ended_at, span.colour, -1))
    changes.sort()
    counts: dict[str, int] = {}
    series: list[tuple[float, dict[str, int]]] = []
    for at, colour, by in changes:
        counts[colour] = counts.get(colour, 0) + by
        if series and series[-1][0] == at:
            series[-1] = (at, dict(counts))
        else:
            series.append((at, dict(counts)))
    return series
