"""The examples install what their tests run."""

import json
import re
import tomllib

import pytest
from tools.docs.stage import ROOT

from tests.support.examples import EXAMPLES, FOLDER, read_commands


def test_every_example_is_tested_and_listed() -> None:
    folders = {path.parent.name for path in FOLDER.glob("*/README.md")}
    assert folders == set(EXAMPLES)
    index = (FOLDER / "README.md").read_text()
    assert [name for name in sorted(folders) if f"]({name}/README.md)" not in index] == []


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_readme_has_the_commands_of_a_first_version_and_of_a_second(name: str) -> None:
    commands = read_commands(name)
    assert list(commands) == ["up", "deploy"]
    assert commands["up"][:2] == ["up", "v1"]
    assert commands["deploy"][:2] == ["deploy", "v2"]
    assert commands["up"][2:] == commands["deploy"][2:]


def test_npm_packages_have_the_versions_that_are_tested() -> None:
    lock = json.loads((ROOT / "frontend" / "package-lock.json").read_text())["packages"]
    for file in FOLDER.glob("*/package.json"):
        wanted = json.loads(file.read_text())["dependencies"]
        assert wanted == {name: lock[f"node_modules/{name}"]["version"] for name in wanted}


def test_python_packages_are_those_that_are_tested() -> None:
    lock = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    locked = {package["name"] for package in lock}
    for file in FOLDER.glob("*/README.md"):
        line = re.search(r"^ {4}pip install (.*)$", file.read_text(), re.MULTILINE)
        for word in line[1].split() if line else ():
            assert word.strip('"').partition("[")[0] in locked
