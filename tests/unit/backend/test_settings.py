"""Settings: validated whole, every fault with the name of its variable."""

import pytest

from isshoni.backend.errors import SettingsFault
from isshoni.backend.settings.settings import read_settings
from isshoni.backend.store.redis.link import Durability

SECRETS = {"ISSHONI_ADMIN_TOKEN": "t", "ISSHONI_TICKET_SECRET": "s" * 32}


def test_the_defaults_are_those_of_the_document() -> None:
    settings = read_settings(SECRETS)
    assert (settings.version, settings.colour) == ("dev", "blue")
    assert (settings.host, settings.port) == ("127.0.0.1", 9001)
    assert (settings.admin_host, settings.admin_port) == ("127.0.0.1", 9101)
    assert (settings.drain_seconds, settings.heartbeat_seconds) == (10.0, 20.0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ISSHONI_COLOUR", "red"),
        ("ISSHONI_PROCESS", "green"),
        ("ISSHONI_PROCESS", "red-1"),
        ("ISSHONI_PORT", "70000"),
        ("ISSHONI_PORT", "-1"),
        ("ISSHONI_ADMIN_PORT", "9001"),
        ("ISSHONI_DRAIN_SECONDS", "nan"),
        ("ISSHONI_DRAIN_SECONDS", "0"),
        ("ISSHONI_HEARTBEAT_SECONDS", "soon"),
        ("ISSHONI_SESSION_EXPIRY_DAYS", "0.5"),
        ("ISSHONI_SESSION_EXPIRY_DAYS", "-1"),
        ("ISSHONI_MAX_SESSIONS_STORED", "many"),
        ("ISSHONI_EMBED_HOSTS", "https://www.youtube.com"),
        ("ISSHONI_EMBED_HOSTS", "www.youtube.com, *.vimeo.com"),
        ("REDIS_URL", "localhost:6379"),
        ("ISSHONI_TICKET_SECRET", "short"),
        ("ISSHONI_ADMIN_TOKEN", ""),
        ("ISSHONI_REDIS_WAIT", "sometimes"),
    ],
)
def test_a_fault_names_its_variable(name: str, value: str) -> None:
    with pytest.raises(SettingsFault, match=name):
        read_settings(SECRETS | {name: value})


def test_all_faults_are_told_at_once_and_no_secret_is() -> None:
    with pytest.raises(SettingsFault) as caught:
        read_settings({"ISSHONI_PORT": "x", "REDIS_URL": "http://:hidden@h"})
    assert len(caught.value.faults) == 4
    assert "hidden" not in str(caught.value)


def test_hosts_of_embedded_pages_are_read_as_origins_once_each() -> None:
    embed_hosts = "www.YouTube.com, player.vimeo.com,www.youtube.com,"
    settings = read_settings(SECRETS | {"ISSHONI_EMBED_HOSTS": embed_hosts})
    assert settings.embed_hosts == ("https://www.youtube.com", "https://player.vimeo.com")
    assert read_settings(SECRETS).embed_hosts == ()


def test_a_write_waits_for_replicas_by_the_policy_of_the_environment() -> None:
    one = SECRETS | {"ISSHONI_REDIS_WAIT_REPLICAS": "1"}
    assert read_settings(SECRETS).redis_durability is None
    assert read_settings(one).redis_durability == Durability(1)
    best_effort = read_settings(one | {"ISSHONI_REDIS_WAIT": "best-effort"}).redis_durability
    assert best_effort == Durability(1, policy="best-effort")
    assert read_settings(one | {"ISSHONI_REDIS_WAIT": "off"}).redis_durability is None
    with pytest.raises(SettingsFault, match="ISSHONI_REDIS_WAIT"):
        read_settings(one | {"ISSHONI_REDIS_WAIT": "off", "ISSHONI_REDIS_WAIT_FSYNC": "yes"})
