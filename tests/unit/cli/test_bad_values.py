"""A value that an option does not accept is explained in plain words, with the value."""

from typing import Annotated

import pytest
import typer
from pydantic import AfterValidator, TypeAdapter, ValidationError
from typer.testing import CliRunner

from isshoni.cli.main import app
from isshoni.cli.verbs import describe_bad_value

BAD_VALUES = [
    ("history -n 0", "'--limit' / '-n': must be 1 or more (it is '0')"),
    ("history -n ten", "'--limit' / '-n': must be a whole number (it is 'ten')"),
    ("plan -n 10 --restores-per-second fast", "must be a number (it is 'fast')"),
    ("drill outage", "'WHAT': 'outage' is not one of 'failover'"),
    ("verify --client irc", "'--client': 'irc' is not one of "),
    ("dashboard --port 99999", "'--port': must be 65535 or less (it is '99999')"),
]


@pytest.mark.parametrize(("words", "why"), BAD_VALUES, ids=lambda it: it)
def test_value_that_does_not_fit_is_a_usage_error(words: str, why: str) -> None:
    done = CliRunner().invoke(app, words.split(), env={"COLUMNS": "200", "TERMINAL_WIDTH": "200"})
    assert done.exit_code == 2
    assert why in done.output
    assert "Input should" not in done.output and "Value error" not in done.output


@pytest.mark.parametrize(
    ("words", "usage"),
    [
        ("logs", "isshoni logs [OPTIONS] NAME"),
        ("evacuate", "isshoni evacuate [OPTIONS] PROCESS"),
        ("backup", "isshoni backup [OPTIONS] FILE"),
        ("up --bad", "isshoni up [OPTIONS] [VERSION]"),
    ],
)
def test_usage_names_arguments_as_the_documents_do(words: str, usage: str) -> None:
    done = CliRunner().invoke(app, words.split())
    assert usage in done.output.replace("root", "isshoni")


def test_our_own_check_has_no_prefix_of_pydantic() -> None:
    def refuse(value: str) -> str:
        raise ValueError(f"{value} is no colour")

    fault = typer.BadParameter("Value error, pink is no colour")
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(Annotated[str, AfterValidator(refuse)]).validate_python("pink")
    fault.__cause__ = caught.value
    describe_bad_value(fault)
    assert fault.message == "pink is no colour"
