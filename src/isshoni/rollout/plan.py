"""How a rollout is to go: weights, bakes, limits, times. Validated whole."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

Seconds = Annotated[float, Field(ge=0, le=86_400)]
Percent = Annotated[float, Field(ge=0, le=100)]


class Settings(BaseModel):
    """Frozen configuration; an unknown name is a fault, not silence."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Thresholds(Settings):
    """What the candidate may do at worst while it bakes."""

    target_pct: Percent = 0.1
    """What a good release keeps to, for every share of failures."""
    errors_5xx_pct: Percent = 1.0
    """The alarm: over this a release fails as soon as it is surely over its target."""
    refused_pct: Percent = 1.0
    """Sockets and connections that the candidate did not take."""
    broken_pct: Percent = 1.0
    """Sockets that failed while they were open."""
    restore_failures_pct: Percent = 1.0
    redis_errors_pct: Percent = 1.0
    """Messages, edits and restores that Redis did not take or give."""
    slow_looks_target_pct: Percent = 2.0
    slow_looks_pct: Percent = 20.0
    """Looks at which more than 20 % of the acks had taken longer than 0.1 s."""
    pubsub_lag_ms: Annotated[float, Field(gt=0)] = 500.0
    event_loop_lag_ms: Annotated[float, Field(gt=0)] = 500.0
    restarts: Annotated[int, Field(ge=0)] = 0
    """Times the candidate may die while clients could be on it."""
    min_attempts: Annotated[int, Field(ge=0)] = 30
    """Requests and sockets, of users or probes, on which a step's verdict rests."""
    min_entries: Annotated[int, Field(ge=0)] = 8
    """Synthetic users who must have entered a session and talked, or failed to, too."""


class PaceLimits(Settings):
    """What the side that sessions move to may be driven to; a move slows down before."""

    cpu_ceiling_pct: Annotated[float, Field(gt=0, le=10_000)] = 80.0
    """Of one core."""
    restore_ms: Annotated[float, Field(gt=0)] = 100.0
    """The 99th percentile of restoring a session."""
    lag_ms: Annotated[float, Field(gt=0)] = 50.0
    """Of its event loop, at worst."""
    redis_ms: Annotated[float, Field(gt=0)] = 50.0
    """Redis' answer to it, at worst."""


class RolloutPlan(Settings):
    """One rollout's weights, times and limits."""

    weights: tuple[Annotated[int, Field(ge=1, le=100)], ...] = (10, 50, 100)
    """The candidate's share at each canary step, in percent; the last is 100."""
    bake_seconds: Seconds = 3.0
    """How long each canary step is watched."""
    hold_seconds: Seconds = 15.0
    """How long past its end a bake may be held up by an unclear verdict."""
    shared_trouble_seconds: Seconds = 60.0
    """How long to wait while stable has the same trouble, before rolling back."""
    require_traffic: bool = True
    """Whether a candidate with fewer than `min_attempts` attempts goes back, or goes on."""
    prepare_timeout_seconds: Seconds = 900.0
    """Until a release must be installed."""
    start_timeout_seconds: Seconds = 60.0
    """From starting the candidate to its being healthy and proven."""
    weight_timeout_seconds: Seconds = 10.0
    """Until the balancer must have taken a weight."""
    migrate_rate_per_second: Annotated[float, Field(gt=0, le=100_000)] = 200.0
    """Connections asked to move a second, at most; `pace` slows it down."""
    migrate_within_seconds: Annotated[float, Field(gt=0, le=3600)] = 10.0
    """Time a client has to move before it is closed with 1012."""
    drain_timeout_seconds: Seconds = 300.0
    """What stragglers get, `deregistration_delay`."""
    keep_stable_seconds: Seconds = 0.0
    """How long the old colour is kept warm, for an instant rollback, once it is empty."""
    unattended_seconds: Annotated[float, Field(ge=1, le=86_400)] = 300.0
    """How long an open rollout may be without an engine before that is reported."""
    unattended_action: Literal["notify", "rollback"] = "notify"
    """What to do then. Local environments only: on AWS nothing watches the engines."""
    observe_seconds: Annotated[float, Field(gt=0, le=60)] = 0.25
    """Between two looks of the engine."""
    pace: PaceLimits = PaceLimits()
    thresholds: Thresholds = Thresholds()

    @field_validator("weights")
    @classmethod
    def _rise_to_100(cls, weights: tuple[int, ...]) -> tuple[int, ...]:
        if not weights or weights[-1] != 100 or list(weights) != sorted(set(weights)):
            raise ValueError("must rise, step by step, and end at 100, as in [10, 50, 100]")
        return weights
