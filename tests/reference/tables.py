"""Tables that are drawn from the code: options of a class, events of an enum, the errors of a package.

The signature has the names and the defaults, the docstrings have the meanings. What is not described there is refused,
so a table is never behind the code.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from importlib import import_module
from typing import Any

from rcex_ws import RcexError
from rcex_ws.schedule import default_delays

SECTION = re.compile(r"^(?:Args|Attributes|Raises|Returns|Yields):$", re.MULTILINE)


class NotDescribed(Exception):
    """Something has no description where its meaning is looked up."""


def find(name: str) -> Any:
    """Return the object with this dotted name."""
    module, _, member = name.rpartition(".")
    return getattr(import_module(module), member)


def docstring(item: object) -> str:
    """Return the docstring of a class or function itself; `inspect.getdoc` would give that of its base instead."""
    return inspect.cleandoc(item.__doc__ or "")


def description(item: type) -> str:
    """Return what a docstring says ahead of its sections, in one line."""
    return " ".join(SECTION.split(docstring(item))[0].split())


def arguments(item: type) -> dict[str, str]:
    """Return the section "Args" of a docstring: the meaning of each argument, in one line."""
    _, _, rest = docstring(item).partition("\nArgs:\n")
    section = re.split(r"^\S", rest, maxsplit=1, flags=re.MULTILINE)[0]
    entries = re.findall(r"^    (\w+): (.*(?:\n {5,}.*)*)", section, re.MULTILINE)
    return {name: " ".join(meaning.split()) for name, meaning in entries}


def shown(default: object) -> str:
    """Return a default as a reader wants to see it."""
    if default is default_delays:
        return "[the schedule](guarantees.md#noticing-and-trying-again)"
    if isinstance(default, float) and default.is_integer():
        default = int(default)
    return f"`{default!r}`"


def made_defaults(item: type) -> dict[str, object]:
    """Return the defaults that a dataclass makes anew for each object, and that its signature does not show."""
    fields = dataclasses.fields(item) if dataclasses.is_dataclass(item) else ()
    return {one.name: one.default_factory() for one in fields if one.default_factory is not dataclasses.MISSING}


def options(name: str) -> list[tuple[str, ...]]:
    """Return a row for each argument of a class."""
    item = find(name)
    meanings = arguments(item)
    parameters = [one for one in inspect.signature(item).parameters.values() if one.kind is not one.VAR_KEYWORD]
    if missing := [one.name for one in parameters if one.name not in meanings]:
        raise NotDescribed(f"{name} does not describe {', '.join(missing)}")
    made = made_defaults(item)
    rows = [(f"`{one.name}`", shown(made.get(one.name, one.default)), meanings[one.name]) for one in parameters]
    return [("option", "default", "meaning"), *rows]


def events(name: str) -> list[tuple[str, ...]]:
    """Return a row for each member of an enum of events, whose comments begin with the arguments of the handlers."""
    item = find(name)
    comments = dict(re.findall(r"^ +(\w+) = .*#: (.+)$", inspect.getsource(item), re.MULTILINE))
    rows = []
    for event in item:
        match = re.fullmatch(r"\(([^)]*)\) (.+)", comments.get(event.name, ""))
        if match is None:
            raise NotDescribed(f"{name}.{event.name} has no comment that begins with the arguments of its handlers")
        rows.append((f"`{event}`", f"`{event.name}`", f"`{match[1]}`", match[2]))
    return [("event", "name", "the handler gets", "when"), *rows]


def retryable(error: type[RcexError]) -> str:
    """Say whether trying again can help; some errors decide it one by one."""
    for base in error.__mro__:
        if assigned := re.search(r"self\.retryable = (.+)", _init(base)):
            return {"True": "retry", "False": "no retry"}.get(assigned[1], "it depends")
        if "retryable" in vars(base):
            break
    return "retry" if error.retryable else "no retry"


def _init(base: type) -> str:
    """Return the source of a constructor, if it is written in Python."""
    init = vars(base).get("__init__")
    return inspect.getsource(init) if inspect.isfunction(init) else ""


def errors(package: str) -> list[tuple[str, ...]]:
    """Return a row for each error that a package exports, each below the one it is a kind of."""
    module = import_module(package)
    members = [getattr(module, name) for name in module.__all__]
    found = [one for one in members if inspect.isclass(one) and issubclass(one, RcexError)]
    rows = []

    def add(error: type[RcexError], depth: int) -> None:
        if not (meaning := description(error)):
            raise NotDescribed(f"{error.__name__} has no docstring")
        rows.append((f"{'&emsp;' * depth}`{error.__name__}`", retryable(error), meaning))
        for one in found:
            if error in one.__bases__:
                add(one, depth + 1)

    for error in found:
        if not any(base in found for base in error.__bases__):
            add(error, 0)
    return [("error", "try again?", "meaning"), *rows]


def table(rows: list[tuple[str, ...]]) -> str:
    """Return rows, the first one being the head, as a table in Markdown."""
    head, *rest = rows
    lines = [head, ("---",) * len(head), *rest]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
