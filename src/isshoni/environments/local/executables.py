"""Find out why a program could not be executed, before it is started."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

_HEAD_BYTES = 512
_SCRIPT = b"#!"


def find_execution_fault(command: Sequence[str], directory: Path, search_path: str) -> str | None:
    """Return why a command cannot be executed in a directory; None if nothing is wrong.

    A name without `/` is searched in `search_path`, as a shell does with PATH.
    """
    name = command[0]
    found = directory / name if "/" in name else _search(name, directory, search_path)
    if found is None:
        return f"{name} is not in any directory of PATH ({search_path})"
    return _examine(found, directory, search_path)


def _search(name: str, directory: Path, search_path: str) -> Path | None:
    places = [str(directory / place) for place in search_path.split(os.pathsep)]
    found = shutil.which(name, path=os.pathsep.join(places))
    return Path(found) if found else None


def _examine(path: Path, directory: Path, search_path: str) -> str | None:
    if not path.exists():
        return f"there is no file {path}"
    if path.is_dir():
        return f"{path} is a directory, not a program"
    if not path.is_file():
        return f"{path} is not a file"
    if not os.access(path, os.X_OK):
        return f"{path} is not executable (`chmod +x` makes it so)"
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError:  # a program may be executable and unreadable
        return None
    return _find_fault_of_script(path, head, directory, search_path)


def _find_fault_of_script(path: Path, head: bytes, directory: Path, search_path: str) -> str | None:
    if not head:
        return f"{path} is empty"
    if not head.startswith(_SCRIPT):
        if b"\0" in head:
            return None
        return f"{path} is a text without an interpreter line: begin it with one, like #!/bin/sh"
    line = head.split(b"\n", 1)[0].removeprefix(_SCRIPT)
    if line.endswith(b"\r"):
        return f"the interpreter line of {path} ends with a carriage return: write Unix line ends"
    words = line.decode(errors="replace").split()
    if not words:
        return f"the interpreter line of {path} names no program"
    interpreter = directory / words[0]
    if not interpreter.is_file() or not os.access(interpreter, os.X_OK):
        return f"the interpreter of {path}, {words[0]}, does not exist or is not executable"
    if interpreter.name == "env" and len(words) == 2 and not words[1].startswith("-"):
        if _search(words[1], directory, search_path) is None:
            return f"the interpreter of {path}, {words[1]}, is not in any directory of PATH"
    return None
