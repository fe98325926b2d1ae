"""The version's places and the CHANGELOG section, as text."""

from pathlib import Path

import pytest
from tools.release.errors import ReleaseFailed
from tools.release.versions import (
    VERSIONED,
    has_entries,
    parse_version,
    read_version,
    unreleased_changes,
    with_section,
    with_version,
)

ROOT = Path(__file__).parents[2]
CHANGELOG = "# Changelog\n\n## [Unreleased]\n\n### Added\n- A.\n\n## [0.1.0] - 2026-01-01\n- Old.\n"


def test_every_versioned_file_of_this_repository_takes_a_new_version() -> None:
    old = read_version((ROOT / "pyproject.toml").read_text())
    for path in VERSIONED:
        text = (ROOT / path).read_text()
        changed = with_version(path, text, old, "98.7.6")
        assert changed.count("98.7.6") == (2 if path.endswith("package-lock.json") else 1)
        assert changed.replace("98.7.6", old) == text


def test_a_file_with_another_version_is_refused() -> None:
    with pytest.raises(ReleaseFailed, match=r"pyproject\.toml should contain once"):
        with_version("pyproject.toml", '\nversion = "0.3.0"\n', "0.2.0", "0.4.0")


def test_unreleased_changes_become_a_section_below_an_empty_unreleased() -> None:
    changed = with_section(CHANGELOG, "0.2.0", "2026-11-26")
    assert changed == CHANGELOG.replace(
        "## [Unreleased]\n", "## [Unreleased]\n\n## [0.2.0] - 2026-11-26\n"
    )
    assert not has_entries(unreleased_changes(changed))


def test_unreleased_changes_end_at_the_next_version() -> None:
    assert unreleased_changes(CHANGELOG) == "### Added\n- A."


def test_headings_without_an_entry_are_no_changes() -> None:
    assert not has_entries("### Added\n\n### Fixed\n")


@pytest.mark.parametrize("text", ["", "1.2", "v1.2.3", "1.2.3rc1", "01.2.3", "1.2.3\n"])
def test_other_forms_of_a_version_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected three numbers"):
        parse_version(text)


def test_versions_compare_by_number() -> None:
    assert parse_version("0.10.0") > parse_version("0.9.9")
