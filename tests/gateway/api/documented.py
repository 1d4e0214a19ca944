"""What docs/gateway.md says about each path: what is served, what is left out, and what is not there at all."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

PAGE = (Path(__file__).parents[3] / "docs/gateway.md").read_text()
CHAPTER = PAGE.partition("\n## What it serves, path by path\n")[2].partition("\n## ")[0]
ACCOUNT = "/restapi/v1.0/account/~"
COMPLETE = ("/restapi", "/.well-known", "/rcvideo", "/webinar", "/analytics", "/ai", "/scim", "/team-messaging")
PARAMETER = re.compile(r"(?<=/)(~|\{\w+\}|id-\d+|[A-Z]+(,[A-Z]+)*)(?=/|$)")

Operation = tuple[str, str]


def plain(path: str) -> str:
    """Return a path without the names of its parameters."""
    return PARAMETER.sub("*", path).rstrip("/")


def operations() -> tuple[set[Operation], set[Operation]]:
    """Return those that the tables name as served, and those that they name as left out."""
    served: set[Operation] = set()
    left_out: set[Operation] = set()
    for named, does, without in _rows():
        assert does or without == "all of it", named
        assert served.isdisjoint(named) or not does, f"twice: {served & named}"
        (served if does else left_out).update(named)
    return served, left_out


def beginnings() -> set[str]:
    """Return how the paths begin that are not there at all."""
    listed = CHAPTER.partition("\n### What is not there at all\n")[2]
    paths = (path for item in re.findall(r"\n\* (.+(?:\n  .+)*)", listed) for path in re.findall(r"`([^`]+)`", item))
    return {plain(path if path.startswith(COMPLETE) else ACCOUNT + path) for path in paths}


def _rows() -> Iterator[tuple[set[Operation], str, str]]:
    for section in CHAPTER.split("\n### ")[1:]:
        below = re.search(r"Paths are below\s(`[^`]+`(?:\sand\s`[^`]+`)*)", section)
        prefixes = re.findall(r"`([^`]+)`", below[1]) if below else [""]
        for table in re.findall(r"\n\| path \|.*\n\| ---.*\n((?:\|.*\n)+)", section):
            for line in table.splitlines():
                paths, does, without = (cell.strip() for cell in line[1:-1].split("|"))
                yield set(_named(paths, prefixes)), does, without


def _named(cell: str, prefixes: list[str]) -> Iterator[Operation]:
    for span in re.findall(r"`([^`]+)`", cell):
        *methods, path = span.split()
        assert methods, f"{span}: without a method"
        for one in [""] if path.startswith(COMPLETE) else prefixes:
            yield from ((method, plain(one + path)) for method in methods)
