"""`reconnect_delays` is the application's and may fail: refused where that can be seen, else the default wait holds."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import pytest

from rcex_ws import ConfigurationError, Events, RingCentral, State, WebSocketExtension
from rcex_ws.callback import Ok, Reconnect, WebSocketClient, WebSocketHandler
from rcex_ws.gateway import Gateway
from rcex_ws.schedule import Schedule
from rcex_ws.slack import RTMClient
from rcex_ws.testing import FakeSlack
from tests.told import Told
from tests.websocket_peer import Peer


async def waits(failures: int) -> float:
    return 0.0


def yields(failures: int) -> Iterator[float]:
    yield 0.0


class Waits:
    async def __call__(self, failures: int) -> float:
        return 0.0


NEVER: dict[str, Any] = {
    "async": waits,
    "generator": yields,
    "async object": Waits(),
    "no argument": lambda: 1.0,
    "two arguments": lambda a, b: 1.0,
    "async partial": functools.partial(waits),
    "async method": Waits().__call__,
    "None": None,
    "number": 5,
    "list": [1, 2],
    "text": "1",
}


@pytest.mark.parametrize("delays", NEVER.values(), ids=NEVER)
async def test_i7_delays_that_can_never_work_are_refused_at_once(delays: Any) -> None:
    for make in (
        lambda: WebSocketExtension(reconnect_delays=delays),
        lambda: RTMClient("xoxb-1", reconnect_delays=delays),
    ):
        with pytest.raises(ConfigurationError, match=r"^reconnect_delays: "):
            make()
    with pytest.raises(ConfigurationError, match=r"^reconnect_delays: "):
        await WebSocketClient.run("ws://127.0.0.1:9", WebSocketHandler(), None, reconnect_delays=delays)


def raises(failures: int) -> float:
    raise KeyError(failures)


WRONG: dict[str, Callable[[int], Any]] = {
    "raises": raises,
    "none": lambda failures: None,
    "nan": lambda failures: math.nan,
    "infinite": lambda failures: math.inf,
    "negative": lambda failures: -1.0,
    "text": lambda failures: "1",
    "true": lambda failures: True,
    "coroutine": lambda failures: waits(failures),
}


@pytest.mark.parametrize("kind", WRONG)
def test_i7_the_default_wait_holds_and_somebody_hears_why(kind: str) -> None:
    told: list[ConfigurationError] = []
    schedule = Schedule(WRONG[kind], told.append)
    assert schedule.after_failure() == 1.0
    assert 2.0 <= schedule.after_failure() <= 6.0
    assert [str(error).startswith("reconnect_delays: ") for error in told] == [True, True]
    assert isinstance(told[0].__cause__, KeyError) == (kind == "raises")


@pytest.mark.parametrize("kind", ["raises", "none", "coroutine"])
async def test_i7_ringcentral_reconnects_and_tells_an_error(gateway: Gateway, told: Told, kind: str) -> None:
    async with RingCentral(
        server=gateway.server, client_id=gateway.client_id, client_secret=gateway.client_secret
    ) as rc:
        await rc.authorize(jwt=gateway.jwt)
        ext = WebSocketExtension(reconnect_delays=WRONG[kind])
        told.listen(ext)
        await rc.install_extension(ext)
        gateway.cut()
        error = await told.wait(Events.ERROR)
        assert str(error).startswith("reconnect_delays: ")
        await told.wait(Events.CONNECTION_READY, 2)
        assert ext.state is State.READY


async def test_i7_slack_reconnects_and_tells_an_error(fake_slack: FakeSlack) -> None:
    errors: list[Exception] = []
    client = RTMClient(fake_slack.token, api_url=fake_slack.api_url, reconnect_delays=raises)
    client.on("client_error", errors.append)
    async with client:
        fake_slack.cut()
        await fake_slack.wait_for_connection(2)
        await fake_slack.wait_for(lambda: bool(errors), "an error")
    assert str(errors[0]).startswith("reconnect_delays: it raised KeyError")


async def test_i7_the_callback_client_reconnects_and_tells_its_handler() -> None:
    class Handler(WebSocketHandler[None]):
        def __init__(self) -> None:
            self.connections = 0
            self.told: list[object] = []
            self.again = anyio.Event()

        def onconnect(self, ref: int, state: None) -> Ok[None]:
            self.connections += 1
            if self.connections == 2:
                self.again.set()
            return Ok(state)

        def ondisconnect(self, reason: object, state: None) -> Reconnect[None]:
            return Reconnect(state)

        def websocket_info(self, message: object, ref: int | None, state: None) -> Ok[None]:
            self.told.append(message)
            return Ok(state)

    handler = Handler()
    with Peer() as peer:
        async with anyio.create_task_group() as group:
            client = await WebSocketClient.start(peer.url, handler, None, task_group=group, reconnect_delays=raises)
            with anyio.fail_after(10):
                while not handler.connections:
                    await anyio.sleep(0.01)
                peer.reset()
                await handler.again.wait()
            await client.stop()
    (error,) = handler.told
    assert isinstance(error, ConfigurationError)
