"""What `--help` of each verb shows."""

import io
from importlib import import_module

import pytest
from rich.console import Console
from rich.markdown import Markdown

from isshoni.cli.verbs import VERBS, fence_examples


@pytest.mark.parametrize("verb", VERBS)
def test_each_example_has_a_line_of_its_own(verb: str) -> None:
    docstring = getattr(import_module(f"isshoni.cli.{verb}"), verb).__doc__
    examples = [
        line.strip() for line in docstring.splitlines() if line.strip().startswith("isshoni ")
    ]
    shown = io.StringIO()
    Console(file=shown, width=200).print(Markdown(fence_examples(docstring)))
    lines = [line.strip() for line in shown.getvalue().splitlines()]
    assert [example for example in examples if example not in lines] == []
