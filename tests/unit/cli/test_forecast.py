"""What `--dry-run` prints."""

import json

import pytest

from isshoni.cli.output import print_forecast


def test_forecast_as_json_says_would_once(capsys: pytest.CaptureFixture[str]) -> None:
    print_forecast("would roll v2 back to v1", json=True, to="v1")
    assert json.loads(capsys.readouterr().out) == {
        "dry_run": True,
        "would": "roll v2 back to v1",
        "to": "v1",
    }


def test_forecast_in_words_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    print_forecast("would roll v2 back to v1", json=False, to="v1")
    assert capsys.readouterr().out == "would roll v2 back to v1\n"
