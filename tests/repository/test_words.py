"""The check of the words that CONTRIBUTING.md replaces."""

import re
from pathlib import Path

import pytest
from tools.words.__main__ import main
from tools.words.find import FIRST_WORDS, WORDS, find_words
from tools.words.rooms import ROOT, Allowed, Limits, find_hits, read_limits, room_of


def test_every_exception_is_of_use_and_has_a_reason() -> None:
    limits = read_limits()
    assert all(entry.reason for entry in limits.allowed)
    assert all((ROOT / entry.path).exists() for entry in limits.allowed)


def test_contributing_names_every_word_of_the_check() -> None:
    listed = (ROOT / "CONTRIBUTING.md").read_text()
    assert [word for word in [*WORDS, *FIRST_WORDS] if not re.search(rf"\b{word}\b", listed)] == []


@pytest.mark.parametrize(
    ("path", "text", "words"),
    [
        ("a.py", "# People come back.\n", ["People"]),
        ("a.py", "n_people = 1\nnobodys = 2\n", ["people"]),
        ("a.py", 'def f():\n    """Give a thing."""\n', ['"""Give']),
        ("a.py", 'x = 1\n"""Say it."""\n', ['"""Say']),
        ("a.py", 'def f():\n    """Given a thing, return it."""\n', []),
        ("a.py", 'x = f("Give this")\n', []),
        ("a.ts", "/** Take a name. */\n", ["/** Take"]),
        ("a.ts", "/**\n * Note a change.\n */\n", ["/** Note"]),
        ("a.md", "It is the\nway back, told anew.\n", ["the\nway back", "told", "anew"]),
        ("a.md", "a peoples' untold tale\n", []),
    ],
)
def test_words_are_found(path: str, text: str, words: list[str]) -> None:
    assert [hit.word for hit in find_words(path, text)] == words


def test_a_file_belongs_to_its_innermost_room() -> None:
    rooms = {"src": 0, "src/a": 0, "docs": 0}
    assert room_of("src/a/b.py", rooms) == "src/a"
    assert room_of("src/ab.py", rooms) == "src"
    assert room_of("tests/a.py", rooms) is None


def test_an_allowed_word_does_not_count(tmp_path: Path) -> None:
    room = tmp_path / "docs"
    room.mkdir()
    (room / "a.md").write_text("People told us.\n")
    allowed = (Allowed("docs/a.md", "human users", word="people", text="us"),)
    hits = find_hits(Limits({"docs": 0}, allowed), tmp_path)
    assert [hit.word for hit in hits["docs"]] == ["told"]


@pytest.fixture
def limits_of_docs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "limits.toml"
    path.write_text('[rooms]\n"docs" = 1\n')
    (tmp_path / "docs").mkdir()
    monkeypatch.setattr("tools.words.__main__.LIMITS", path)
    monkeypatch.setattr("tools.words.__main__.read_limits", lambda: read_limits(path))
    monkeypatch.setattr(
        "tools.words.__main__.find_hits", lambda limits: find_hits(limits, tmp_path)
    )
    return path


@pytest.mark.parametrize(
    ("text", "options", "code", "limit", "said"),
    [
        ("told", [], 0, 1, ""),
        ("told anew", [], 1, 1, "docs has 2 words to replace; 1 are allowed"),
        ("", [], 0, 1, "--lower"),
        ("", ["--lower"], 0, 0, ""),
        ("told anew", ["--lower"], 1, 1, "docs has 2 words"),
    ],
)
def test_a_number_may_only_fall(
    limits_of_docs: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    text: str,
    options: list[str],
    code: int,
    limit: int,
    said: str,
) -> None:
    (limits_of_docs.parent / "docs" / "a.md").write_text(text)
    monkeypatch.setattr("sys.argv", ["words", *options])
    assert main() == code
    assert said in capsys.readouterr().out
    assert read_limits(limits_of_docs).rooms["docs"] == limit
