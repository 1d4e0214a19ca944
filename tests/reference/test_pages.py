"""The pages that ask for a part from the code have it, up to date; every public name has its line."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from rcex_ws import broker
from tests.generated import filled
from tests.reference.names import names
from tests.reference.pages import ASKED, PAGES, rendered
from tests.reference.tables import NotDescribed, options

ASKING = [path for path in PAGES if ASKED.search(path.read_text())]
DOCS = {path.stem: path.read_text() for path in ASKING}


@pytest.mark.parametrize("page", ASKING, ids=lambda path: path.stem)
def test_what_is_generated_is_up_to_date(page: Path) -> None:
    assert rendered(page.read_text()) == page.read_text(), "run `make generate`"


def test_the_pages_that_have_generated_parts() -> None:
    apis = [path.stem for path in PAGES if re.fullmatch("api(-.+)?", path.stem)]
    assert sorted(DOCS) == sorted([*apis, "errors", "events", "index", "options"])


def test_every_public_name_has_its_line() -> None:
    """In the list of its package, or in the table of its errors."""
    for page, kind, package in ((page, *found[1:]) for page, text in DOCS.items() for found in ASKED.findall(text)):
        if kind == "names":
            listed = re.findall(r"^\* `(\w+)`: \S", names(package), re.MULTILINE)
            errors = re.findall(r"^\|(?: &emsp;|&emsp;| )*`(\w+)` \|", DOCS["errors"], re.MULTILINE)
            assert set(importlib.import_module(package).__all__) - set(listed) <= set(errors), page


def test_a_page_without_a_place_for_a_part_is_refused() -> None:
    page = "<!-- one: begin, by `make generate` -->\nold\n<!-- one: end -->\nrest"
    assert filled(page, "one", "new\n") == ("<!-- one: begin, by `make generate` -->\n\nnew\n\n<!-- one: end -->\nrest")
    with pytest.raises(ValueError, match="the page has no place for 'two'"):
        filled(page, "two", "new")


def test_a_name_that_nothing_is_said_about_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "__all__", ["annotations"])
    monkeypatch.setattr(broker, "annotations", 1, raising=False)
    with pytest.raises(NotDescribed, match=r"rcex_ws\.broker\.annotations has no docstring"):
        names("rcex_ws.broker")


def test_a_default_that_is_made_anew_is_shown() -> None:
    rows = {row[0]: row[1] for row in options("rcex_ws.gateway.options.GatewayOptions")}
    assert rows["`rate_limits`"] == "`{}`"
