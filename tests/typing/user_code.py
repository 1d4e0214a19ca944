"""Programs as users write them. `make lint` checks by mypy and pyright, both strict, what type all has.

Nothing here runs: what the programs do is shown by the pages of the docs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, assert_type

import anyio
import httpx
import httpx2

from rcex_ws import (
    BatchResult,
    ConnectionDetails,
    Events,
    FileSessionStore,
    FileTokenStore,
    Gap,
    Link,
    Notification,
    RcexError,
    Recovery,
    RequestLost,
    Response,
    RestError,
    RestStats,
    RetryExtension,
    RingCentral,
    State,
    StateReason,
    Stats,
    Subscription,
    SubscriptionInfo,
    Token,
    WebSocketExtension,
    Wsc,
)
from rcex_ws.feedme import FeedmeClient, FeedmeServer
from rcex_ws.gateway import Gateway
from rcex_ws.rtm import RtmClient
from rcex_ws.rtm.server import RtmServer
from rcex_ws.slack import RTMClient
from rcex_ws.testing import FakeSlack, FaultProxy, MemoryGateway, proxied_gateway

STORE = "/restapi/v1.0/account/~/extension/~/message-store"


async def login() -> None:
    async with RingCentral(
        server="https://platform.ringcentral.com",
        client_id="id",
        client_secret="secret",
        token_store=FileTokenStore(Path("token.json")),
        proxy=False,
    ) as rc:
        assert_type(rc, RingCentral)
        assert_type(await rc.authorize(jwt="jwt"), Token)
        assert_type(rc.token, Token | None)
        assert_type(rc.authorize_uri(redirect_uri="http://localhost"), str)
        await rc.refresh()
        await rc.revoke()
        assert_type(rc.stats, RestStats)
    RingCentral(token={"access_token": "secret"}, http=httpx.AsyncClient())
    RingCentral(bot_token="secret", http=httpx2.AsyncClient())


async def calls(rc: RingCentral) -> None:
    response = await rc.get(STORE, params={"perPage": 10}, timeout=5)
    assert_type(response, Response)
    assert_type(response.status_code, int)
    assert_type(response.via, Literal["https", "websocket"])
    assert_type(response.text, str)
    assert_type(response.content, bytes)
    assert_type(response.json(), Any)
    assert_type(await rc.post(STORE, json={"text": "hello"}), Response)
    assert_type(await rc.put(STORE, files={"image": Path("a.png")}), Response)
    assert_type(await rc.patch(STORE, content=b"{}"), Response)
    assert_type(await rc.delete(STORE), Response)
    assert_type(await rc.request("OPTIONS", STORE, headers={"Accept": "*/*"}), Response)
    async with rc.stream("GET", STORE) as answer:
        assert_type(answer.status_code, int)
        async for chunk in answer.aiter_bytes():
            assert_type(chunk, bytes)
    assert_type(await rc.download(STORE, to="store.json"), Path)


async def paths(rc: RingCentral) -> None:
    extension = rc.restapi().account().extension()
    assert_type(await extension.get(), Any)
    async for message in extension.message_store().list_all():
        assert_type(message, Any)
    for result in await extension.message_store().batch(["1", "2"]):
        assert_type(result, BatchResult)
    assert_type(await extension.message_store("1").content("2").download_to("fax.pdf"), Path)


async def errors(rc: RingCentral) -> None:
    try:
        await rc.get(STORE)
    except RestError as error:
        assert_type(error.response, Response)
        assert_type(error.status_code, int)
        assert_type(error.error_code, str | None)
        assert_type(error.message, str | None)
    except RequestLost as error:
        assert_type(error.sent, bool)
    except RcexError as error:
        assert_type(error.retryable, bool)
        assert_type(error.retry_after, float | None)


async def read_again(gap: Gap) -> None:
    assert_type(gap.since, datetime | None)
    assert_type(gap.until, datetime)
    assert_type(gap.certain, bool)
    assert_type(gap.reason, str)


async def subscriptions(rc: RingCentral) -> None:
    ws_ext = WebSocketExtension(
        rest_over_websocket=True,
        session_store=FileSessionStore("session.json", wait=10),
        on_gap=read_again,
        reconnect_delays=lambda failures: failures * 2.0,
    )
    await rc.install_extension(ws_ext)
    await rc.install_extension(RetryExtension())

    def on_event(notification: Notification) -> None:
        assert_type(notification.uuid, str)
        assert_type(notification.body, Any)

    async def on_event_async(notification: Notification) -> None:
        assert_type(notification.event, str)

    assert_type(await ws_ext.subscribe([STORE], on_event), Subscription)
    subscription = await ws_ext.subscribe([STORE], on_event_async)
    await ws_ext.subscribe([STORE], lambda notification: notification.raw)
    await ws_ext.subscribe([STORE], print, ignore_own=True)
    async for notification in subscription:
        assert_type(notification, Notification)
    assert_type(subscription.info, SubscriptionInfo | None)
    assert_type(subscription.event_filters, tuple[str, ...])
    if subscription.info is not None:
        assert_type(subscription.info.to_dict(), dict[str, Any])
    await ws_ext.subscribe(subscription_info=subscription)
    await subscription.refresh()
    await subscription.update([STORE])
    await subscription.revoke()
    assert_type(await ws_ext.wait_for(STORE, lambda one: one.body["type"] == "SMS", timeout=5), Notification)
    assert_type(await ws_ext.list_subscriptions(), list[SubscriptionInfo])
    assert_type(ws_ext.ws, Link | None)
    assert_type(ws_ext.wsc, Wsc | None)
    assert_type(ws_ext.connection_details, ConnectionDetails | None)
    assert_type(ws_ext.state, State)
    assert_type(ws_ext.state_reason, StateReason)
    assert_type(ws_ext.last_recovery, Recovery | None)
    assert_type(await ws_ext.recover(), Recovery | None)
    assert_type(ws_ext.stats, Stats)
    await ws_ext.wait_closed()


def lifecycle(ws_ext: WebSocketExtension) -> None:
    @ws_ext.on(Events.DISCONNECTED)
    def on_disconnected(reason: StateReason) -> None: ...

    @ws_ext.on("notificationGap")
    async def on_gap(gap: Gap) -> None: ...

    off = ws_ext.on(Events.NEW_WSC, lambda wsc: wsc.token)
    assert_type(off(), None)
    kept: Callable[[StateReason], None] = on_disconnected  # the decorator gives back what it got
    kept(ws_ext.state_reason)


def bot(ws_ext: WebSocketExtension) -> None:
    @ws_ext.on_event(f"{STORE}/instant", type="SMS")
    async def on_text(notification: Notification) -> None:
        await anyio.sleep(1)

    @ws_ext.on_event(STORE, type=["Fax", "VoiceMail"])
    def on_other(notification: Notification) -> None: ...

    kept: Callable[[Notification], None] = on_other
    ws_ext.on_event(STORE)(kept)


async def slack(fake: FakeSlack) -> None:
    client = RTMClient(fake.token)

    @client.on("message")
    async def on_message(event: dict[str, Any]) -> None:
        reply = await client.send_message(event["text"], event["channel"])
        assert_type(reply.ts, str | None)

    async with client as connected:
        assert_type(connected, RTMClient)
        await client.wait_closed()


async def feedme() -> None:
    async with FeedmeServer() as server:
        board = server.live_feed("Board", {"game": "1"}, {"scores": {"ann": 0}})

        @server.action("score")
        def on_score(client: object, args: dict[str, Any]) -> dict[str, Any]:
            with board.change("scored", {"player": "ann"}) as draft:
                draft["scores"]["ann"] += 1
            return {}

        async with FeedmeClient(server.url) as client, client.feed("Board", {"game": "1"}) as feed:
            assert_type(await client.action("score", {"player": "ann"}), Mapping[str, Any])
            async for change in feed:
                assert_type(change.action_name, str | None)


async def rtm() -> None:
    users = {"secret": {"id": "ann"}}

    def authenticate(client: object, token: Any) -> dict[str, str] | None:
        return users.get(token)

    server = RtmServer(authenticate=authenticate)

    @server.register
    async def greet(client: object, user_id: str) -> int:
        return await server.publish(user_id, "greeting", "hello")

    async with server, RtmClient(server.url, authentication="secret") as client:

        @client.subscribe("greeting")
        def on_greeting(data: list[Any]) -> None: ...

        assert_type(await client.call_wait("greet", "ann"), Any)


def test_my_bot(gateway: Gateway, proxied_gateway: tuple[Gateway, FaultProxy], fake_slack: FakeSlack) -> None:
    """What the fixtures give, with the annotations that tests write."""
    assert_type(gateway.server, str)
    gateway.notify(STORE, {"changes": []})
    gateway.cut()
    local, proxy = proxied_gateway
    assert_type(local.jwt, str)
    proxy.reset()


def servers_of_tests() -> Iterator[Gateway]:
    with Gateway(port=0) as gateway, proxied_gateway() as (other, proxy), FakeSlack() as slack:
        assert_type(gateway, Gateway)
        assert_type(other, Gateway)
        assert_type(proxy, FaultProxy)
        assert_type(slack, FakeSlack)
        yield gateway
    assert_type(MemoryGateway(), MemoryGateway)
