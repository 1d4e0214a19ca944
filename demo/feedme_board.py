"""A live scoreboard: a Feedme server, and two clients that keep copies of it: python demo/feedme_board.py.

One client loses its connection in the middle of the game, misses some points, and comes back with the right score. All
runs in this process, over real sockets of this machine; the exit code is 1 if anything did not hold. Needs `rich`, see
the extra `cli`.
"""

from __future__ import annotations

import logging
import random
import sys
import time
from collections.abc import Mapping
from typing import Any

import anyio

try:
    from rich.columns import Columns
    from rich.console import Group
    from rich.live import Live
    from rich.table import Table
    from rich.text import Text
except ModuleNotFoundError:
    sys.exit("needs another package: .venv/bin/python -m pip install rich")

from rcex_ws.feedme import Feed, FeedmeClient, FeedmeServer, LiveFeed
from rcex_ws.testing import FaultProxy

PLAYERS = ("ann", "bob", "cid", "dee")
POINTS = 60
GAME = {"game": "1"}


class Screen:
    """What the terminal shows: the server's board and the copy of each viewer, with the last events below."""

    def __init__(self, board: LiveFeed, viewers: Mapping[str, Feed]) -> None:
        self.board = board
        self.viewers = viewers
        self._events: list[str] = []
        self._began = time.monotonic()

    def say(self, text: str) -> None:
        """Show one event."""
        self._events.append(f"{time.monotonic() - self._began:6.2f} s  {text}")

    def __rich__(self) -> Group:
        """Draw everything; called for each refresh."""
        tables = [_table("server", self.board.data, "bold")]
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
        player = random.choice(PLAYERS)
        with board.change("scored", {"player": player}) as draft:
            draft["scores"][player] += 1
            draft["last"] = player
        await anyio.sleep(0.05)


async def watch(name: str, feed: Feed, screen: Screen) -> None:
    """Tell what a viewer would otherwise not notice: that it has missed something, and what."""
    async for change in feed:
        if change.action_name is None:
            missed = points(change.new_data) - points(change.old_data)
            screen.say(f"{name} is back; it missed {missed} points, and has the right score again")


def points(data: Mapping[str, Any]) -> int:
    """Return how often somebody has scored."""
    return sum(data["scores"].values())


async def draw(live: Live) -> None:
    """Draw the screen twenty times a second, in this thread: feeds belong to it."""
    while True:
        live.refresh()
        await anyio.sleep(0.05)


async def main() -> int:
    """Play the game; return the exit code."""
    async with FeedmeServer() as server:
        board = server.live_feed("Board", GAME, {"scores": dict.fromkeys(PLAYERS, 0), "last": None})
        with FaultProxy.to(server.url) as network:
            async with (
                FeedmeClient(server.url) as steady,
                FeedmeClient(network.url(server.url), connect_retry=0.5) as shaky,
                steady.feed("Board", GAME) as first,
                shaky.feed("Board", GAME) as second,
            ):
                screen = Screen(board, {"steady": first, "shaky": second})
                shaky.on("disconnect", lambda error: screen.say(f"shaky: {error}"))
                with Live(screen, auto_refresh=False) as live:
                    await show(live, screen, network)
                print()
                kept = points(board.data) == POINTS and first.data == second.data == board.data
                confirmed = first.synced and second.synced
    print(f"[{'ok' if kept and confirmed else 'FAILED'}] both copies are the server's data, as its hash confirms")
    print(f"\n{'OK' if kept and confirmed else 'FAILED'} after {POINTS} points.")
    return 0 if kept and confirmed else 1


async def show(live: Live, screen: Screen, network: FaultProxy) -> None:
    """Play, and cut the connection of one viewer meanwhile."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(draw, live)
        for name, feed in screen.viewers.items():
            tasks.start_soon(watch, name, feed, screen)
        async with anyio.create_task_group() as game:
            game.start_soon(play, screen.board)
            await anyio.sleep(1.0)
            screen.say("-- the connection of the shaky viewer is cut")
            network.cut()
        await screen.viewers["shaky"].wait_open()
        await anyio.sleep(0.2)  # until the last point has arrived
        tasks.cancel_scope.cancel()


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR)  # the loss of the connection is on the screen
    try:
        sys.exit(anyio.run(main))
    except KeyboardInterrupt:
        print("stopped")
