"""The documentation cannot go stale: its tables match the tests, the public names, and the gateway's commands."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import NamedTuple

import httpx

import rcex_ws
from rcex_ws.gateway import Gateway

ROOT = Path(__file__).parents[1]
#: Of the existing clients.
ROWS = [*(f"J{number}" for number in range(1, 32)), *(f"P{number}" for number in range(1, 18))]
#: Found in this library.
FOUND = [
    f"{section}{number}"
    for section, rows in {"L": 19, "E": 9, "A": 11, "T": 11, "F": 10, "I": 11, "O": 5, "K": 6, "G": 10, "D": 1}.items()
    for number in range(1, rows + 1)
]
SHORTEST_REASON = 40


class Row(NamedTuple):
    name: str
    there: str
    here: str
    proof: str

    @property
    def tests(self) -> list[str]:
        """The names of its tests; without one, `proof` is the reason why."""
        return re.findall(r"`(test_\w+)`", self.proof)

    @property
    def prefix(self) -> str:
        """The prefix of the names of its tests."""
        number = self.name[1:] if self.name in FOUND else f"{int(self.name[1:]):02}"
        return f"test_{self.name[0].lower()}{number}_"


def table() -> list[Row]:
    lines = (ROOT / "docs/known-failures.md").read_text().splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if re.match(r"\| [A-Z]\d", line)]
    return [Row(*cells) for cells in rows]


def row_tests() -> set[str]:
    """Return the names of all tests named after a row."""
    found: set[str] = set()
    for path in (*(ROOT / "tests").glob("test_*.py"), *(ROOT / "tests").glob("*/**/test_*.py")):
        nodes = ast.walk(ast.parse(path.read_text()))
        names = (node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
        found.update(name for name in names if re.match(r"test_[a-z]\d+_", name))
    return found


def test_the_table_has_every_row_in_order() -> None:
    assert [row.name for row in table()] == [*ROWS, *FOUND]


def test_every_row_has_its_tests_or_a_reason() -> None:
    for row in table():
        assert row.there, row.name
        assert row.here, row.name
        assert row.tests or len(row.proof) >= SHORTEST_REASON, row.name
        assert [name for name in row.tests if not name.startswith(row.prefix)] == []


def test_the_table_names_exactly_the_tests_there_are() -> None:
    named = [name for row in table() for name in row.tests]
    assert len(named) == len(set(named))
    assert set(named) == row_tests()


def test_the_api_page_has_every_public_name() -> None:
    page = (ROOT / "docs/api.md").read_text()
    described = re.findall(r"^\.\. (?:auto\w+|py:data):: (\w+)$", page, re.MULTILINE)
    assert sorted(described) == sorted(rcex_ws.__all__)


def commands(page: str, heading: str) -> dict[str, list[str]]:
    """Return the members of each command in the tables of a page that have this heading."""
    text = (ROOT / "docs" / page).read_text()
    tables = re.findall(rf"^\| {heading} \|.*\n\|[- |]+\|\n((?:\|.*\|\n)+)", text, re.MULTILINE)
    rows = [row.replace("`", "").strip("|").split(" | ") for rows in tables for row in rows.splitlines()]
    return {name.strip(): [] if members == "none" else members.split(", ") for name, members, _ in rows}


def test_the_tables_of_faults_and_commands_are_complete(gateway: Gateway) -> None:
    listed = commands("faults.md", "fault") | commands("gateway.md", "command")
    told = httpx.get(gateway.server).json()["commands"]
    assert listed == {path.removeprefix("/_gateway/"): fault["members"] for path, fault in told.items()}
    for name, members in listed.items():  # the names are the same in Python
        assert list(inspect.signature(getattr(gateway, name)).parameters) == members
