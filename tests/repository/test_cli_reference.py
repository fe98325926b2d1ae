"""The reference of the command line is what the code says."""

import pytest
from tools.docs.cli_reference import PAGE, describe_parameter, render

from isshoni.cli.verbs import VERBS


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == render(), "run `scripts/docs --write`, and commit the page"


def test_it_describes_every_command() -> None:
    text = render()
    assert [name for name in VERBS if f"\n## isshoni {name}\n" not in text] == []


@pytest.mark.parametrize(
    ("names", "text", "row"),
    [
        ("--port <int range>", "A. [default: 87; 0<=x<=9]", "--port N|`87`|A. From 0 to 9."),
        ("--seconds <float range>", "A. [default: 3.0; x>=1]", "--seconds N|`3.0`|A. At least 1."),
        ("version <str>", "A label.  [required]", "VERSION|required|A label."),
        ("--env-file <list[Path]>", "Read it.", "--env-file FILE||Read it."),
        ("--drain SECONDS", "How long.", "--drain SECONDS||How long."),
        (
            "--force / --no-force",
            "Do. [default: no-force]",
            "--force / --no-force|`--no-force`|Do.",
        ),
        ("--config <path>", "File. [env var: A]", "--config FILE||File. (Or the variable `A`.)"),
    ],
)
def test_an_option_has_its_default_and_bounds(names: str, text: str, row: str) -> None:
    option, default, meaning = row.split("|")
    assert describe_parameter(names, text) == (f"`{option}`", default, meaning)
