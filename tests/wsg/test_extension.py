"""Calls and arguments of the extension that are taken in no other way."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from rcex_ws import ConfigurationError, Request, Subscription
from rcex_ws.connection import DeliveryQueue
from tests.wsg.conftest import STORE


async def test_a_call_over_the_socket_may_have_headers(ext):
    response = await ext.request("GET", "/restapi/v1.0/account/~/extension/~", headers={"X-Y": "z"})
    assert (response.status_code, response.via) == (200, "websocket")


async def test_a_call_goes_by_https_when_the_connection_has_gone_meanwhile(ext, gateway):
    gateway.refuse("upgrade", times=None)
    request, seen = Request("GET", "/restapi/v1.0"), []

    async def call_next(request):
        seen.append(request)

    ext.ws.abort()
    await ext.transport(request, call_next)
    assert seen == [request]


async def test_a_subscription_without_an_answer_cannot_be_resumed(ext):
    queue = DeliveryQueue(max_items=1, max_bytes=1, on_overflow=lambda *_: None)
    with pytest.raises(ConfigurationError, match=r"^subscription_info: the server has not answered this subscription"):
        await ext.subscribe([STORE], lambda notification: None, Subscription(SimpleNamespace(), (STORE,), queue))
