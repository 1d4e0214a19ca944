"""Write what the code says into the pages that ask for it, for `make generate`. `test_pages.py` compares.

A page asks with a pair of comments, for instance `options of rcex_ws.RingCentral`.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from tests.generated import filled
from tests.reference.contents import contents
from tests.reference.names import ROOT, names
from tests.reference.tables import errors, events, options, table

PAGES = sorted((ROOT / "docs").glob("*.md"))
MAKERS: dict[str, Callable[[str], str]] = {
    "options": lambda name: table(options(name)),
    "events": lambda name: table(events(name)),
    "errors": lambda package: table(errors(package)),
    "names": names,
    "contents": contents,
}
ASKED = re.compile(rf"^<!-- (({'|'.join(MAKERS)}) of (\S+)): begin", re.MULTILINE)


def rendered(page: str) -> str:
    """Return a page with its generated parts as they are to be."""
    for part, kind, of in ASKED.findall(page):
        page = filled(page, part, MAKERS[kind](of))
    return page


def main() -> None:
    """Write all pages."""
    for path in PAGES:
        path.write_text(rendered(path.read_text()))


if __name__ == "__main__":
    main()
