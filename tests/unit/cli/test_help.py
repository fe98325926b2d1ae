"""What `--help` of each verb shows."""

import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from isshoni.cli.main import app
from isshoni.cli.verbs import VERBS, load_function, load_verb, split_examples


def list_examples(verb: str) -> list[str]:
    docstring = load_function(verb).__doc__
    lines = [line.strip() for line in docstring.splitlines()]
    return [line for line in lines if line.startswith("isshoni ")]


@pytest.mark.parametrize("verb", VERBS)
def test_each_example_is_kept_on_a_line_of_its_own(verb: str) -> None:
    words, examples = split_examples(load_function(verb).__doc__)
    assert examples.splitlines() == list_examples(verb)
    assert not any(line.startswith("isshoni ") for line in words.splitlines())


@pytest.mark.parametrize("columns", ["44", "80"])
def test_examples_are_not_wrapped_at_any_width(columns: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "isshoni.cli", "deploy", "--help"],
        env={**os.environ, "COLUMNS": columns}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    shown = [line.strip() for line in done.stdout.splitlines()]
    assert [line for line in list_examples("deploy") if line not in shown] == []


@pytest.mark.parametrize("columns", ["40", "80", "120"])
@pytest.mark.parametrize("verb", ["", *VERBS])
def test_help_cuts_no_word_off_and_names_values_not_types(verb: str, columns: str) -> None:
    words = [verb, "--help"] if verb else ["--help"]
    done = CliRunner().invoke(app, words, env={"COLUMNS": columns, "TERMINAL_WIDTH": columns})
    assert done.exit_code == 0
    shown = done.output.partition("Examples:")[0]
    assert "…" not in shown and "<" not in shown.replace("<=", "")
    assert max(map(len, shown.splitlines())) <= int(columns)
    options = [name for param in load_verb(verb or "up").params for name in param.opts]
    if verb:
        assert [name for name in options if name.startswith("--") and name not in shown] == []
