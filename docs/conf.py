"""Sphinx: MyST pages and the docstrings of the public names; `make docs` builds them, warnings being errors."""

import sys
from importlib.metadata import version as version_of
from pathlib import Path

from sphinx.application import Sphinx

project = "rcex_ws"
version = release = version_of("rcex_ws")
project_copyright = "the rcex_ws authors"

sys.path.insert(0, str(Path(__file__).parent / "_ext"))
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton", "generated", "llms"]
exclude_patterns = ["_build", "_ext", "_static"]
myst_heading_anchors = 3

autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"  # napoleon has the arguments worth a word
autodoc_preserve_defaults = True
napoleon_use_ivar = True  # else an attribute is described twice: by its class and by autodoc

linkcheck_ignore = [r"http://127\.0\.0\.1"]

html_theme = "furo"
html_title = f"rcex_ws {release}"
html_favicon = "_static/favicon.svg"
html_static_path = ["_static"]
html_css_files = ["custom.css"]


def keep_colons(app: Sphinx, what: str, name: str, item: object, options: object, lines: list[str]) -> None:
    """Open an attribute's docstring with an empty comment: napoleon takes its first line up to a colon for a type."""
    if what in {"attribute", "property"}:
        lines[:0] = ["..", ""]


def setup(app: Sphinx) -> None:
    """Connect the handler, ahead of napoleon's own."""
    app.connect("autodoc-process-docstring", keep_colons, priority=400)
