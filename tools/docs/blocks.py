"""Check the code blocks of the documents by their language."""

import ast
import importlib
import json
import textwrap
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

from pydantic import ValidationError

from isshoni.cli.config import Config
from tools.docs.commands import find_fault, is_command, split_commands
from tools.docs.markdown import CodeBlock, find_code_blocks, find_code_spans
from tools.docs.stage import ROOT

UNCHECKED = frozenset({"ini", "nginx", "text", "ts"})
"""Languages that nothing here can read: a unit of systemd, what a test of nginx runs itself, and
text that is no program."""


def find_faults(document: Path, text: str | None = None) -> list[str]:
    """Return a sentence for each block or command that is wrong, of a document or of `text`."""
    faults = []
    text = document.read_text() if text is None else text
    for block in find_code_blocks(text):
        for fault_of_block in _faults_of(block):
            faults.append(f"{document.relative_to(ROOT)}:{block.line}: {fault_of_block}")
    for line, code in find_code_spans(text):
        if is_command(code) and (fault := next(_check_shell(code), None)):
            faults.append(f"{document.relative_to(ROOT)}:{line}: {fault}")
    return faults


def _faults_of(block: CodeBlock) -> Iterator[str]:
    check = _CHECKS.get(block.language)
    if check is not None:
        yield from check(block.text)
    elif block.language not in UNCHECKED:
        yield f"a block of {block.language} cannot be checked; add it to tools/docs/blocks.py"


def _check_unmarked(text: str) -> Iterator[str]:
    if is_command(text):
        yield from _check_shell(text)


def _check_shell(text: str) -> Iterator[str]:
    try:
        commands = split_commands(text)
    except ValueError as fault:
        yield str(fault)
        return
    for words in commands:
        if fault_of_command := find_fault(words):
            yield fault_of_command


def _check_json(text: str) -> Iterator[str]:
    try:
        json.loads(text if text.lstrip().startswith(("{", "[")) else f"{{{text}}}")
    except ValueError as fault:
        yield f"is not JSON: {fault}"


def _check_toml(text: str) -> Iterator[str]:
    """Check a part of isshoni.toml as `isshoni` does when it reads one."""
    try:
        Config.model_validate(tomllib.loads(textwrap.dedent(text)))
    except (tomllib.TOMLDecodeError, ValidationError) as fault:
        yield f"is no isshoni.toml: {fault}"


def _check_python(text: str) -> Iterator[str]:
    """Compile a program, and import what it imports."""
    try:
        tree = ast.parse(text)
    except SyntaxError as fault:
        yield f"is not Python: {fault}"
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            module = importlib.import_module(node.module)
            for alias in node.names:
                if not hasattr(module, alias.name):
                    yield f"{node.module} has no {alias.name}"
        elif isinstance(node, ast.Import):
            for alias in node.names:
                importlib.import_module(alias.name)


_CHECKS: dict[str, Callable[[str], Iterator[str]]] = {
    "": _check_unmarked,
    "json": _check_json,
    "python": _check_python,
    "sh": _check_shell,
    "toml": _check_toml,
}
