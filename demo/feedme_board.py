"""A live scoreboard: a Feedme server, and two clients that keep copies of it: python demo/feedme_board.py.

One client loses its connection in the middle of the game, misses some points, and comes back with the right score. All
runs in this process, over real sockets of this machine; the exit code is 1 if anything did not hold. Needs `rich`, see
the extra `cli`.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Mapping
from typing import Any

import anyio
from rich.columns import Columns
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from rcex_ws.feedme import Feed, FeedChange, FeedmeClient, FeedmeServer, LiveFeed

PLAYERS = ("ann", "bob", "cid", "dee")
POINTS = 60
GAME = {"game": "1"}


class Screen:
    """What the terminal shows: the server's board and the copy of each viewer, with the last events below."""

    def __init__(self, board: LiveFeed) -> None:
        self.viewers: dict[str, Feed] = {}
        self._board = board
        self._events: list[str] = []
        self._began = time.monotonic()

    def say(self, text: str) -> None:
        """Show one event."""
        self._events.append(f"{time.monotonic() - self._began:6.2f} s  {text}")

    def __rich__(self) -> Group:
        """Draw everything; called for each refresh."""
        tables = [_table("server", self._board.data, "bold")]
        for name, feed in self.viewers.items():
            style = "green" if feed.synced else "red"
            tables.append(_table(f"{name}: {feed.state}", feed.data if feed.state == "open" else {}, style))
        return Group(Columns(tables), Text("\n".join(self._events[-8:])))


def _table(title: str, data: Mapping[str, Any], style: str) -> Table:
    table = Table("player", "score", title=title, title_style=style)
    for player in PLAYERS:
        table.add_row(player, str(data.get("scores", {}).get(player, "?")))
    return table


async def play(board: LiveFeed) -> None:
    """Let the players score, one point at a time."""
    for _ in range(POINTS):
        player = random.choice(PLAYERS)  # noqa: S311 - a game
        with board.change("scored", {"player": player}) as draft:
            draft["scores"][player] += 1
            draft["last"] = player
        await anyio.sleep(0.05)


async def watch(name: str, feed: Feed, screen: Screen) -> None:
    """Tell what a viewer would otherwise not notice: that it has missed something, and what."""
    async for change in feed:
        if change.name is None:
            screen.say(f"{name} is back; it missed {_points(change)} points, and has the right score again")


def _points(change: FeedChange) -> int:
    return sum(change.new_data["scores"].values()) - sum(change.old_data["scores"].values())


async def main() -> int:
    """Play the game; return the exit code."""
    console = Console()
    async with FeedmeServer() as server:
        board = server.live_feed("Board", GAME, {"scores": dict.fromkeys(PLAYERS, 0), "last": None})
        screen = Screen(board)
        with Live(screen, console=console, refresh_per_second=20, transient=not console.is_terminal):
            async with (
                FeedmeClient(server.url) as steady,
                FeedmeClient(server.url, connect_retry=0.5) as shaky,
                steady.feed("Board", GAME) as first,
                shaky.feed("Board", GAME) as second,
                anyio.create_task_group() as tasks,
            ):
                screen.viewers = {"steady": first, "shaky": second}
                for name, feed in screen.viewers.items():
                    tasks.start_soon(watch, name, feed, screen)
                shaky.on("disconnect", lambda error: screen.say(f"shaky: {error}"))
                tasks.start_soon(play, board)
                await anyio.sleep(1.0)
                screen.say("-- the connection of the shaky viewer is cut")
                server.clients[-1].abort()
                while sum(board.data["scores"].values()) < POINTS or not second.synced:
                    await anyio.sleep(0.05)
                await anyio.sleep(0.2)
                kept = first.data == second.data == board.data and first.synced and second.synced
                tasks.cancel_scope.cancel()
    if not console.is_terminal:
        console.print(screen)
    console.print(f"[{'ok' if kept else 'FAILED'}] both copies are the server's data, confirmed by its hash", markup=False)
    console.print(f"{'OK' if kept else 'FAILED'} {POINTS} points")
    return 0 if kept else 1


if __name__ == "__main__":
    try:
        sys.exit(anyio.run(main))
    except KeyboardInterrupt:
        print("stopped")
