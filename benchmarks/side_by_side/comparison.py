"""Run the peers in turn, throw disturbed runs away, and keep what each run found."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.side_by_side.errors import Unavailable
from benchmarks.side_by_side.figures import Run, disturbance_of
from benchmarks.side_by_side.measures import Shape, measure, measure_memory
from benchmarks.side_by_side.peers import Peer
from benchmarks.side_by_side.programs import Bench, running

Say = Callable[[str], None]


@dataclass
class Series:
    """All runs of one peer in one shape."""

    runs: list[Run] = field(default_factory=list)
    """One a round: the first that nothing disturbed, or else the least disturbed."""
    doubtful: list[str] = field(default_factory=list)
    """Why a run that was kept should not be believed."""
    thrown_away: list[str] = field(default_factory=list)

    def values(self, name: str) -> list[float]:
        """Return one figure of every run."""
        return [run.values[name] for run in self.runs]


@dataclass
class Comparison:
    """What was found of every peer."""

    series: dict[tuple[str, str], Series] = field(default_factory=dict)
    memory_kb: dict[str, float] = field(default_factory=dict)
    deploys: dict[str, dict[str, Any]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    """Why a peer was left out from some measurement on."""

    @contextlib.contextmanager
    def attempt(self, peer: Peer, say: Say) -> Iterator[None]:
        """Record a failure of a peer, so that it does not end the others' measurements."""
        try:
            yield
        except Unavailable as fault:
            self.failures[peer.name] = str(fault)
            say(f"{peer.name} FAILED: {fault}")

    def of(self, peer: str, shape: str) -> Series:
        """Return the runs of a peer in a shape."""
        return self.series.setdefault((peer, shape), Series())


@dataclass(frozen=True)
class Effort:
    """How long and how often."""

    seconds: float
    warmup: float
    rounds: int
    tries: int
    """Runs of one figure in one round, until one is undisturbed."""


def compare(
    bench: Bench, peers: Sequence[Peer], shapes: Sequence[Shape], effort: Effort, say: Say
) -> Comparison:
    """Run every peer in turn, `rounds` times: A B C A B C."""
    comparison = Comparison()
    for number in range(effort.rounds):
        for peer in peers:
            # A peer that failed once is left out, so that its rounds stay in step with others'.
            if peer.name not in comparison.failures:
                with comparison.attempt(peer, say):
                    _run_shapes(comparison, bench, peer, shapes, effort, say, number + 1)
    return comparison


def _run_shapes(
    comparison: Comparison,
    bench: Bench,
    peer: Peer,
    shapes: Sequence[Shape],
    effort: Effort,
    say: Say,
    number: int,
) -> None:
    with running(bench, peer) as server:
        for shape in shapes:

            def run(shape: Shape = shape) -> Run:
                return measure(bench, server, shape, effort.seconds, effort.warmup)

            series = comparison.of(peer.name, shape.name)
            add_undisturbed(series, run, effort.tries)
            say(f"round {number}: {peer.name}, {shape.name}: {_brief(series)}")


def add_undisturbed(series: Series, run: Callable[[], Run], tries: int) -> None:
    """Run until a run is undisturbed, `tries` times at most; keep the least disturbed."""
    best: Run | None = None
    for _ in range(tries):
        found = run()
        if best is None or _disturbance(found) < _disturbance(best):
            if best is not None:
                series.thrown_away.append(str(disturbance_of(best)))
            best = found
        else:
            series.thrown_away.append(str(disturbance_of(found)))
        if disturbance_of(best) is None:
            break
    assert best is not None, "tries must be at least 1"
    series.runs.append(best)
    reason = disturbance_of(best)
    if reason is not None:
        series.doubtful.append(reason)


def _disturbance(run: Run) -> tuple[bool, float]:
    return disturbance_of(run) is not None, run.others_share + run.stolen_share


def _brief(series: Series) -> str:
    run = series.runs[-1]
    figures = f"{run.values['messages_per_second']:,.0f} msg/s"
    if "messages_per_cpu_second" in run.values:
        figures += f" ({run.values['messages_per_cpu_second']:,.0f} a CPU second of the server)"
    if "p99_ms" in run.values:
        figures += f", p99 {run.values['p99_ms']:.2f} ms"
    else:
        figures += f", {run.values['deliveries_per_second']:,.0f} deliveries/s"
    shares = f"server {run.server_share:.0%}, load {run.generator_share:.0%}"
    doubt = disturbance_of(run)
    return f"{figures} ({shares}{'; DISTURBED: ' + doubt if doubt else ''})"


def add_memory(comparison: Comparison, bench: Bench, peers: Sequence[Peer], say: Say) -> None:
    """Measure the memory of each peer's idle connections, in a fresh process."""
    for peer in peers:
        with comparison.attempt(peer, say), running(bench, peer) as server:
            used = comparison.memory_kb[peer.name] = measure_memory(bench, server)
            say(f"memory: {peer.name}: {used:.1f} kB a connection")
