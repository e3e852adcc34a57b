"""Reading Python source for the house rules: which dotted names a module uses, and how long its parts are."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent.parent
PACKAGE = REPOSITORY / "schedulerui"


def modules(root: Path, *, below: Path = REPOSITORY) -> dict[str, ast.Module]:
    """All modules under `root` but the migrations, by their path in the repository."""
    return {
        path.relative_to(below).as_posix(): ast.parse(path.read_text(), filename=str(path))
        for path in sorted(root.rglob("*.py"))
        if "migrations" not in path.relative_to(root).parts[:-1]
    }


def uses(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Each (line, dotted name) that the module imports or reaches through an import, whatever it is called there."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                names[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
                yield node.lineno, f"{node.module}.{alias.name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and (dotted := _dotted(node, names)):
            yield node.lineno, dotted


def _dotted(node: ast.expr, names: dict[str, str]) -> str:
    """The full name of `a.b.c` where `a` was imported; empty for anything else."""
    if isinstance(node, ast.Name):
        return names.get(node.id, "")
    if isinstance(node, ast.Attribute) and (start := _dotted(node.value, names)):
        return f"{start}.{node.attr}"
    return ""


def users_of(banned: tuple[str, ...], trees: dict[str, ast.Module]) -> list[str]:
    """Each place, as "path:line name", that uses one of these names or something inside it."""
    found = {
        f"{path}:{line} {name}"
        for path, tree in trees.items()
        for line, name in uses(tree)
        if any(name == ban or name.startswith(f"{ban}.") for ban in banned)
    }
    return sorted(found)


def lengths_of_functions(tree: ast.Module) -> Iterator[tuple[int, str, int]]:
    """Each function's (line, name, number of lines from `def` to its end)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.lineno, node.name, (node.end_lineno or node.lineno) - node.lineno + 1
