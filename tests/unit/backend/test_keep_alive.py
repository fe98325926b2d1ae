"""How long the backend keeps idle HTTP connections."""

import pytest
from fastapi import FastAPI

from isshoni.backend.process.server import _make_server
from isshoni.backend.settings.settings import BackendSettings, read_settings

NEEDED = {"ISSHONI_ADMIN_TOKEN": "t", "ISSHONI_TICKET_SECRET": "s" * 32}


@pytest.mark.parametrize(
    ("given", "seconds"), [({}, 180), ({"ISSHONI_KEEP_ALIVE_SECONDS": "9.5"}, 10)]
)
def test_idle_connection_is_kept_as_long_as_the_setting_says(
    given: dict[str, str], seconds: int
) -> None:
    settings: BackendSettings = read_settings(NEEDED | given)
    server = _make_server(FastAPI(), settings, lambda number, why, scope: None)
    assert server.config.timeout_keep_alive == seconds
