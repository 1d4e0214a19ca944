"""The types that the npm package `@rc-ex/core` declares for RingCentral's answers, made from its OpenAPI description.

What is read of them: kinds of values, allowed texts, required members. Members that are not declared are no fault.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

_MEMBER = re.compile(r'(/\*\*(?:(?!\*/).)*\*/)?\s*"?([\w\-.@:$]+)"?\??:\s*([^;]+);', re.DOTALL)
_ENDPOINT = re.compile(r"/\*\*((?:(?!\*/).)*?)\*/\s*\w+\([^;]*?\): Promise<([^;]+)>;", re.DOTALL)
_KINDS: dict[str, type | tuple[type, ...]] = {"string": str, "number": (int, float), "boolean": bool}

Members = dict[str, tuple[str, bool]]


class Definitions:
    """The declared types.

    Args:
        package: the folder of the package.
    """

    def __init__(self, package: Path) -> None:
        self._folder = package / "dist"
        self._read: dict[str, Members | None] = {}

    @cached_property
    def answers(self) -> dict[tuple[str, str], str]:
        """The type of each operation's answer, by its method and path; a parameter of a path is `*`."""
        return {operation: answer for operation, _, answer in self._operations()}

    @cached_property
    def rules(self) -> dict[tuple[str, str], tuple[str | None, str | None]]:
        """The permission that each operation needs, and its rate group in small letters."""
        return {
            operation: (_told("App Permission", text), (_told("Rate Limit Group", text) or "").lower() or None)
            for operation, text, _ in self._operations()
        }

    def faults(self, value: Any, kind: str, where: str = "") -> Iterator[str]:
        """Give what a value has otherwise than its type says, each with the place."""
        if kind.endswith("[]"):
            if not isinstance(value, list):
                yield f"{where}: no list"
                return
            for one in value:
                yield from self.faults(one, kind[:-2].strip("()"), where)
        elif '"' in kind:
            if value not in re.findall(r'"([^"]*)"', kind):
                yield f"{where}: {value!r} is not allowed"
        elif kind in _KINDS:
            if not isinstance(value, _KINDS[kind]) or (kind == "number" and isinstance(value, bool)):
                yield f"{where}: {value!r} is no {kind}"
        elif (members := self._members(kind)) is not None:
            if not isinstance(value, dict):
                yield f"{where}: no object"
                return
            yield from (
                f"{where}.{name}: is missing" for name, (_, must) in members.items() if must and name not in value
            )
            for name in members.keys() & value.keys():
                yield from self.faults(value[name], members[name][0], f"{where}.{name}")

    def _operations(self) -> Iterator[tuple[tuple[str, str], str, str]]:
        """Give the method and the path of each operation, what is told of it, and the type of its answer."""
        for file in (self._folder / "paths").rglob("index.d.mts"):
            for text, answer in _ENDPOINT.findall(file.read_text()):
                method, path = _told("HTTP Method", text), _told("Endpoint", text)
                if method and path:
                    plain = re.sub(r"\{\w+\}", "*", path.replace("{apiVersion}", "v1.0"))
                    yield (method.upper(), plain), text, answer

    def _members(self, kind: str) -> Members | None:
        """Return the members of an interface, with their types and whether they are required."""
        if kind not in self._read:
            file = self._folder / "definitions" / f"{kind}.d.mts"
            found = re.search(r"interface \w+ \{(.*?)\n\}", file.read_text(), re.DOTALL) if file.is_file() else None
            self._read[kind] = found and {
                name: (" ".join(declared.split()), bool(re.search(r"\* Required\b", told)))
                for told, name, declared in _MEMBER.findall(found[1])
            }
        return self._read[kind]


def _told(what: str, text: str) -> str | None:
    """Return what the comment of an operation tells under a heading."""
    found = re.search(rf"{what}: (\S+)", text)
    return found and found[1]
