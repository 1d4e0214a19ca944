"""The public names of a package, with the first line that the code says about each. Errors have tables of their own."""

from __future__ import annotations

import inspect
import re
from functools import cache
from importlib import import_module
from pathlib import Path

from rcex_ws import RcexError
from tests.reference.tables import NotDescribed, docstring

ROOT = Path(__file__).parents[2]


@cache
def constants() -> dict[str, list[str]]:
    """Return what the code says below its constants and types, in docstrings that Python itself forgets."""
    found: dict[str, list[str]] = {}
    for path in sorted((ROOT / "rcex_ws").rglob("*.py")):
        for name, line in re.findall(r'^(\w+)(?:: [^=\n]+)? = .+\n"""([^"\n]+)', path.read_text(), re.MULTILINE):
            found.setdefault(name, []).append(line)
    return found


def first_line(package: str, name: str) -> str:
    """Return the first line of what is said about a name."""
    item = getattr(import_module(package), name)
    if inspect.isclass(item) or inspect.isfunction(item):
        lines = docstring(item).splitlines()[:1]
    else:
        lines = constants().get(name, [])
    if len(lines) != 1 or not lines[0]:
        raise NotDescribed(f"{package}.{name} has no docstring, or is not the only one of its name that has one")
    return lines[0]


def names(package: str) -> str:
    """Return a line for each public name of a package or module, but for its errors."""
    module = import_module(package)
    listed = [name for name in module.__all__ if not _is_error(getattr(module, name))]
    return "\n".join(f"* `{name}`: {first_line(package, name)}" for name in listed)


def _is_error(item: object) -> bool:
    return inspect.isclass(item) and issubclass(item, RcexError)
