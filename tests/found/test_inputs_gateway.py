"""The local gateway refuses what it cannot be, and listens where it can."""

from __future__ import annotations

import math
import socket
from typing import Any

import pytest

from rcex_ws import ConfigurationError, NotConnected, RingCentral, WebSocketExtension
from rcex_ws.gateway import Gateway, GatewayOptions

FILTER = "/restapi/v1.0/account/~/extension/~/message-store"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("port", value) for value in (True, -1, 65536, "8080", None, 80.0)),
        *(("ws_port", value) for value in (True, -1, 65536)),
        *(("host", value) for value in (None, "", 5, b"localhost")),
        *(("recovery_timeout", value) for value in (-1, "x", math.nan, math.inf, None, True)),
        *(("ping_interval", value) for value in (0, -1, math.nan, "x")),
        *(("recovery_buffer_size", value) for value in (-1, 1.5, True, "x")),
        *(("public_ws_uri", value) for value in ("nonsense", "http://example.com", "ws://", "ws://a:99999", b"x", 5)),
        ("coalesce", "yes"),
        ("rate_limits", {"light": -1}),
        ("rate_limits", {1: 1}),
        ("rate_limits", "light"),
        ("disabled_filters", "/a"),
        ("client_id", 5),
    ],
)
def test_i8_a_knob_that_cannot_be(name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=rf"^{name}: ") as caught:
        Gateway(**{name: value})
    assert not caught.value.retryable


def test_i8_what_can_be_is_taken() -> None:
    options = GatewayOptions(recovery_timeout=0, recovery_buffer_size=0, wsc_every_n=0, public_ws_uri="ws://a/ws")
    assert options.recovery_timeout == 0


@pytest.mark.parametrize("name", ["port", "ws_port"])
def test_i8_a_port_that_is_in_use(name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        gateway = Gateway(**{name: port})
        with pytest.raises(ConfigurationError, match=rf"^{name}: {port} is in use") as caught:
            gateway.__enter__()
    assert not caught.value.retryable
    with gateway:  # nothing of the first try is in the way
        assert gateway.log() == []


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid"])
def test_i8_a_host_that_is_none_of_this_machines(host: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"^host: .*{host}"):
        Gateway(host=host).__enter__()


def _knows_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(not _knows_ipv6(), reason="this machine has no IPv6")
async def test_i8_the_other_loopback_works() -> None:
    with Gateway(host="::1") as gateway:
        assert gateway.server.startswith("http://[::1]:")
        async with RingCentral(
            server=gateway.server, client_id=gateway.client_id, client_secret=gateway.client_secret
        ) as rc:
            await rc.authorize(jwt=gateway.jwt)
            ext = WebSocketExtension(rest_over_websocket=True)
            await rc.install_extension(ext)
            subscription = await ext.subscribe([FILTER])
            gateway.notify(FILTER, {"n": 1})
            async for notification in subscription:
                assert notification.body == {"n": 1}
                break
            assert (await rc.get("/restapi/v1.0/account/~/extension/~")).via == "websocket"


@pytest.mark.parametrize(
    ("order", "name", "arguments"),
    [
        ("cut", "code", {"code": "1001"}),
        ("cut", "code", {"code": 5}),
        ("refuse", "status", {"where": "wstoken", "status": "slow"}),
        ("refuse", "status", {"where": "wstoken", "status": 99}),
        ("refuse", "retry_after", {"where": "wstoken", "retry_after": math.nan}),
        ("refuse", "times", {"where": "wstoken", "times": 0}),
        ("refuse", "where", {"where": "nowhere"}),
        ("refuse", "where", {"where": None}),
        ("answer_fault", "delay", {"where": "wstoken", "delay": -1}),
        ("answer_fault", "strip", {"where": "wstoken", "strip": "all"}),
        ("answer_fault", "notify", {"where": "wstoken", "notify": {}}),
        ("notify", "event", {"event": "no path", "body": {}}),
        ("notify", "body", {"event": "/a", "body": "x"}),
    ],
)
def test_i8_an_order_that_cannot_be(gateway: Gateway, order: str, name: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=rf"^\b{name}\b"):
        getattr(gateway, order)(**arguments)


def test_i8_a_gateway_that_is_not_running() -> None:
    gateway = Gateway()
    for order in (gateway.cut, gateway.log, lambda: gateway.__exit__(None, None, None)):
        with pytest.raises(NotConnected):
            order()
