"""A model of section 3.3 of the reference: what a client may send and receive, and what a feed object may tell."""

from __future__ import annotations

from typing import Any

from rcex_ws.feedme.feed import Feed
from tests.feedme.wire import Message

__all__ = ["Identity", "Observer", "ServerSide"]

Identity = tuple[tuple[str, str], ...]
"""The arguments of a feed, all of which have one name."""


class ServerSide:
    """A feed in one conversation, as the table of section 3.3 has it from the client's view."""

    def __init__(self) -> None:
        self.state = "Closed"
        self.data: Message = {}

    def sent(self, kind: str) -> None:
        """The client has sent a message: it must be one that the table allows."""
        allowed = {"FeedOpen": ("Closed", "Opening"), "FeedClose": ("Open", "Closing")}
        before, self.state = self.state, allowed[kind][1]
        assert before == allowed[kind][0], f"{kind} while {before}"

    def received(self, kind: str, success: bool) -> bool:
        """The client receives a message; return whether it has to be expected."""
        table = {
            ("Opening", "FeedOpenResponse"): "Open" if success else "Closed",
            ("Open", "FeedAction"): "Open",
            ("Open", "FeedTermination"): "Closed",
            ("Closing", "FeedAction"): "Closing",
            ("Closing", "FeedTermination"): "Terminated",
            ("Closing", "FeedCloseResponse"): "Closed",
            ("Terminated", "FeedCloseResponse"): "Closed",
        }
        after = table.get((self.state, kind))
        self.state = after or self.state
        return after is not None


class Observer:
    """One feed object, and whether what it tells is well-formed."""

    def __init__(self, feed: Feed, identity: Identity) -> None:
        self.feed, self.identity = feed, identity
        self.desired = False
        self.last, self.code = "", ""
        self.due: list[str] = []  # the codes of closes that the application has asked for
        self.shown = "closed"
        feed.on("opening", self.opening)
        feed.on("open", self.open)
        feed.on("close", self.close)
        feed.on("action", self.action)

    def opening(self) -> None:
        assert self.last != "opening"
        assert self.last != "action"
        self.last = self.shown = "opening"

    def open(self, data: Message) -> None:
        assert self.last == "opening"
        self.last = self.shown = "open"

    def action(self, name: str, action_data: Message, new: Message, old: Message) -> None:
        assert self.last in ("open", "action")
        assert new["n"] != old.get("n")
        self.last = "action"

    def close(self, error: Any) -> None:
        code = "" if error is None else error.code
        if self.due:
            assert code == self.due.pop(0)
        else:
            assert error is not None
            assert self.last != "close" or code != self.code, "closed twice for one reason"
        self.last, self.code, self.shown = "close", code, "closed"
