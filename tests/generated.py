"""The parts of the pages that are written from the code: each stands between two comments, which Markdown hides."""

from __future__ import annotations


def filled(page: str, part: str, text: str) -> str:
    """Return a page with one part as it is to be.

    Raises:
        ValueError: if the page has no place for it.
    """
    begin, end = f"<!-- {part}: begin, by `make generate` -->\n", f"<!-- {part}: end -->"
    if begin not in page or end not in page:
        raise ValueError(f"the page has no place for {part!r}")
    before, _, rest = page.partition(begin)
    return f"{before}{begin}\n{text.strip()}\n\n{end}{rest.partition(end)[2]}"
