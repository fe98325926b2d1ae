"""The documentation site, built with every warning as an error."""

import importlib.util
import re
from pathlib import Path

import pytest
from tools.docs.__main__ import build
from tools.docs.stage import FROM_ROOT, ROOT, fit_page, stage

needs_builder = pytest.mark.skipif(
    importlib.util.find_spec("zensical") is None, reason="NOT RUN: needs `scripts/setup --dev`"
)


@needs_builder
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    done = build(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    html = tmp_path / "html"
    missing = [
        page
        for page in _pages()
        if not (html / page.replace("README.md", "index.md")).with_suffix(".html").exists()
    ]
    assert missing == []
    assert "SessionClient" in (html / "reference" / "client.html").read_text()
    assert [path for path in html.rglob("*.html") if _loads_from_elsewhere(path)] == []


@needs_builder
def test_a_broken_link_fails_the_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "tools.docs.stage.fit_page",
        lambda text, source, page: "# Page\n\n[lost](lost.md)\n",
    )
    done = build(tmp_path)
    assert done.returncode != 0


def test_every_document_is_in_the_navigation(tmp_path: Path) -> None:
    listed = set(re.findall(r"(?:: |- )(\S+\.md)$", stage(tmp_path).read_text(), re.MULTILINE))
    assert listed == set(_pages())


def test_links_fit_the_site() -> None:
    text = "A\n- [x](docs/design.md#engine) [y](src/isshoni) ![z](docs/images/a.png) [w](#w)\n"
    assert fit_page(text, "README.md", "index.md") == (
        "A\n\n- [x](design.md#engine) y ![z](images/a.png) [w](#w)\n"
    )
    assert fit_page("[x](../../README.md)\n", "docs/ko/page.md", "ko/page.md") == (
        "[x](../index.md)\n"
    )


def test_staging_again_touches_only_what_changed(tmp_path: Path) -> None:
    stage(tmp_path)
    stale = tmp_path / "source" / "stale.md"
    stale.write_text("# Stale\n")
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.md")}
    stage(tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.md")} == {
        path: at for path, at in times.items() if path != stale
    }


def _pages() -> list[str]:
    documents = ROOT / "docs"
    return [*FROM_ROOT, *(str(p.relative_to(documents)) for p in documents.rglob("*.md"))]


def _loads_from_elsewhere(page: Path) -> bool:
    return bool(re.search(r'<(?:script|img|link)[^>]+(?:src|href)="?https?:', page.read_text()))
