"""The test vectors that every client shares."""

import json
from pathlib import Path
from typing import Any

import pytest

_VECTORS = Path(__file__).parents[2] / "vectors"


def load(name: str) -> Any:
    """Load one file of vectors."""
    return json.loads((_VECTORS / f"{name}.json").read_text(encoding="utf-8"))


def cases(name: str) -> pytest.MarkDecorator:
    """Make a test of each case in a file of vectors."""
    params = [pytest.param(case["steps"], id=case["name"]) for case in load(name)["cases"]]
    return pytest.mark.parametrize("steps", params)
