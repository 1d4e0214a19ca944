"""What Sphinx adds to the parts of the pages that `make generate` writes, which are plain Markdown.

A public name at the beginning of a row or of a line leads to its details on the API pages, and a table becomes one that
fits a phone (docs/_static/custom.css).
"""

from __future__ import annotations

import re

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

BEGIN = re.compile(r"<!-- (\w+)(?: of ([\w.]+))?.*: begin, by `make generate` -->")


def complete(app: Sphinx, document: nodes.document) -> None:
    """Complete the generated parts of a page."""
    for comment in list(document.findall(nodes.raw)):
        if begin := BEGIN.match(comment.astext()):
            part = comment.next_node(descend=False, siblings=True)
            if isinstance(part, nodes.table):
                part["classes"].append("stacked")
            if begin[1] in {"errors", "names"} and part is not None:
                link(app.env.docname, part, begin[2])


def link(page: str, part: nodes.Node, package: str) -> None:
    """Link the names of a package to where they are described, if they are."""
    for line in [*part.findall(nodes.row), *part.findall(nodes.list_item)]:
        if name := next(line.findall(nodes.literal), None):
            target = {"reftype": "obj", "reftarget": f"{package}.{name.astext()}"}
            reference = addnodes.pending_xref("", refdomain="py", refdoc=page, refexplicit=True, **target)
            name.replace_self(reference)
            reference += name


def setup(app: Sphinx) -> dict[str, bool]:
    """Complete each page once it is read."""
    app.connect("doctree-read", complete)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
