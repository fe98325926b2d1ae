"""Check the commands of the documents without running them."""

import importlib.util
import json
import re
import shlex
from pathlib import Path

import typer

from isshoni.cli.verbs import VERBS, load_verb
from tools.docs.stage import ROOT

OTHERS = frozenset(
    {
        "aws",
        "cp",
        "docker",
        "env",
        "export",
        "git",
        "head",
        "install",
        "journalctl",
        "loginctl",
        "mkdir",
        "mv",
    }
    | {"certbot", "nginx", "openssl", "pip", "pre-commit", "redis-cli", "redis-server", "sudo"}
    | {"set", "systemctl", "tar", "terraform", "uv"}
)
"""Programs that are not ours: their arguments are not checked."""
_SEPARATORS = frozenset({"&&", "||", ";", "|"})
_OURS = re.compile(r"(?:\.venv/bin/)?isshoni(?: |$)|scripts/[a-z]+(?: |$)")
_PLACEHOLDER = re.compile(r"^[A-Z][A-Z_]*$")
"""A word that stands for a name or a number, as ID in `isshoni history ID`."""
_INSTALLED = re.compile(r"^/srv/isshoni[\w.-]*/")
"""Where the documents say that Isshoni is installed."""
_PASSED_ON = frozenset({"test"})
"""Scripts that pass their arguments on to pytest."""


def is_command(text: str) -> bool:
    """True if a text begins like a command line."""
    words = text.split()
    known = {"cd", "npm", "python"} | OTHERS
    return bool(_OURS.match(text)) or (bool(words) and words[0].removeprefix(".venv/bin/") in known)


def split_commands(text: str) -> list[list[str]]:
    """Return the words of every command of a block, without comments."""
    commands: list[list[str]] = []
    open_line = ""
    for line in text.replace("\\\n", " ").splitlines():
        try:
            found = shlex.split(open_line + line, comments=True)
        except ValueError:
            open_line += line + "\n"  # a quotation goes on in the next line
            continue
        open_line = ""
        words: list[str] = []
        for word in [*found, ";"]:
            if word not in _SEPARATORS:
                words.append(word)
            elif words:
                commands.append(words)
                words = []
    if open_line:
        raise ValueError(f"no closing quotation in {open_line!r:.80}")
    return commands


def find_fault(words: list[str]) -> str | None:
    """Return what is wrong with a command; None if nothing is."""
    if words[0] == "sudo" and words[1:]:
        words = words[3:] if words[1] == "-u" else words[1:]
    program, rest = _INSTALLED.sub("", words[0]).removeprefix(".venv/bin/"), words[1:]
    if "…" in rest:
        rest = rest[: rest.index("…")]
    if program == "isshoni":
        return _fault_of_verb(rest)
    if program.startswith("scripts/"):
        return _fault_of_script(program, rest)
    if program == "cd":
        return _fault_of_folder(rest[0])
    if program == "npm":
        return _fault_of_npm(rest)
    if program == "python":
        return _fault_of_module(rest)
    return None if program in OTHERS else f"{program} is no program that the documents may name"


def _fault_of_folder(name: str) -> str | None:
    """Return what is wrong with a folder of this repository, or one inside of a composition."""
    if name == "isshoni" or name.startswith("/srv/"):
        return None
    there = [ROOT, *(ROOT / "infrastructure/terraform/compositions").iterdir()]
    return None if any((folder / name).is_dir() for folder in there) else f"no folder {name}"


def _fault_of_verb(words: list[str]) -> str | None:
    while words and words[0].startswith("--config"):
        words = words[2:]
    if not words or words[0] in ("--help", "--version", "--install-completion"):
        return None
    verb, *rest = (_PLACEHOLDER.sub("7", word.strip("[]")) for word in words)
    if verb not in VERBS:
        return f"isshoni has no verb {verb}"
    if "--help" in rest:
        return None
    try:
        load_verb(verb).make_context(verb, list(rest))
    except typer.Exit:
        return None
    except Exception as fault:
        # Typer does not export the class of its usage errors.
        explain = getattr(fault, "format_message", None)
        if explain is None:
            raise
        # A verb alone names the verb: it may need more to run.
        return f"isshoni {verb}: {explain()}" if rest else None
    return None


def _fault_of_script(program: str, words: list[str]) -> str | None:
    script = ROOT / program
    if not script.is_file():
        return f"there is no {program}"
    if script.name in _PASSED_ON:
        return _fault_of_paths(words)
    sources = [script, *(ROOT / "tools" / script.name).glob("__main__.py")]
    if script.name == "bench" and words and not words[0].startswith("-"):
        sources = [ROOT / "benchmarks" / f"{words[0]}.py"]
        if not sources[0].is_file():
            return f"there is no benchmark {words[0]}"
    text = "".join(path.read_text() for path in sources) + "--help"
    for word in words:
        if word.startswith("--") and not re.search(rf"{re.escape(word)}\b", text):
            return f"{' '.join([program, *words])}: there is no option {word}"
    return None


def _fault_of_paths(words: list[str]) -> str | None:
    for word in words:
        if word.startswith("tests/") and not (ROOT / word.partition("::")[0]).exists():
            return f"there is no {word}"
    return None


def _fault_of_npm(words: list[str]) -> str | None:
    scripts = json.loads((ROOT / "frontend" / "package.json").read_text())["scripts"]
    if words[0] in ("ci", "install", "pack"):
        return None
    if words[0] == "test" or (words[0] == "run" and words[1] in scripts):
        return None
    return f"frontend/package.json has no script for npm {' '.join(words)}"


def _fault_of_module(words: list[str]) -> str | None:
    if words[:1] != ["-m"]:
        return None
    spec = importlib.util.find_spec(words[1])
    if spec is None or spec.origin is None:
        return f"there is no module {words[1]}"
    package = Path(spec.origin).parent
    text = "".join(path.read_text() for path in package.glob("*.py"))
    for word in words[2:]:
        if word.startswith("--") and word not in text:
            return f"{words[1]} has no option {word}"
    return None
