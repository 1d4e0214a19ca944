"""What an open page is told: all that happens, at once, without a limit being passed and without a trace at the end."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rcex_ws.gateway.console.feed import ConsoleFeed
from rcex_ws.gateway.problem import Problem


def parsed(text: str) -> list[tuple[str, Any]]:
    """Return the events in a piece of the stream."""
    found = []
    for event in filter(None, text.split("\n\n")):
        name, data = event.split("\n")
        found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


@pytest.fixture
def feed(app):
    with ConsoleFeed(app.core, lambda: {"a": 1}) as feed:
        yield feed


def test_at_first_the_newest_entries_and_the_state(app, feed):
    for number in range(250):
        app.core.journal.add("cut", connection=number)
    (hello, told), state = parsed(feed.first())
    assert (hello, [one["connection"] for one in told["entries"]]) == ("hello", list(range(50, 250)))
    assert state == ("state", {"a": 1})


def test_entries_and_frames_come_in_order_and_then_the_state(app, feed, runner):
    app.core.journal.add("connect", connection=1)
    app.core.tap.show(1, "out", [b'[{"type":"Heartbeat"}]'])
    app.core.journal.add("cut", connection=1)
    (name, told), state = parsed(runner.run(feed.more()))
    assert (name, [one["kind"] for one in told["entries"]]) == ("entries", ["connect", "wire", "cut"])
    assert told["missed"] == 0
    assert state == ("state", {"a": 1})


def test_an_order_that_is_not_logged_changes_the_state_alone(app, feed, runner):
    app.refuse("upgrade")
    assert parsed(runner.run(feed.more())) == [("state", {"a": 1})]


def test_a_page_that_is_too_slow_misses_the_oldest(app, feed, runner):
    for number in range(1003):
        app.core.journal.add("cut", connection=number)
    (_, told), _ = parsed(runner.run(feed.more()))
    assert (told["missed"], len(told["entries"]), told["entries"][0]["connection"]) == (3, 1000, 3)


def test_a_page_that_is_closed_costs_nothing_any_more(app, get):
    answer = get("/_gateway/events")
    assert answer.headers["content-type"] == "text/event-stream"
    assert [name for name, _ in parsed(answer.text)] == ["hello", "state"]
    assert len(app.core.tap) == 0


def test_so_many_pages_and_no_more(app, get):
    open_pages = [ConsoleFeed(app.core, dict).__enter__() for _ in range(20)]
    with pytest.raises(Problem, match="20 pages"):
        ConsoleFeed(app.core, dict).__enter__()
    assert get("/_gateway/events").status == 503
    for one in open_pages:
        one.__exit__()
    assert get("/_gateway/events").status == 200
