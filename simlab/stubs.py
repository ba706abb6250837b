"""Names that a package loads when they are first used: its ``__init__.pyi`` lists each, once."""

import ast
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any


def names_in_stub(package: str, file: str) -> tuple[Callable, Callable, list[str]]:
    """Return a package's ``__getattr__``, ``__dir__`` and ``__all__``, by the imports of its stub.

    Editors and type checkers read the same stub.

    Args:
        package, file: the package's ``__name__`` and ``__file__``.
    """
    stub = Path(file).with_suffix(".pyi").read_text(encoding="utf-8")
    home_of = {}
    for node in ast.parse(stub).body:
        if isinstance(node, ast.ImportFrom):
            home_of |= {alias.name: node.module for alias in node.names}

    def load(name: str) -> Any:
        if name not in home_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        home = home_of[name]
        found = None if home == package else getattr(importlib.import_module(home), name, None)
        return importlib.import_module(f"{home}.{name}") if found is None else found

    public = [name for name, home in home_of.items() if home != package]
    return load, lambda: sorted(home_of), public
