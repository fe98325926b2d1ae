"""Every module's README names all of its inputs and outputs."""

import re
from pathlib import Path

import pytest

from tests.support.terraform.composition import INFRASTRUCTURE

MODULES = sorted((INFRASTRUCTURE / "modules").iterdir())


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_a_module_is_described_whole(module: Path) -> None:
    declared = "".join((module / f"{kind}.tf").read_text() for kind in ("variables", "outputs"))
    names = re.findall(r'^(?:variable|output) "(\w+)"', declared, re.MULTILINE)
    described = re.findall(r"^\| `(\w+)` \|", (module / "README.md").read_text(), re.MULTILINE)
    assert described == names
