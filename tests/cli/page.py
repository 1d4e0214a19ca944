"""Write what the code says into docs/cli.md, for `make generate`. `test_page.py` compares."""

from __future__ import annotations

import re
from pathlib import Path

from rcex_ws.cli.app import app
from rcex_ws.cli.exits import MEANINGS
from tests.generated import filled

PAGE = Path(__file__).parents[2] / "docs/cli.md"


def commands() -> str:
    """Render the help of every command; what all of them have in common is said once on the page."""
    text = app.generate_docs(heading_level=2)
    text = text[text.index("### rcex-ws listen") : text.index("### rcex-ws --install-completion")]
    text = re.sub(r"\n {4}(?=\S)", " ", text)  # lines of a description
    text = re.sub(r"\* `--debug`: .*\n", "", text)
    return re.sub(r"\*\*Parameters\*\*:\n\n(?!\*)", "", text)


def exit_codes() -> str:
    """Render the table of the exit codes."""
    rows = "".join(f"| {code} | {meaning} |\n" for code, meaning in MEANINGS.items())
    return f"| code | meaning |\n| --- | --- |\n{rows}"


def rendered(page: str) -> str:
    """Return the page with its generated parts as they are to be."""
    return filled(filled(page, "exit codes", exit_codes()), "commands", commands())


if __name__ == "__main__":
    PAGE.write_text(rendered(PAGE.read_text()))
