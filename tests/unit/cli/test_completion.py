"""Completion is installed for the shell that asks, and completes in a real bash, fish and zsh."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ISSHONI = Path(sys.executable).with_name("isshoni")
COMPLETE = """
source "$HOME/.bash_completions/isshoni.sh"
COMP_WORDS=({words}); COMP_CWORD={position}
_isshoni_completion isshoni
printf '%s\\n' "${{COMPREPLY[@]}}"
"""

TYPE_IN_ZSH = """
zmodload zsh/zpty
typeset -F SECONDS
read_until() {{
  seen=""
  while (( SECONDS < {seconds} )); do
    zpty -r -t terminal part && seen+=$part || sleep 0.05
    [[ $seen == ${{~1}} ]] && return
  done
}}
zpty terminal zsh -i
zpty -w terminal "PROMPT=; print REA''DY"
read_until "*READY*"
zpty -w -n terminal $'isshoni {typed}\\t'
read_until "{pattern}"
print -r -- "${{(V)seen}}"
zpty -d terminal
"""
"""Types a line and one Tab into a terminal with a new zsh, and prints what the terminal shows."""


def run_bash(home: Path, line: str) -> subprocess.CompletedProcess[str]:
    path = f"{ISSHONI.parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "--norc", "--noprofile", "-c", line], cwd=home,
        env={"HOME": str(home), "PATH": path}, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home directory in which completion was installed."""
    made = tmp_path_factory.mktemp("home")
    # The second command keeps bash from replacing itself: its child must find it.
    done = run_bash(made, "isshoni --install-completion; exit $?")
    assert done.returncode == 0, done.stderr
    assert "bash completion installed" in done.stdout
    return made


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("isshoni dep", ["deploy"]),
        ("isshoni re", ["resume", "rebalance"]),
        ("isshoni deploy --dr", ["--drain", "--dry-run"]),
        ("isshoni down --pu", ["--purge"]),
    ],
)
def test_commands_and_options_are_completed_in_bash(
    home: Path, words: str, expected: list[str]
) -> None:
    position = len(words.split()) - 1
    done = run_bash(home, COMPLETE.format(words=words, position=position))
    assert sorted(done.stdout.split()) == sorted(expected), done.stderr


def test_a_new_bash_loads_it(home: Path) -> None:
    assert "isshoni.sh" in (home / ".bashrc").read_text()


@pytest.mark.parametrize(
    ("shell", "sign"), [("zsh", "#compdef isshoni"), ("fish", "complete --command isshoni")]
)
def test_the_other_shells_have_a_script(tmp_path: Path, shell: str, sign: str) -> None:
    undetected = "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION=1"
    done = run_bash(tmp_path, f"{undetected} isshoni --show-completion {shell}")
    assert sign in done.stdout, done.stderr


@pytest.mark.parametrize(
    ("typed", "expected"),
    [("dep", "deploy"), ("deploy --dr", "--drain --dry-run"), ("down --pu", "--purge")],
)
def test_commands_and_options_are_completed_in_fish(
    tmp_path: Path, typed: str, expected: str
) -> None:
    need("fish")
    install(tmp_path, "fish")
    done = run_bash(tmp_path, f"fish -c \"complete -C 'isshoni {typed}'\"; exit $?")
    offered = [line.split("\t")[0] for line in done.stdout.splitlines()]
    assert sorted(offered) == sorted(expected.split()), done.stderr


@pytest.mark.parametrize(
    ("typed", "expected"),
    [("dep", "deploy"), ("deploy --dr", "--drain --dry-run"), ("down --pu", "--purge")],
)
def test_the_first_tab_in_a_new_zsh_completes(tmp_path: Path, typed: str, expected: str) -> None:
    need("zsh")
    install(tmp_path, "zsh")
    pattern = "*" + "*".join(expected.split()) + "*"
    (tmp_path / "type.zsh").write_text(TYPE_IN_ZSH.format(typed=typed, pattern=pattern, seconds=30))
    done = run_bash(tmp_path, "TERM=dumb zsh -f type.zsh; exit $?")
    missing = [word for word in expected.split() if word not in done.stdout]
    assert missing == [], done.stdout + done.stderr


def need(shell: str) -> None:
    """Skip the test if the machine lacks a shell; fail in CI, which installs it."""
    if shutil.which(shell) is None:
        assert os.environ.get("CI") != "true", f"CI needs {shell}"
        pytest.skip(f"NOT RUN: this machine has no {shell}")


def install(home: Path, shell: str) -> None:
    """Install completion as a user of that shell does."""
    undetected = "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION=1"
    done = run_bash(home, f"{undetected} isshoni --install-completion {shell}; exit $?")
    assert done.returncode == 0, done.stderr
