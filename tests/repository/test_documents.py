"""What the documents say can be found, parsed or run.

Parsed: every command of ours with its options, JSON, TOML (by the validation of `isshoni` itself),
Python (compiled, with its imports). Run here: what takes no more than a second. The README's two
commands are run by `tests/e2e/test_demo.py` and by CI, its other commands by `tests/e2e`; the nginx
block by `tests/integration/backend/test_behind_nginx.py`.
"""

import re
import subprocess
from pathlib import Path

import pytest
from tools.docs.blocks import find_faults
from tools.docs.commands import find_fault, is_command, split_commands
from tools.docs.links import find_broken_links, find_documents, find_missing_sources
from tools.docs.markdown import find_anchors, find_code_blocks, find_code_spans
from tools.docs.stage import ROOT

DOCUMENTS = find_documents()
CURRENT = [document for document in DOCUMENTS if document.name != "CHANGELOG.md"]
"""Those that say what is true now; the CHANGELOG names what there was."""


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files_and_headings_that_exist(document: Path) -> None:
    assert find_broken_links(document) == []


@pytest.mark.parametrize("document", CURRENT, ids=lambda path: str(path.relative_to(ROOT)))
def test_sources_that_are_named_exist(document: Path) -> None:
    assert find_missing_sources(document) == []


@pytest.mark.parametrize("document", CURRENT, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_and_code_blocks_are_valid(document: Path) -> None:
    assert find_faults(document) == []


def test_the_classes_on_the_way_of_a_message_exist() -> None:
    text = (ROOT / "docs" / "design.md").read_text()
    table = text.partition("## Data path of one chat message")[2].partition("\n\n")[0]
    named = set(re.findall(r"`((?:[A-Z][a-z]+)+)`", table))
    sources = "".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    assert len(named) > 15
    assert [name for name in sorted(named) if f"\nclass {name}" not in sources] == []


def test_the_check_sees_most_commands_of_the_documents() -> None:
    texts = [document.read_text() for document in DOCUMENTS]
    spans = sum(is_command(code) for text in texts for _, code in find_code_spans(text))
    blocks = sum(is_command(b.text) for text in texts for b in find_code_blocks(text))
    assert spans > 100
    assert blocks > 15


@pytest.mark.parametrize(
    "command",
    [
        ["scripts/demo", "--help"],
        ["scripts/bench"],
        [".venv/bin/isshoni", "--version"],
        [".venv/bin/isshoni", "--help"],
    ],
    ids=" ".join,
)
def test_short_commands_run(command: list[str]) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("command", "fault"),
    [
        ("isshoni redeploy v1", "no verb redeploy"),
        ("isshoni deploy v1 --fast", "--fast"),
        (".venv/bin/isshoni verify --clients many", "whole number"),
        ("scripts/demo --exit --users 3", "no option --users"),
        ("scripts/nothing", "no scripts/nothing"),
        ("scripts/bench nothing", "no benchmark nothing"),
        ("scripts/bench soak --for-ever", "no option --for-ever"),
        ("scripts/test tests/unit/nothing.py", "no tests/unit/nothing.py"),
        ("scripts/release 1.2.3 --force", "no option --force"),
        ("cd nowhere && npm ci", "no folder nowhere"),
        ("npm run nothing", "npm run nothing"),
        ("python -m isshoni.nothing", "no module"),
        ("curl http://localhost", "curl is no program"),
    ],
)
def test_a_wrong_command_is_found(command: str, fault: str) -> None:
    found = [find_fault(words) for words in split_commands(command)]
    assert fault in str(found)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("```json\n{'a': 1}\n```\n", "is not JSON"),
        ("```toml\n[rollout]\nbake = 3\n```\n", "is no isshoni.toml"),
        ("```python\nfrom isshoni.client import Nothing\n```\n", "has no Nothing"),
        ("```python\nclass\n```\n", "is not Python"),
        ("    isshoni redeploy v1   # indented\n", "no verb redeploy"),
        ("Run `isshoni redeploy v1` now.\n", "no verb redeploy"),
        ("```cobol\nSTOP RUN\n```\n", "cobol cannot be checked"),
    ],
)
def test_a_wrong_block_is_found(text: str, fault: str) -> None:
    assert fault in str(find_faults(ROOT / "README.md", text))


def test_a_link_to_nothing_is_found() -> None:
    text = "# Here\n\n[a](#here) [b](#there) [c](lost.md) [d](docs/design.md#nowhere) `[e](x.md)`\n"
    faults = find_broken_links(ROOT / "README.md", text)
    assert faults == [
        "README.md:3: #there has no such heading",
        "README.md:3: lost.md does not exist",
        "README.md:3: docs/design.md#nowhere has no such heading",
    ]


def test_a_source_that_is_gone_is_found() -> None:
    text = (
        "`rollout/steps.py` `tests/unit/nothing.py::test_x` `docs/proposals/NNN-title.md` `a/b`\n"
    )
    assert find_missing_sources(ROOT / "README.md", text) == [
        "README.md:1: there is no file tests/unit/nothing.py"
    ]


def test_anchors_are_those_of_the_forge() -> None:
    text = "# A `code` & [link](x.md)\n## Twice\n## Twice\n### 한국어, 둘\n```\n# no heading\n```\n"
    assert find_anchors(text) == {"a-code--link", "twice", "twice-1", "한국어-둘"}
