"""No file of src/isshoni imports itself through others, `TYPE_CHECKING` imports included.

The order of the backend's rooms is in pyproject.toml, checked by import-linter.
"""

import ast
from collections.abc import Iterator, Mapping, Set
from pathlib import Path

SOURCES = Path(__file__).parents[2] / "src"

Imports = Mapping[str, Set[str]]


def list_modules(sources: Path) -> dict[str, Path]:
    """Return each module's file by its dotted name."""
    modules: dict[str, Path] = {}
    for path in sources.rglob("*.py"):
        parts = path.relative_to(sources).with_suffix("").parts
        modules[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return modules


def read_imports(sources: Path) -> dict[str, set[str]]:
    """Return the modules under `sources` that each of them imports, wherever in the file."""
    modules = list_modules(sources)
    return {
        name: set(_imported(ast.parse(path.read_text()), modules.keys())) - {name}
        for name, path in modules.items()
    }


def _imported(tree: ast.AST, known: Set[str]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, "imports are absolute here"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield from [name for name in (full, node.module) if name in known][:1]


def find_cycle(imports: Imports) -> list[str]:
    """Return the modules of one cycle in import order, the first one repeated; [] if none."""
    finished: set[str] = set()
    for start in sorted(imports):
        path: list[str] = []
        pending = [iter([start])]
        while pending:
            name = next(pending[-1], None)
            if name is None:
                pending.pop()
                if path:
                    finished.add(path.pop())
            elif name in path:
                return [*path[path.index(name) :], name]
            elif name not in finished:
                path.append(name)
                pending.append(iter(sorted(imports.get(name, ()))))
    return []


def test_no_file_imports_itself_through_others() -> None:
    cycle = find_cycle(read_imports(SOURCES))
    assert not cycle, "a cycle of imports: " + " → ".join(cycle)


def test_a_cycle_hidden_by_type_checking_is_found(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    (tmp_path / "p/__init__.py").write_text("")
    (tmp_path / "p/lower.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from p.upper import Upper\n"
    )
    (tmp_path / "p/middle.py").write_text("from p import lower\n")
    (tmp_path / "p/upper.py").write_text("def f():\n    import p.middle\n\nclass Upper: ...\n")
    assert find_cycle(read_imports(tmp_path)) == ["p.lower", "p.upper", "p.middle", "p.lower"]


def test_two_ways_to_one_module_are_no_cycle() -> None:
    assert find_cycle({"a": {"b", "c"}, "b": {"d"}, "c": {"d"}, "d": set()}) == []
