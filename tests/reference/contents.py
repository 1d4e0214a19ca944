"""The list of all pages, from the toctrees of the index, which are empty where Sphinx does not read them."""

from __future__ import annotations

import re
from pathlib import Path

from tests.reference.names import ROOT

DOCS = ROOT / "docs"
TOCTREE = re.compile(r"^```\{toctree\}\n:caption: (.+)\n(?::.+\n)*\n((?:\S+\n)+?)```$", re.MULTILINE)


def contents(index: str) -> str:
    """Return a heading for each toctree of a page of docs/, with a link to each page."""
    trees = TOCTREE.findall((DOCS / f"{index}.md").read_text())
    lists = ("\n".join(f"* [{title(name)}]({name}.md)" for name in names.split()) for _, names in trees)
    return "\n\n".join(f"## {caption}\n\n{pages}" for (caption, _), pages in zip(trees, lists, strict=True))


def title(name: str) -> str:
    """Return the title of a page, which may be that of the file that it includes."""
    return _title(DOCS / f"{name}.md")


def _title(path: Path) -> str:
    first = path.read_text().partition("\n")[0]
    if included := re.fullmatch(r"```\{include\} (\S+)", first):
        return _title(path.parent / included[1])
    return first.removeprefix("# ")
