from dataclasses import asdict
from typing import Any

import pytest

from isshoni.client import states
from isshoni.client.states import Effect, Event, Idle, Moving, Overdue, State, step
from tests.unit.session.vectors import cases

_EVENTS: dict[str, type[Event]] = {
    "open": states.Open,
    "migrate": states.Migrate,
    "restored": states.Restored,
    "lost": states.Lost,
    "overdue": Overdue,
}


@cases("connections")
def test_vector(steps: list[dict[str, Any]]) -> None:
    state: State = Idle()
    for described in steps:
        fields = dict(described["event"])
        event = _EVENTS[fields.pop("do")](**fields)
        state, effects = step(state, event)
        assert {"is": type(state).__name__.lower(), **asdict(state)} == described["state"]
        assert [_describe(effect) for effect in effects] == described["effects"]


def test_a_state_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Moving(1, 2, "green").to = "blue"  # type: ignore[misc]


def _describe(effect: Effect) -> dict[str, Any]:
    return {name: value for name, value in asdict(effect).items() if value is not None}
