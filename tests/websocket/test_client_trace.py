"""The steps of connecting as the trace hook receives them: TCP, a proxy, TLS, the upgrade."""

from __future__ import annotations

import ssl
from typing import Any

import pytest

from rcex_ws.errors import ConnectFailed
from rcex_ws.trace import Phase, Step, TraceEvent, Tracer
from rcex_ws.websocket.client import open_socket
from rcex_ws.websocket.endpoint import Endpoint


class Heard:
    """A tracer and its events."""

    def __init__(self) -> None:
        self.events: list[TraceEvent] = []
        self.tracer = Tracer("test", self.events.append)

    @property
    def steps(self) -> list[tuple[Step, Phase]]:
        return [(one.step, one.phase) for one in self.events if one.phase is not Phase.STARTED]

    @property
    def details(self) -> list[str]:
        return [one.detail for one in self.events if one.phase is not Phase.STARTED]


@pytest.fixture
def heard() -> Heard:
    return Heard()


async def test_trace_a_plain_connection(peer: Any, heard: Heard) -> None:
    async with open_socket(Endpoint(peer.url, trace=heard.tracer)):
        pass
    assert heard.steps == [(Step.TCP, Phase.DONE), (Step.UPGRADE, Phase.DONE)]
    assert heard.details == [f"the server localhost:{peer.port}", ""]


async def test_trace_tls_through_a_proxy(tls_peer: Any, authority: Any, proxy: Any, heard: Heard) -> None:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    url = f"wss://localhost:{tls_peer.port}/?access_token=SECRET"
    by = f"http://user:SECRET@127.0.0.1:{proxy.port}"
    async with open_socket(Endpoint(url, proxy=by, ssl_context=context, trace=heard.tracer)):
        pass
    steps = [Step.TCP, Step.PROXY, Step.TLS, Step.UPGRADE]
    assert heard.steps == [(step, Phase.DONE) for step in steps]
    name = f"the proxy 127.0.0.1:{proxy.port}"
    assert heard.details == [name, name, f"the server localhost:{tls_peer.port}", ""]
    assert "SECRET" not in repr(heard.events)
    took = [one.seconds for one in heard.events if one.phase is Phase.DONE]
    assert all(seconds is not None and 0 < seconds < 60 for seconds in took), took


async def test_trace_socks(peer: Any, proxy: Any, heard: Heard) -> None:
    async with open_socket(Endpoint(peer.url, proxy=f"socks5://127.0.0.1:{proxy.port}", trace=heard.tracer)):
        pass
    assert heard.steps == [(Step.TCP, Phase.DONE), (Step.UPGRADE, Phase.DONE)]


async def test_trace_tls_that_fails(tls_peer: Any, heard: Heard) -> None:
    endpoint = Endpoint(f"wss://localhost:{tls_peer.port}/", trace=heard.tracer)
    with pytest.raises(ConnectFailed) as caught:
        async with open_socket(endpoint):
            pass
    assert heard.steps == [(Step.TCP, Phase.DONE), (Step.TLS, Phase.FAILED)]
    assert heard.events[-1].error is caught.value


async def test_trace_a_server_that_is_not_there(unused_port: int, heard: Heard) -> None:
    with pytest.raises(ConnectFailed):
        async with open_socket(Endpoint(f"ws://127.0.0.1:{unused_port}/", trace=heard.tracer)):
            pass
    assert heard.steps == [(Step.TCP, Phase.FAILED)]


@pytest.fixture
def unused_port() -> int:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
