"""llms.txt, a map of the pages for language models (llmstxt.org), the pages in Markdown, and all of them in one file.

The Markdown is that of docs/, with included files in their place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

COMMENT = re.compile(r"^<!-- .* -->\n+", re.MULTILINE)
INCLUDED = re.compile(r"^```\{(include|literalinclude)\} (\S+)\n(?::.*\n)*```$", re.MULTILINE)
#: Made of docstrings, which a model reads in the package.
FROM_DOCSTRINGS = {"api"}


def write(app: Sphinx, exception: Exception | None) -> None:
    """Write all of it at the end of a build of HTML."""
    if exception is not None or app.builder.format != "html":
        return
    out = Path(app.outdir)
    index = [f"# {app.config.project}", "", f"> {summary(app, 'index')}", ""]
    full = [markdown(app, "index")]
    for caption, pages in sections(app):
        index += [f"## {caption}", ""]
        for page in pages:
            if page in FROM_DOCSTRINGS:
                index.append(f"- [{title(app, page)}]({page}.html): {summary(app, page)}")
                continue
            text = markdown(app, page)
            (out / f"{page}.md").write_text(text)
            index.append(f"- [{title(app, page)}]({page}.md): {summary(app, page)}")
            full.append(text)
        index.append("")
    (out / "llms.txt").write_text("\n".join(index))
    (out / "llms-full.txt").write_text("\n".join(full))


def sections(app: Sphinx) -> Iterator[tuple[str, list[str]]]:
    """Return each toctree of the index, its caption with its pages."""
    for tree in app.env.get_doctree("index").findall(addnodes.toctree):
        yield tree["caption"], [page for _, page in tree["entries"]]


def title(app: Sphinx, page: str) -> str:
    """Return the heading of a page."""
    return app.env.titles[page].astext()


def summary(app: Sphinx, page: str) -> str:
    """Return the first sentence of a page."""
    first = next(app.env.get_doctree(page).findall(nodes.paragraph))
    return re.split(r"(?<=\.)\s", " ".join(first.astext().split()), maxsplit=1)[0]


def markdown(app: Sphinx, page: str) -> str:
    """Return a page as Markdown that every reader understands."""
    source = Path(app.env.doc2path(page))
    text = source.read_text()
    text = INCLUDED.sub(lambda match: included(source.parent / match[2], match[1]), text)
    text = COMMENT.sub("", text)
    return re.sub(r"^```\{toctree\}.*?^```\n", "", text, flags=re.MULTILINE | re.DOTALL)


def included(path: Path, directive: str) -> str:
    """Return the text of an included file, as code where it is shown as code."""
    text = path.read_text().rstrip("\n")
    return text if directive == "include" else f"```{path.suffix.removeprefix('.')}\n{text}\n```"


def setup(app: Sphinx) -> dict[str, bool]:
    """Write after everything else."""
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
