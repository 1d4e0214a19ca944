"""demo/README.md names every demo, and what each needs."""

from __future__ import annotations

import re

import pytest

from tests.demo.conftest import DEMO

INDEX = (DEMO / "README.md").read_text()
ROWS = re.findall(r"^\| `(\S+\.py)` \| (.+?) \|(?: (.*) \|)?$", INDEX, re.MULTILINE)


def test_no_demo_is_missing_and_none_is_invented() -> None:
    programs = {str(path.relative_to(DEMO)) for path in DEMO.rglob("*.py")} - {"shared.py"}
    assert sorted(name for name, *_ in ROWS) == sorted(programs)


@pytest.mark.parametrize("name", [name for name, *_ in ROWS])
def test_it_begins_by_saying_what_it_is_and_how_to_run_it(name: str) -> None:
    head = (DEMO / name).read_text().split('"""')[1]
    assert re.match(r"[A-Z].+\n", head)
    assert f"python demo/{name}" in head or name == "main.py"  # that is `make demo`


def test_the_pages_that_it_links_exist() -> None:
    for path in re.findall(r"\]\(([^)]+)\)", INDEX):
        assert (DEMO / path).is_file(), path
