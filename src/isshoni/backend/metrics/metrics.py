"""Collect the measurements of this process, for the admin status and for Prometheus."""

import asyncio
import time
from collections.abc import Iterable
from typing import Protocol

import psutil
from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from isshoni.backend.metrics.counters import Counters, Gauges, Histograms
from isshoni.backend.metrics.histogram import Histogram
from isshoni.backend.metrics.open_files import open_files_limit
from isshoni.backend.tasks import failures

_LAG_SAMPLE_SECONDS = 0.1
_CPU_SAMPLES = 10


class Measured(Protocol):
    """What a process counts and times while it serves."""

    @property
    def counters(self) -> Counters:
        """Counts since the process started."""

    @property
    def gauges(self) -> Gauges:
        """Measures of the present."""

    @property
    def histograms(self) -> Histograms:
        """Durations since the process started."""


class Population(Protocol):
    """How many clients this process serves."""

    @property
    def connection_count(self) -> int:
        """The number of open connections."""

    @property
    def session_count(self) -> int:
        """The number of sessions that have a connection here."""

    @property
    def probe_count(self) -> int:
        """The number of open connections to sessions of probes."""


class StoreMeters(Protocol):
    """What the store measures of Redis."""

    @property
    def latency_ms(self) -> float:
        """The worst latency of a command in the last seconds."""

    @property
    def pubsub_lag_ms(self) -> float:
        """The worst time in the last seconds from publishing to receiving it."""

    @property
    def writes_short_of_replicas(self) -> int:
        """The number of writes acknowledged on fewer replicas than wanted."""

    @property
    def sessions_stored(self) -> int:
        """The number of stored sessions as last counted here; 0 without a bound on them."""

    @property
    def sessions_expired(self) -> int:
        """The number of sessions that this process let expire."""


class Metrics:
    """The measures of this process: one source for the admin status and Prometheus."""

    def __init__(self, measured: Measured, population: Population, meters: StoreMeters) -> None:
        self._measured = measured
        self._population = population
        self._meters = meters

    def counters(self) -> dict[str, int]:
        """Return every counter by name."""
        return {
            **vars(self._measured.counters),
            "sessions_expired": self._meters.sessions_expired,
            "writes_short_of_replicas": self._meters.writes_short_of_replicas,
            "task_failures": failures.count,
        }

    def gauges(self) -> dict[str, float]:
        """Return every gauge by name."""
        gauges = self._measured.gauges
        return {
            "pubsub_lag_ms": self._meters.pubsub_lag_ms,
            "event_loop_lag_ms": gauges.event_loop_lag_seconds.worst * 1000,
            "event_loop_lag_recent_ms": gauges.recent_lag_seconds.percentile(90) * 1000,
            "redis_latency_ms": self._meters.latency_ms,
            "restore_ms": gauges.restore_seconds.percentile(99) * 1000,
            "cpu_pct": gauges.cpu_pct,
            "sessions_stored": float(self._meters.sessions_stored),
            "open_files_limit": float(open_files_limit()),
            "probe_connections": float(self._population.probe_count),
        }

    def histograms(self) -> dict[str, Histogram]:
        """Return every histogram by name."""
        return dict(vars(self._measured.histograms))

    def connections(self) -> tuple[int, int]:
        """Return the number of connections, and of sessions that have a connection."""
        return self._population.connection_count, self._population.session_count

    async def sample(self) -> None:
        """Sample event-loop lag and CPU for as long as the process lives."""
        await sample_process(self._measured.gauges)


async def sample_process(gauges: Gauges) -> None:
    """Sample event-loop lag and CPU of this process; runs for ever."""
    process = psutil.Process()
    process.cpu_percent()
    while True:
        for _ in range(_CPU_SAMPLES):
            due = time.monotonic() + _LAG_SAMPLE_SECONDS
            await asyncio.sleep(_LAG_SAMPLE_SECONDS)
            lag_seconds = max(0.0, time.monotonic() - due)
            gauges.event_loop_lag_seconds.add(lag_seconds)
            gauges.recent_lag_seconds.add(lag_seconds)
        gauges.cpu_pct = process.cpu_percent()


class _PrometheusCollector(Collector):
    def __init__(self, metrics: Metrics, labels: dict[str, str]) -> None:
        self._metrics = metrics
        self._labels = labels

    def collect(self) -> Iterable[Metric]:
        connections, sessions = self._metrics.connections()
        yield self._gauge("active_websocket_connections", "ActiveWebSocketConnections", connections)
        yield self._gauge("live_sessions", "Sessions with connections here", sessions)
        for name, value in self._metrics.gauges().items():
            yield self._gauge(name, f"{name}, worst of the last seconds", value)
        for name, count in self._metrics.counters().items():
            family = CounterMetricFamily(f"isshoni_{name}", name, labels=list(self._labels))
            family.add_metric(list(self._labels.values()), count)
            yield family
        for name, histogram in self._metrics.histograms().items():
            durations = HistogramMetricFamily(f"isshoni_{name}", name, labels=list(self._labels))
            buckets = [(bound, float(count)) for bound, count in histogram.buckets().items()]
            durations.add_metric(list(self._labels.values()), buckets, histogram.total_seconds)
            yield durations

    def _gauge(self, name: str, text: str, value: float) -> Metric:
        family = GaugeMetricFamily(f"isshoni_{name}", text, labels=list(self._labels))
        family.add_metric(list(self._labels.values()), value)
        return family


def make_registry(
    metrics: Metrics, *, colour: str, version: str, process: str = ""
) -> CollectorRegistry:
    """Make a registry that reads `metrics` at each scrape; `process` is a label if given."""
    labels = {"colour": colour, "version": version}
    if process:
        labels["process"] = process
    registry = CollectorRegistry()
    registry.register(_PrometheusCollector(metrics, labels))
    return registry
