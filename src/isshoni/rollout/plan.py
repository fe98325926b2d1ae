"""The plan of a rollout: weights, bakes, limits, times. All fields are validated at once."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

Seconds = Annotated[float, Field(ge=0, le=86_400)]
Percent = Annotated[float, Field(ge=0, le=100)]


class Settings(BaseModel):
    """Frozen configuration; an unknown name is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Thresholds(Settings):
    """The limits that the candidate must stay within while it bakes."""

    target_pct: Percent = 0.1
    """The share of failures that a good release stays below, for every kind of failure."""
    errors_5xx_pct: Percent = 1.0
    """The alarm: above this a release fails as soon as it is surely above its target."""
    refused_pct: Percent = 1.0
    """Sockets and connections that the candidate did not accept."""
    broken_pct: Percent = 1.0
    """Sockets that failed while they were open."""
    restore_failures_pct: Percent = 1.0
    redis_errors_pct: Percent = 1.0
    """Messages, edits and restores that failed in Redis."""
    slow_looks_target_pct: Percent = 2.0
    slow_looks_pct: Percent = 20.0
    """Observations in which more than 20 % of the acks had taken longer than 0.1 s."""
    pubsub_lag_ms: Annotated[float, Field(gt=0)] = 500.0
    event_loop_lag_ms: Annotated[float, Field(gt=0)] = 500.0
    restarts: Annotated[int, Field(ge=0)] = 0
    """Times the candidate may die while clients could be on it."""
    min_attempts: Annotated[int, Field(ge=0)] = 30
    """Requests and sockets, of users or probes, that a step's verdict needs."""
    min_entries: Annotated[int, Field(ge=0)] = 8
    """Synthetic users that must have entered a session and talked, or failed to, as well."""


class PaceLimits(Settings):
    """The load limits of the colour that sessions move to; a move slows down below them."""

    cpu_ceiling_pct: Annotated[float, Field(gt=0, le=10_000)] = 80.0
    """In percent of one core."""
    restore_ms: Annotated[float, Field(gt=0)] = 100.0
    """The 99th percentile of the time to restore a session."""
    lag_ms: Annotated[float, Field(gt=0)] = 50.0
    """The longest lag of its event loop."""
    redis_ms: Annotated[float, Field(gt=0)] = 50.0
    """The longest time until Redis answers it."""
    waiting_ms: Annotated[float, Field(gt=0)] = 5000.0
    """The time that clients take from being asked to having moved."""


class RolloutPlan(Settings):
    """One rollout's weights, times and limits."""

    weights: tuple[Annotated[int, Field(ge=1, le=100)], ...] = (10, 50, 100)
    """The candidate's share at each canary step, in percent; the last is 100."""
    bake_seconds: Seconds = 3.0
    """How long each canary step is observed."""
    hold_seconds: Seconds = 15.0
    """How long a bake may be extended while the verdict is unclear."""
    shared_trouble_seconds: Seconds = 60.0
    """How long to wait while stable has the same trouble, before rolling back."""
    min_healthy_pct: Percent = 60.0
    """The share of a slot's machines that must pass the balancer's health check while it serves."""
    unhealthy_observations: Annotated[int, Field(ge=1, le=1000)] = 3
    """Observations in a row with fewer healthy machines before the candidate is blamed."""
    require_traffic: bool = True
    """True: a candidate with fewer than `min_attempts` attempts is rolled back."""
    prepare_timeout_seconds: Seconds = 900.0
    """The time within which a release must be installed."""
    start_timeout_seconds: Seconds = 60.0
    """The time within which a started candidate must be healthy and proven."""
    weight_timeout_seconds: Seconds = 10.0
    """The time within which the balancer must have applied a weight."""
    migrate_rate_per_second: Annotated[float, Field(gt=0, le=100_000)] = 200.0
    """Connections asked to move a second, at most; `pace` slows it down."""
    migrate_within_seconds: Annotated[float, Field(gt=0, le=3600)] = 10.0
    """Time a client has to move before it is closed with 1012."""
    rollback_within_seconds: Annotated[float, Field(ge=5, le=86_400)] = 40.0
    """A rollback asks every client to return within this time, however slow all is then."""
    drain_timeout_seconds: Seconds = 300.0
    """How long to wait for stragglers; on AWS the `deregistration_delay`."""
    keep_stable_seconds: Seconds = 0.0
    """How long the old colour is kept warm, for an instant rollback, once it is empty."""
    unattended_seconds: Annotated[float, Field(ge=1, le=86_400)] = 300.0
    """How long an open rollout may be without an engine before that is reported."""
    unattended_action: Literal["notify", "rollback"] = "notify"
    """What to do then. Local environments only: on AWS nothing watches the engines."""
    observe_seconds: Annotated[float, Field(gt=0, le=60)] = 0.25
    """The time between two observations of the engine."""
    pace: PaceLimits = PaceLimits()
    thresholds: Thresholds = Thresholds()

    @field_validator("weights")
    @classmethod
    def _rise_to_100(cls, weights: tuple[int, ...]) -> tuple[int, ...]:
        if not weights or weights[-1] != 100 or list(weights) != sorted(set(weights)):
            raise ValueError("must rise, step by step, and end at 100, as in [10, 50, 100]")
        return weights
