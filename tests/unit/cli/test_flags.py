"""Each command has `--json` where there is data, and `--dry-run` where it changes something."""

import pytest

from isshoni.cli.verbs import VERBS, load_verb

CHANGES_NOTHING = {"plan", "status", "logs", "history", "dashboard", "token"}
PRINTS_TEXT = {"logs", "dashboard"}
"""The lines of a log, and an address: no data."""


def list_options(verb: str) -> set[str]:
    return {option for param in load_verb(verb).params for option in param.opts}


@pytest.mark.parametrize("verb", VERBS)
def test_a_command_that_changes_something_has_dry_run(verb: str) -> None:
    assert ("--dry-run" in list_options(verb)) == (verb not in CHANGES_NOTHING)


@pytest.mark.parametrize("verb", VERBS)
def test_a_command_with_data_has_json(verb: str) -> None:
    assert ("--json" in list_options(verb)) == (verb not in PRINTS_TEXT)
