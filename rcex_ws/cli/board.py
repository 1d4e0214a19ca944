"""The records of `listen` as a table on a terminal: the newest at the bottom, as many as fit."""

from __future__ import annotations

from collections import deque
from datetime import datetime
from typing import Any, Final, cast

import anyio
import msgspec
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from rcex_ws.cli.output import compact
from rcex_ws.cli.records import Record
from rcex_ws.readers import printable
from rcex_ws.wsg.views import TelephonyParty

__all__ = ["Board"]

_STYLES: Final = {"gap": "bold red", "disconnected": "yellow", "recovery": "green", "error": "red"}
_PAUSE: Final = 0.1
"""Seconds between two drawings at least: a burst of events must not keep the program busy with drawing."""
_FRAME: Final = 6
"""Lines of the terminal that are not rows."""


class Board:
    """The table; draws itself while `run` runs, and once more at its end.

    Args:
        console: the terminal.
        filters: what is listened to.
    """

    def __init__(self, console: Console, filters: list[str]) -> None:
        self._console = console
        self._filters = filters
        self._rows: deque[Record] = deque(maxlen=500)
        self._counts = dict.fromkeys(("notification", "gap"), 0)
        self._state = "connected"
        self._changed = anyio.Event()

    async def take(self, record: Record) -> None:
        """Add a row."""
        kind = record["kind"]
        if kind in self._counts:
            self._counts[kind] += 1
        if kind in ("disconnected", "recovery"):
            self._state = "connected" if kind == "recovery" else "not connected"
        self._rows.append({"at": datetime.now().astimezone(), **record})
        self._changed.set()

    async def run(self) -> None:
        """Draw until cancelled."""
        with Live(console=self._console, auto_refresh=False, get_renderable=self.table) as live:
            while True:
                live.refresh()
                await self._changed.wait()
                self._changed = anyio.Event()
                await anyio.sleep(_PAUSE)

    def table(self) -> Table:
        """Return the table as it is now."""
        counts = f"events: {self._counts['notification']}, gaps: {self._counts['gap']}, {self._state}; Ctrl-C stops"
        title = Text(printable(", ".join(self._filters)))
        table = Table("time", "event", "what", title=title, caption=Text(counts), expand=True)
        table.columns[0].no_wrap = True
        table.columns[2].ratio = 1
        for row in list(self._rows)[-max(1, self._console.height - _FRAME) :]:
            style = _STYLES.get(row["kind"], "")
            cells = (f"{row['at']:%H:%M:%S}", _event(row), _what(row))
            table.add_row(*(Text(printable(cell), style=style, no_wrap=True, overflow="ellipsis") for cell in cells))
        return table


def _event(row: Record) -> str:
    if row["kind"] != "notification":
        return str(row["kind"])
    path = str(row["event"]).partition("?")[0]
    return path.rpartition("/extension/")[2].partition("/")[2] or path.rpartition("/account/")[2] or path


def _what(row: Record) -> str:
    if row["kind"] == "notification":
        return _summary(row["body"])
    if row["kind"] == "gap":
        sureness = "certainly" if row["certain"] else "possibly"
        return f"{sureness} missing, from {row['since']} to {row['until']}: {row['reason']}"
    return " ".join(f"{name}={value}" for name, value in row.items() if name not in ("at", "kind"))


def _summary(body: object) -> str:
    """Return what a person wants to see first of a body; the rest is in the lines of `--json`."""
    if not isinstance(body, dict):
        return compact(body)
    members = cast("dict[str, Any]", body)
    for name in ("text", "subject", "telephonyStatus", "presenceStatus"):
        if isinstance(members.get(name), str):
            return f"{name}: {members[name]}"
    if "changes" in members:  # of a message store: how many messages of which kind are new or changed
        return f"changes: {compact(members['changes'])}"
    if isinstance(members.get("parties"), list):
        return "; ".join(map(_party, members["parties"]))
    return compact(members)


def _party(party: object) -> str:
    """Return one side of a call: "Inbound from +16505550101 to +16505550100: Proceeding"."""
    try:
        side = msgspec.convert(party, TelephonyParty)
    except msgspec.ValidationError:
        return compact(party)
    ends = [f"{word} {_number(end)}" for word, end in (("from", side.from_), ("to", side.to)) if _number(end)]
    return f"{' '.join([side.direction or 'call', *ends])}: {side.status.code or '?'}"


def _number(end: dict[str, Any]) -> object:
    return end.get("phoneNumber") or end.get("extensionNumber") or end.get("name")
