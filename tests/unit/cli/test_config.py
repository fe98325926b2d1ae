"""The configuration is checked whole."""

from pathlib import Path

import pytest
import typer

from isshoni.cli.config import load_config
from isshoni.cli.environments import place_on_aws
from isshoni.cli.errors import ConfigError
from isshoni.rollout.model import Relaying

EVERYTHING_WRONG = """
[rollout]
weights = [10, 5, 100]
bake_secondz = 3

[environments.local.ports]
public = 99999
blue = 8086
green = 8086

[environments.remote]
"""


def test_no_file_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = load_config(environ={})
    assert config.rollout.weights == (10, 50, 100)
    assert config.environments.local.state_dir == tmp_path / ".isshoni"


def test_every_fault_is_named_with_its_path(tmp_path: Path) -> None:
    file = tmp_path / "isshoni.toml"
    file.write_text(EVERYTHING_WRONG)
    with pytest.raises(ConfigError) as caught:
        load_config(file, environ={})
    named = [fault.split(":")[0] for fault in caught.value.faults]
    assert named == [
        "rollout.weights",
        "rollout.bake_secondz",
        "environments.local.ports.public",
        "environments.local.ports.green",
        "environments.remote.kind",
        "environments.remote.terraform",
    ]
    assert "rollout.weights: must rise" in str(caught.value)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("content", ["[rollout", "\xff\xfe"])
def test_a_file_that_is_not_toml_is_reported(tmp_path: Path, content: str) -> None:
    file = tmp_path / "isshoni.toml"
    file.write_bytes(content.encode("latin-1"))
    with pytest.raises(ConfigError, match="is not TOML"):
        load_config(file, environ={})


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path / "nope.toml", environ={})


def test_the_state_directory_is_relative_to_the_file(tmp_path: Path) -> None:
    file = tmp_path / "isshoni.toml"
    file.write_text('[environments.local]\nstate_dir = "here"\n')
    assert load_config(file, environ={}).environments.local.state_dir == tmp_path / "here"


def test_the_environment_variable_overrides_the_file(tmp_path: Path) -> None:
    file = tmp_path / "isshoni.toml"
    file.write_text('[environments.local]\nstate_dir = "here"\n')
    config = load_config(file, environ={"ISSHONI_STATE_DIR": str(tmp_path / "there")})
    assert config.environments.local.state_dir == tmp_path / "there"


AWS = """
[environments.staging]
kind = "aws"
terraform = "compositions/staging"
[environments.staging.rollout]
drain_timeout_seconds = 60
"""


def test_any_name_is_an_environment_on_aws_with_a_pace_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "isshoni.toml"
    file.write_text(AWS)
    config = load_config(file, environ={"ISSHONI_STATE_DIR": str(tmp_path / "kept")})
    staging = config.environments.on_aws["staging"]
    assert staging.terraform == tmp_path / "compositions" / "staging"
    assert staging.state_dir == tmp_path / "kept" / "staging"
    assert (staging.rollout.bake_seconds, staging.rollout.drain_timeout_seconds) == (600, 60)
    assert config.rollout.bake_seconds == 3


def test_every_fault_of_an_environment_on_aws_is_named(tmp_path: Path) -> None:
    file = tmp_path / "isshoni.toml"
    more = 'look_seconds = 0\nvariables = {image_version = "v1", zones = "3"}\nkind'
    file.write_text(AWS.replace("drain", "drian").replace("kind", more))
    with pytest.raises(ConfigError) as caught:
        load_config(file, environ={})
    assert [fault.split(":")[0] for fault in caught.value.faults] == [
        "environments.staging.variables",
        "environments.staging.look_seconds",
        "environments.staging.rollout.drian_timeout_seconds",
    ]


def test_variables_and_processes_are_checked_and_no_value_is_shown(tmp_path: Path) -> None:
    file = tmp_path / "isshoni.toml"
    file.write_text(
        '[app]\nenv = {"1A" = "hidden", B = 8_675_309}\n[app.processes]\n"Bad Name" = "serve"\n'
    )
    with pytest.raises(ConfigError) as caught:
        load_config(file, environ={})
    said = str(caught.value)
    assert "app.env.B: must be a string" in said
    assert "app.processes: 'Bad Name' is not a name of a process" in said
    assert "8675309" not in said
    file.write_text('[app]\nenv = {"1A" = "hidden"}\n')
    with pytest.raises(ConfigError, match="'1A' is not a name of a variable") as caught:
        load_config(file, environ={})
    assert "hidden" not in str(caught.value)


def test_a_file_of_variables_is_relative_to_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "isshoni.toml"
    file.write_text('[app]\nenv_file = "secrets/.env"\n')
    assert load_config(file, environ={}).app.env_file == tmp_path / "secrets" / ".env"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            'session_key = "cookie"',
            "session_key: 'cookie' names no session key; write one of",
        ),
        ('session_key = "segment:0"', "session_key: 'segment:0' names no session key"),
        ('profile = "mqtt"', "profile: must be one of: auto, plain, yjs"),
        ("preamble_messages = -1", "preamble_messages: "),
    ],
)
def test_a_wrong_setting_of_the_relay_is_named(tmp_path: Path, line: str, words: str) -> None:
    file = tmp_path / "isshoni.toml"
    file.write_text(f"[environments.local]\n{line}\n")
    with pytest.raises(ConfigError) as caught:
        load_config(file, environ={})
    assert words in str(caught.value)


def test_the_relay_is_on_by_default_and_can_be_turned_off(tmp_path: Path) -> None:
    assert load_config(environ={}).environments.local.relaying == Relaying()
    file = tmp_path / "isshoni.toml"
    file.write_text('[environments.local]\nprofile = "yjs"\nsession_key = "query:room"\n')
    found = load_config(file, environ={}).environments.local.relaying
    assert found == Relaying("yjs", "query:room")
    file.write_text("[environments.local]\nrelay = false\n")
    assert load_config(file, environ={}).environments.local.relaying is None


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("[rolout]", "rollout"),
        ("[rollout]\nbake_second = 3", "bake_seconds"),
        ("[rollout.thresholds]\nrefused = 1", "refused_pct"),
        ("[environments.local]\nredis-url = 'x'", "redis_url"),
        ("[environments.local.ports]\npublik = 1", "public"),
        ("[environments.production]\nkind = 'aws'\nterafform = '.'", "terraform"),
    ],
)
def test_a_typing_error_is_answered_with_the_nearest_setting(
    tmp_path: Path, text: str, meant: str
) -> None:
    file = tmp_path / "isshoni.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=f"there is no such setting: did you mean `{meant}`"):
        load_config(file, {})


PAIR = """
[environments.production]
kind = "aws"
name = "chat"
[environments.production.regions.eu-west-1]
terraform = "multi-region/first"
backend = {bucket = "first"}
[environments.production.regions.eu-central-1]
terraform = "multi-region/second"
url = "https://central.example.org"
"""


def test_two_regions_on_aws_are_each_an_environment_of_their_own(tmp_path: Path) -> None:
    file = tmp_path / "isshoni.toml"
    file.write_text(PAIR)
    config = load_config(file, environ={})
    first = place_on_aws(config, "production.eu-west-1")
    second = place_on_aws(config, "production.eu-central-1")
    assert (first.region, first.name, first.backend) == ("eu-west-1", "chat", {"bucket": "first"})
    assert first.terraform == tmp_path / "multi-region" / "first"
    assert second.public_url == "https://central.example.org"
    assert second.state_dir == tmp_path / ".isshoni" / "production" / "eu-central-1"
    with pytest.raises(typer.BadParameter, match=r"name one, as in `-e production\.eu-west-1`"):
        place_on_aws(config, "production")
    with pytest.raises(typer.BadParameter, match="there is no region 'us-east-1'"):
        place_on_aws(config, "production.us-east-1")


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (
            "regions.eu-central-1",
            "regions.east",
            "regions: 'east' is not the name of an AWS region",
        ),
        (
            "eu-central-1]",
            "eu-central-1]\nregion = 'us-east-1'",
            "regions.eu-central-1.region: there",
        ),
        ("second", "first", "regions: both regions have the terraform multi-region/first"),
        ('name = "chat"', 'region = "eu-west-1"', "region: each region has its own"),
        ('name = "chat"', 'terraform = "here"', "terraform: each region has its own"),
        ('name = "chat"', 'backend = {bucket = "b"}', "backend: each region has its own"),
        ('name = "chat"', 'public_url = "https://a"', "public_url: each region has its own"),
    ],
)
def test_faults_of_two_regions_on_aws_are_named(
    tmp_path: Path, old: str, new: str, fault: str
) -> None:
    file = tmp_path / "isshoni.toml"
    file.write_text(PAIR.replace(old, new))
    with pytest.raises(ConfigError) as caught:
        load_config(file, environ={})
    assert [f"environments.production.{fault}" in each for each in caught.value.faults] == [True]


def test_one_region_alone_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "isshoni.toml"
    file.write_text(PAIR.partition("[environments.production.regions.eu-central-1]")[0])
    with pytest.raises(ConfigError, match="there must be two regions, not 1: eu-west-1"):
        load_config(file, environ={})


WRONG = """
[rollout]
weights = "all"
bake_seconds = -1
unattended_action = "explode"
pace = 3
[rollout.thresholds]
restarts = "many"
[notifications]
urls = "slack://secret"
[environments.local]
relay = "perhaps"
redis_url = "redis://:secret@host"
regions = { east = {}, west = {} }
[environments.staging]
kind = "aws"
terraform = 4
"""


def test_faults_are_in_plain_words_without_secrets_or_names_of_classes(tmp_path: Path) -> None:
    file = tmp_path / "isshoni.toml"
    file.write_text(WRONG)
    with pytest.raises(ConfigError) as caught:
        load_config(file, environ={})
    assert caught.value.faults == [
        "rollout.weights: must be a list (it is 'all')",
        "rollout.bake_seconds: must be 0 or more (it is -1)",
        "rollout.unattended_action: must be 'notify' or 'rollback' (it is 'explode')",
        "rollout.pace: must be a table (it is 3)",
        "rollout.thresholds.restarts: must be a whole number (it is 'many')",
        "notifications.urls: must be a list",
        "environments.local.relay: must be true or false (it is 'perhaps')",
        "environments.staging.terraform: must be a path (it is 4)",
    ]
    file.write_text(WRONG.replace('relay = "perhaps"', ""))
    with pytest.raises(ConfigError, match="redis_url and regions exclude each other") as caught:
        load_config(file, environ={})
    assert "secret" not in str(caught.value)
