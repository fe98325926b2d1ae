"""Stage the documents for the site: pages from the repository's root, and links that fit.

The documents are written to be read in the repository: they link to sources and to each other
by paths. On the site a link to a page becomes a link to that page; one to a source its label.
"""

import os.path
import re
from pathlib import Path

from tools.docs.markdown import read_lines, with_blank_lines_before_lists

ROOT = Path(__file__).parents[2]
FROM_ROOT = {
    "index.md": "README.md",
    "changelog.md": "CHANGELOG.md",
    "contributing.md": "CONTRIBUTING.md",
    "security-policy.md": "SECURITY.md",
    "typescript-client.md": "frontend/packages/client/README.md",
}
"""Pages of the site by their name there, with their source."""
PROPOSALS = "      - proposals/README.md\n"
"""The line of mkdocs.yml below which every proposal is listed."""
KOREAN = "      - ko/README.md\n"
"""The line of mkdocs.yml below which every other Korean page is listed."""
PYTHON_PATH = "paths: [../src]"
_LINK = re.compile(
    r"(?<!!)\[((?:[^\[\]]|\[[^\]]*\])*)\]\((?!https?:|#|mailto:)([^()\s#]+)(#[^()\s]*)?\)"
)
_IMAGE = re.compile(r"(!\[[^\]]*\]\()(?!https?:)([^()\s]+)(\))")


def stage(target: Path) -> Path:
    """Write the site's sources into `target`; return the path of their configuration.

    Files that are as they should be stay untouched: a server that shows them reloads less.
    """
    documents, source = ROOT / "docs", target / "source"
    names = {str(path.relative_to(documents)) for path in documents.rglob("*") if path.is_file()}
    pages = {name: f"docs/{name}" for name in sorted(names) if name.endswith(".md")} | FROM_ROOT
    for name in names - set(pages):
        _write(source / name, (documents / name).read_bytes())
    for name, path in pages.items():
        _write(source / name, fit_page((ROOT / path).read_text(), path, name).encode())
    for staged in list(source.rglob("*")):
        if staged.is_file() and str(staged.relative_to(source)) not in names | set(pages):
            staged.unlink()
    configuration = target / "mkdocs.yml"
    _write(configuration, _configuration().encode())
    return configuration


def _write(path: Path, content: bytes) -> None:
    if not path.exists() or path.read_bytes() != content:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _configuration() -> str:
    text = _with_korean(_with_proposals((ROOT / "mkdocs.yml").read_text()))
    return text.replace(PYTHON_PATH, f"paths: [{ROOT / 'src'}]")


def _with_proposals(configuration: str) -> str:
    """Return the configuration with every proposal in its navigation."""
    found = sorted(path.name for path in (ROOT / "docs" / "proposals").glob("[0-9]*.md"))
    listed = "".join(f"      - proposals/{name}\n" for name in found)
    return configuration.replace(PROPOSALS, PROPOSALS + listed)


def _with_korean(configuration: str) -> str:
    """Return the configuration with every Korean page, in the order of the English ones."""
    english = re.findall(r"^ +- ([\w-]+\.md)$", configuration, re.MULTILINE)
    listed = "".join(
        f"      - ko/{name}\n" for name in english if (ROOT / "docs" / "ko" / name).exists()
    )
    return configuration.replace(KOREAN, KOREAN + listed)


def fit_page(text: str, source: str, page: str) -> str:
    """Return a document as a page of the site."""
    return "".join(
        (line.text if line.is_code else _rewrite(line.text, source, page)) + "\n"
        for line in read_lines(with_blank_lines_before_lists(text))
    )


def _rewrite(text: str, source: str, uri: str) -> str:
    def link(match: re.Match[str]) -> str:
        target = _page_of(_in_repository(source, match[2]))
        if target is None:
            return match[1] if _exists(source, match[2]) else match[0]
        return f"[{match[1]}]({_relative(target, uri)}{match[3] or ''})"

    def image(match: re.Match[str]) -> str:
        path = _in_repository(source, match[2]).removeprefix("docs/")
        return f"{match[1]}{_relative(path, uri)}{match[3]}"

    return _LINK.sub(link, _IMAGE.sub(image, text))


def _in_repository(source: str, target: str) -> str:
    return os.path.normpath(os.path.join(os.path.dirname(source), target))


def _exists(source: str, target: str) -> bool:
    return (ROOT / _in_repository(source, target)).exists()


def _page_of(path: str) -> str | None:
    """Return the page of the site that shows a file; None if there is none."""
    for name, source in FROM_ROOT.items():
        if path == source:
            return name
    if path.startswith("docs/") and path.endswith(".md"):
        return path.removeprefix("docs/")
    return None


def _relative(target: str, uri: str) -> str:
    return os.path.relpath(target, os.path.dirname(uri) or ".")
