"""Check the links of the documents: files, folders and headings that exist."""

import os.path
import re
from functools import lru_cache
from pathlib import Path

from tools.docs.markdown import find_anchors, find_code_spans, find_links
from tools.docs.stage import ROOT

_ELSEWHERE = ("http://", "https://", "mailto:")
_SOURCE = re.compile(
    r"((?:[\w.@-]+/)+[\w.@-]+\.(?:json|lua|md|mjs|py|sh|tf|toml|tsx?))(?:::\w+)?", re.ASCII
)
_PLACEHOLDER = re.compile(r"NAME|ID\b|NNN")
_BASES = (ROOT, ROOT / "src" / "isshoni", ROOT / "src" / "isshoni" / "backend", ROOT / "frontend")
"""What the path of a source may be relative to."""


def find_documents() -> list[Path]:
    """Return every Markdown file that is part of the repository."""
    found = [*ROOT.glob("*.md"), *(ROOT / ".github").rglob("*.md"), *(ROOT / "docs").rglob("*.md")]
    found += (ROOT / "infrastructure").rglob("README.md")
    found += (ROOT / "frontend" / "packages").glob("*/README.md")
    found += [*(ROOT / "examples").glob("*.md"), *(ROOT / "examples").glob("*/README.md")]
    return sorted(path for path in found if ".terraform" not in path.parts)


def find_broken_links(document: Path, text: str | None = None) -> list[str]:
    """Return a sentence for each link whose file or heading does not exist.

    `text` is checked in place of what the document says now.
    """
    faults = []
    text = document.read_text() if text is None else text
    for link in find_links(text):
        if link.target.startswith(_ELSEWHERE):
            continue
        path, _, anchor = link.target.partition("#")
        target = Path(os.path.normpath(document.parent / path)) if path else document
        where = f"{document.relative_to(ROOT)}:{link.line}"
        if path.startswith("/") or not target.exists():
            faults.append(f"{where}: {link.target} does not exist")
        elif not target.is_relative_to(ROOT):
            faults.append(f"{where}: {link.target} is outside of the repository")
        elif (
            anchor
            and target.suffix == ".md"
            and anchor not in (find_anchors(text) if target == document else _anchors(target))
        ):
            faults.append(f"{where}: {link.target} has no such heading")
    return faults


def find_missing_sources(document: Path, text: str | None = None) -> list[str]:
    """Return a sentence for each path in backticks that is no file of the repository."""
    faults = []
    for line, code in find_code_spans(document.read_text() if text is None else text):
        match = _SOURCE.fullmatch(code)
        if match is None or _PLACEHOLDER.search(code):
            continue
        if not any((base / match[1]).is_file() for base in (*_BASES, document.parent)):
            faults.append(f"{document.relative_to(ROOT)}:{line}: there is no file {match[1]}")
    return faults


@lru_cache
def _anchors(document: Path) -> frozenset[str]:
    return frozenset(find_anchors(document.read_text()))
