"""Several connections at once: each event is emitted once, and nothing is sent over one that is being closed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from rcex_ws.errors import NotConnected
from rcex_ws.testing import FakeSlack

ROOM = "C0GENERAL"


@pytest.fixture
async def deaf(
    make_client: Callable[..., Any], slack: FakeSlack, told: Any, fault_proxy: Callable[[str], Any], ms: float
) -> Any:
    """Give a client whose second connection is open, while the close frame for the first does not reach Slack."""
    proxy = fault_proxy(slack.ws_url)
    slack.options.public_ws_url = proxy.url(slack.ws_url)
    client = make_client(listen=("open", "message", "user_typing", "ws_close"), close_timeout=5000 * ms)
    await client.start()
    slack.options.public_ws_url = None
    proxy.freeze("up")
    await client.reconnect()
    await told.wait("open", 2)
    await slack.wait_for_connection(2)
    return client


@pytest.fixture
def all_came(deaf: Any, slack: FakeSlack, told: Any) -> Callable[..., Any]:
    """Wait until all that was pushed over these connections has been handled."""

    async def all_came(*connections: int) -> None:
        told.listen(deaf, *(f"last-{number}" for number in connections))
        for number in connections:
            slack.push({"type": f"last-{number}"}, connection=number)
        for number in connections:
            await told.wait(f"last-{number}")

    return all_came


def _typing(user: str) -> dict[str, Any]:
    return {"type": "user_typing", "channel": ROOM, "user": user}


async def test_three_connections_at_once_bring_each_event_once(
    deaf: Any, all_came: Any, slack: FakeSlack, told: Any, message: Any
) -> None:
    """Slack leaves the close of the first unanswered, and a third comes."""
    slack.push(message("over two", "1.1"), _typing("U1"))
    slack.withhold_hello()
    await deaf.reconnect()
    await slack.wait_for_connection(3)
    slack.push(message("over three", "1.2"), _typing("U2"))
    slack.push({"type": "hello"}, connection=3)
    await told.wait("open", 3)
    await slack.wait_for_close(2)
    assert slack.connections == [1, 3]
    slack.push(message("over the first and the third", "1.3"), _typing("U3"))
    await all_came(1, 3)
    assert [args[0]["text"] for args in told.of("message")] == [
        "over two",
        "over three",
        "over the first and the third",
    ]
    assert [args[0]["user"] for args in told.of("user_typing")] == ["U1", "U2", "U3"]


async def test_the_second_is_lost_while_the_first_is_being_closed(
    deaf: Any, all_came: Any, slack: FakeSlack, told: Any, message: Any
) -> None:
    """The third and the first bring the same events then, too."""
    slack.cut(connection=2)
    await told.wait("ws_close")
    await told.wait("open", 3)
    await slack.wait_for(lambda: slack.connections == [1, 3], "third connection")
    slack.push(message("over the first and the third", "1.3"), _typing("U3"))
    await all_came(1, 3)
    assert [args[0]["text"] for args in told.of("message")] == ["over the first and the third"]
    assert [args[0]["user"] for args in told.of("user_typing")] == ["U3"]


async def test_the_third_comes_late(deaf: Any, all_came: Any, slack: FakeSlack, told: Any, message: Any) -> None:
    """There was nothing to compare for a while; but the first still brings events."""
    slack.fail(error="fatal_error", times=2)
    slack.cut(connection=2)
    await told.wait("ws_close")
    slack.push(message("over the first alone", "1.2"), connection=1)
    await told.wait("message")
    await told.wait("open", 3)
    slack.push(message("over both", "1.3"), _typing("U3"))
    await all_came(1, 3)
    assert [args[0]["text"] for args in told.of("message")] == ["over the first alone", "over both"]
    assert [args[0]["user"] for args in told.of("user_typing")] == ["U3"]


async def test_nothing_is_sent_over_a_connection_that_is_being_closed(deaf: Any, slack: FakeSlack, told: Any) -> None:
    slack.fail(error="fatal_error", times=None)
    slack.cut(connection=2)
    await told.wait("ws_close")
    await slack.wait_for_close(2)
    assert slack.connections == [1]
    assert not deaf.connected
    with anyio.fail_after(5), pytest.raises(NotConnected):
        await deaf.send_message("one", ROOM)
