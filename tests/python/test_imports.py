"""The package's floor plan: no module imports one that imports it, however far around."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from importlib.util import resolve_name
from pathlib import Path

import engine_comparison

PACKAGE = Path(engine_comparison.__file__).parent


def modules() -> dict[str, Path]:
    """All modules of the package, by name."""
    found = {}
    for file in PACKAGE.rglob("*.py"):
        parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


def imports(name: str, file: Path, known: set[str]) -> set[str]:
    """The modules of the package that a module imports, also those within a function."""
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = resolve_name("." * node.level + (node.module or ""), package)
            within = {f"{base}.{alias.name}" for alias in node.names}
            found |= within & known or {base}
    return (found & known) - {name}


def test_there_is_no_import_circle():
    files = modules()
    graph = {name: imports(name, file, set(files)) for name, file in files.items()}
    assert "engine_comparison.ray_job" in graph["engine_comparison.job"]
    TopologicalSorter(graph).prepare()  # raises CycleError, with the circle
