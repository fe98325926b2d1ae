"""Every page of docs/ has a Korean page of the same shape, commands and settings."""

import re
import textwrap
import tomllib
from pathlib import Path
from typing import Any

import pytest
from tools.docs.commands import is_command, split_commands
from tools.docs.markdown import find_code_blocks, find_code_spans, find_links, read_lines
from tools.docs.stage import ROOT

DOCUMENTS = ROOT / "docs"
KOREAN = DOCUMENTS / "ko"
PAGES = sorted(path.name for path in DOCUMENTS.glob("*.md"))
OUTSIDE = {"README.md": ROOT / "README.md"}
"""Korean pages whose English twin is not in docs/."""


@pytest.mark.parametrize("name", PAGES)
def test_a_korean_page_has_the_shape_of_its_english_twin(name: str) -> None:
    assert count_parts(KOREAN / name) == count_parts(DOCUMENTS / name)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_and_its_twin_link_to_each_other(name: str) -> None:
    assert f"\n\n한국어: [ko/{name}](ko/{name})\n\n" in (DOCUMENTS / name).read_text()
    english = (KOREAN / name).read_text().split("\n")[2]
    assert re.fullmatch(rf"English: \[(?:docs/)?{name}\]\(\.\./{name}\)", english)


@pytest.mark.parametrize("name", [*PAGES, *OUTSIDE])
def test_a_korean_page_has_the_commands_and_settings_of_its_english_twin(name: str) -> None:
    english = OUTSIDE.get(name, DOCUMENTS / name)
    assert find_commands(KOREAN / name) == find_commands(english)
    assert find_settings(KOREAN / name) == find_settings(english)


@pytest.mark.parametrize("name", [*PAGES, *OUTSIDE])
def test_a_korean_page_links_to_korean_pages(name: str) -> None:
    links = find_links((KOREAN / name).read_text())
    targets = [link.target.partition("#")[0] for link in links if link.line > 3]
    assert [
        target for target in targets if target.removeprefix("../") in PAGES and ".." in target
    ] == []


def test_every_page_has_a_korean_twin_and_the_reverse() -> None:
    assert {path.name for path in KOREAN.glob("*.md")} == {*PAGES, *OUTSIDE}


def count_parts(document: Path) -> dict[str, int]:
    """Return how many headings, code blocks and table rows a document has."""
    text = document.read_text()
    lines = [line.text for line in read_lines(text) if not line.is_code]
    return {
        **{
            f"headings {n}": sum(line.startswith("#" * n + " ") for line in lines)
            for n in (1, 2, 3, 4)
        },
        "code blocks": len(find_code_blocks(text)),
        "table rows": sum(line.startswith("|") for line in lines),
    }


def find_commands(document: Path) -> set[tuple[str, ...]]:
    """Return the words of every command of a document, without comments."""
    text = document.read_text()
    blocks = [block.text for block in find_code_blocks(text) if is_command(block.text)]
    spans = [code for _, code in find_code_spans(text) if is_command(code)]
    return {tuple(words) for code in [*blocks, *spans] for words in split_commands(code)}


def find_settings(document: Path) -> list[dict[str, Any]]:
    """Return the TOML blocks of a document, parsed."""
    blocks = find_code_blocks(document.read_text())
    return [tomllib.loads(textwrap.dedent(b.text)) for b in blocks if b.language == "toml"]
