"""The page docs/service.md cannot go stale: its tables name what there is."""

from __future__ import annotations

import re
from pathlib import Path

from rcex_ws import Stats, Step, WebSocketExtension

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/service.md").read_text()


def first_cells(heading: str) -> list[str]:
    """The names in the first column of the table with this heading over it."""
    rows = re.search(rf"^\| {re.escape(heading)} \|.*\n\|[- |]+\|\n((?:\|.*\|\n)+)", PAGE, re.MULTILINE)
    assert rows, heading
    return [name for row in rows[1].splitlines() for name in row.strip("|").split(" | ")[0].strip().split(", ")]


def test_o4_the_tables_are_complete() -> None:
    assert first_cells("step") == [f"`{step}`" for step in Step]
    assert first_cells("`stats`") == [f"`{name}`" for name in Stats.__struct_fields__]


def test_o4_the_exit_codes_and_addresses_are_those_of_the_template() -> None:
    code = (ROOT / "demo/service.py").read_text()
    assert "ENDED, TRY_AGAIN, SOMEBODY_HAS_TO_ACT = 0, 75, 78" in code
    assert first_cells("exit code") == ["0", "75", "78", "1"]
    assert first_cells("address") == ["`/live`", "`/ready`"]
    settings = set(re.findall(r"[A-Z_]+(?==)", PAGE.split("```sh\n")[1].split("```")[0]))
    assert settings == set(re.findall(r'(?:setting\(|environ\.get\()"(\w+)"', code))


def test_o4_the_page_is_linked_and_names_what_there_is() -> None:
    assert "\nservice\n" in (ROOT / "docs/index.md").read_text()
    for name in re.findall(r"`~rcex_ws\.WebSocketExtension\.(\w+)`", PAGE):
        assert hasattr(WebSocketExtension, name)
    for path in re.findall(r"literalinclude\} (\S+)", PAGE):
        assert (ROOT / "docs" / path).is_file()
