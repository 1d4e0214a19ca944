"""Handlers per filter, waiting for one event, one's own posts left out, and the subscriptions of a whole account."""

from __future__ import annotations

from typing import Any

import anyio
import anyio.lowlevel
import pytest

from rcex_ws import (
    ConfigurationError,
    Events,
    NotConnected,
    RequestTimeout,
    RingCentral,
    SubscriptionEnded,
    SubscriptionInfo,
)
from rcex_ws.wsg import UnroutedEvent
from tests.wsg.conftest import STORE

EXTENSION = "/restapi/v1.0/account/~/extension/~"
PRESENCE = f"{EXTENSION}/presence"
POSTS = "/team-messaging/v1/posts"


class Heard:
    """Collects what handlers get, and tells when there is enough."""

    def __init__(self) -> None:
        self.all: list[tuple[str, Any]] = []
        self._more = anyio.Event()

    def by(self, name: str) -> Any:
        def handler(notification: Any) -> None:
            self.all.append((name, notification.body))
            self._more.set()

        return handler

    async def wait(self, count: int) -> list[tuple[str, Any]]:
        with anyio.fail_after(5):
            while len(self.all) < count:
                self._more = anyio.Event()
                await self._more.wait()
        return self.all


@pytest.fixture
def heard() -> Heard:
    return Heard()


async def test_each_handler_gets_the_events_of_its_filter(ext, gateway, heard):
    ext.on_event(STORE, type="SMS")(heard.by("text"))
    ext.on_event(STORE, type=["Fax", "VoiceMail"])(heard.by("other"))
    ext.on_event(PRESENCE, detailedTelephonyState=True)(heard.by("presence"))
    subscription = await ext.subscribe()
    assert len(subscription.event_filters) == 3
    assert f"{PRESENCE}?detailedTelephonyState=true" in subscription.event_filters
    sms, fax = ({"changes": [{"type": kind}]} for kind in ("SMS", "Fax"))
    gateway.notify(f"{STORE}?type=SMS", sms)
    gateway.notify(f"{STORE}?type=Fax", fax)
    gateway.notify(PRESENCE, {"extensionId": "1"})
    assert await heard.wait(3) == [("text", sms), ("other", fax), ("presence", {"extensionId": "1"})]


async def test_what_the_name_leaves_open_the_body_says(ext, gateway, heard):
    ext.on_event(STORE, type="SMS")(heard.by("text"))
    ext.on_event(STORE, type="Fax")(heard.by("fax"))
    await ext.subscribe()
    fax, open_to_all = {"changes": [{"type": "Fax"}]}, {"changes": []}
    gateway.notify(STORE, fax, filter=f"{STORE}?type=Fax")  # named without its query
    gateway.notify(STORE, open_to_all, filter=f"{STORE}?type=Fax")
    assert await heard.wait(3) == [("fax", fax), ("text", open_to_all), ("fax", open_to_all)]


async def test_a_handler_that_raises_stops_no_other(ext, gateway, heard, told):
    @ext.on_event(STORE)
    async def broken(notification):
        raise ValueError("broken")

    ext.on_event(STORE)(heard.by("second"))
    await ext.subscribe()
    gateway.notify(STORE, {})
    await heard.wait(1)
    assert isinstance(await told.wait(Events.ERROR), ValueError)


async def test_an_event_that_no_handler_wants_is_reported(ext, gateway, heard, told):
    ext.on_event(STORE)(heard.by("store"))
    await ext.subscribe()
    gateway.notify("/restapi/v1.0/account/~/a2p-sms/batches", {}, filter=STORE)
    assert isinstance(await told.wait(Events.ERROR), UnroutedEvent)
    assert heard.all == []


async def test_the_same_session_keeps_its_handlers_across_a_loss(ext, gateway, heard, told):
    ext.on_event(STORE)(heard.by("store"))
    await ext.subscribe()
    gateway.cut()
    gateway.notify(STORE, {"i": 1})
    assert await heard.wait(1) == [("store", {"i": 1})]


async def test_handlers_and_filters_do_not_mix(ext, heard):
    with pytest.raises(ConfigurationError, match="on_event"):
        await ext.subscribe()
    ext.on_event(STORE)(heard.by("store"))
    with pytest.raises(ConfigurationError, match="on_event"):
        await ext.subscribe([PRESENCE], print)
    with pytest.raises(ConfigurationError, match="on_event"):
        await ext.subscribe(callback=print)
    with pytest.raises(ConfigurationError, match="handler"):
        ext.on_event(STORE)(None)


async def test_a_late_handler_is_warned_of(ext, heard, caplog):
    ext.on_event(STORE)(heard.by("store"))
    await ext.subscribe()
    ext.on_event(PRESENCE)(heard.by("presence"))
    assert "before the next subscribe()" in caplog.text


async def test_wait_for_returns_the_first_that_the_predicate_takes(ext, gateway):
    await ext.subscribe([STORE, PRESENCE], lambda notification: None)
    found: list[Any] = []

    async def wait() -> None:
        found.append(await ext.wait_for(STORE, lambda notification: notification.body["i"] == 2, timeout=5))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        gateway.notify(PRESENCE, {"i": 2})
        gateway.notify(STORE, {"i": 1})
        gateway.notify(STORE, {"i": 2})
    assert found[0].body == {"i": 2}


async def test_a_handler_may_wait_for_the_next_event(ext, gateway, heard):
    answers: list[Any] = []
    done = anyio.Event()

    async def ask(notification: Any) -> None:
        if notification.body["i"] == 1:
            gateway.notify(STORE, {"i": 2})
            answers.append((await ext.wait_for(STORE, timeout=5)).body)
        else:
            done.set()  # the consumer gets it as well

    await ext.subscribe([STORE], ask)
    gateway.notify(STORE, {"i": 1})
    with anyio.fail_after(5):
        await done.wait()
    assert answers == [{"i": 2}]


async def test_a_handler_gets_what_waits_behind_it_already_and_none_of_it_twice(ext, gateway):
    answers: list[int] = []
    done = anyio.Event()

    async def ask(notification: Any) -> None:
        if notification.body["i"] != 1:
            return
        while ext.subscription.pending < 3:
            await anyio.lowlevel.checkpoint()
        answers.append((await ext.wait_for(STORE, timeout=5)).body["i"])
        answers.append((await ext.wait_for(STORE, timeout=5)).body["i"])
        answers.append((await ext.wait_for(STORE, lambda other: other.body["i"] > 3, timeout=5)).body["i"])
        done.set()

    await ext.subscribe([STORE], ask)
    for number in (1, 2, 3):
        gateway.notify(STORE, {"i": number})
    gateway.notify(PRESENCE, {"i": 4}, filter=STORE)
    with anyio.fail_after(5):
        while not answers[1:]:
            await anyio.lowlevel.checkpoint()
        gateway.notify(STORE, {"i": 4})
        await done.wait()
    assert answers == [2, 3, 4]


async def test_another_task_waits_for_what_has_not_come_yet(ext, gateway):
    busy, go_on = anyio.Event(), anyio.Event()

    async def slow(_: Any) -> None:
        busy.set()
        await go_on.wait()

    await ext.subscribe([STORE], slow)
    for number in (1, 2):
        gateway.notify(STORE, {"i": number})
    with anyio.fail_after(5):
        await busy.wait()
        while ext.subscription.pending < 1:
            await anyio.lowlevel.checkpoint()
    with pytest.raises(RequestTimeout):
        await ext.wait_for(STORE, timeout=0.01)
    go_on.set()


async def test_wait_for_ends_by_time_and_by_closing(ext, gateway):
    with pytest.raises(ConfigurationError, match="subscribe"):
        await ext.wait_for(STORE)
    await ext.subscribe([STORE], print)
    with pytest.raises(ConfigurationError, match="has no filter"):
        await ext.wait_for(PRESENCE)
    with pytest.raises(RequestTimeout):
        await ext.wait_for(STORE, timeout=0.01)
    async with anyio.create_task_group() as tasks:

        async def wait() -> None:
            with pytest.raises(NotConnected, match="closed"):
                await ext.wait_for(STORE, timeout=5)

        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        await ext.revoke()
    with pytest.raises(NotConnected, match="closed"):
        await ext.wait_for(STORE)


async def test_wait_for_ends_with_the_filter_it_waits_for(ext):
    subscription = await ext.subscribe([STORE, PRESENCE], print)
    ended: list[str] = []

    async def wait(event_filter: str) -> None:
        with pytest.raises(SubscriptionEnded, match="any more"):
            await ext.wait_for(event_filter, timeout=5)
        ended.append(event_filter)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait, STORE)
        tasks.start_soon(wait, PRESENCE)
        await anyio.wait_all_tasks_blocked()
        await subscription.update([PRESENCE])
        await anyio.wait_all_tasks_blocked()
        assert ended == [STORE]
        await subscription.revoke()
    assert ended == [STORE, PRESENCE]


@pytest.mark.parametrize("event", ["post", "message"])
async def test_ones_own_events_are_left_out(ext, gateway, heard, event):
    own, other = (user.id for user in gateway.users)
    bodies = {
        "post": lambda who: {"id": 1, "eventType": "PostAdded", "creatorId": who},
        "message": lambda who: {"id": 1, "type": "Pager", "from": {"extensionId": who}},
    }
    name = POSTS if event == "post" else f"{STORE}/instant"
    await ext.subscribe([name], heard.by("bot"), ignore_own=True)
    for who in (own, int(own), other):
        gateway.notify(name, bodies[event](who))
    assert await heard.wait(1) == [("bot", bodies[event](other))]


async def test_an_iterator_leaves_them_out_too(ext, gateway, rc):
    subscription = await ext.subscribe([POSTS], ignore_own=True)
    for number, who in enumerate((gateway.users[0].id, "someone")):
        gateway.notify(POSTS, {"id": number, "eventType": "PostAdded", "creatorId": who})
    others = aiter(subscription)
    assert aiter(others) is others
    notification = await anext(others)
    assert notification.body["id"] == 1
    assert notification.view.creator_id == "someone"


async def test_the_own_id_is_asked_for_once_if_the_token_does_not_say_it(rc, make_ext, gateway, heard, requests):
    bare = {"access_token": rc.token.access_token}
    async with RingCentral(server=gateway.server, client_id=gateway.client_id, token=bare) as other:
        ext = make_ext()
        await other.install_extension(ext)
        await ext.subscribe([POSTS], heard.by("bot"), ignore_own=True)
        await ext.subscribe([POSTS], heard.by("bot"), ignore_own=True)
        for who in (gateway.users[0].id, "someone"):
            gateway.notify(POSTS, {"id": 1, "eventType": "PostAdded", "creatorId": who})
        assert (await heard.wait(1))[0][1]["creatorId"] == "someone"
        assert len(requests("/extension/~")) == 1


async def test_all_extensions_of_an_account_in_one_subscription(ext, gateway, heard):
    subscription = await ext.subscribe_all_extensions(["presence", "telephony/sessions"], heard.by("board"))
    ids = [user.id for user in gateway.users]
    assert len(subscription.event_filters) == 2 * len(ids)
    gateway.notify(f"/restapi/v1.0/account/~/extension/{ids[1]}/presence", {"i": 1})
    assert await heard.wait(1) == [("board", {"i": 1})]


async def test_the_subscriptions_of_others_are_listed_and_deleted(ext, rc, make_ext, gateway):
    other = make_ext()
    await rc.install_extension(other)
    await other.subscribe([STORE], print)
    mine = await ext.subscribe([STORE], print)
    listed = await ext.list_subscriptions()
    assert {one.id for one in listed} == {mine.info.id, other.subscription.info.id}
    with pytest.raises(ConfigurationError, match="revoke"):
        await ext.delete_subscription(mine.info)
    await ext.delete_subscription(other.subscription.info)
    await ext.delete_subscription(other.subscription.info.id)  # gone already
    assert [one.id for one in await ext.list_subscriptions()] == [mine.info.id]
    with pytest.raises(ConfigurationError, match="path"):
        await ext.delete_subscription(SubscriptionInfo(id="a/b"))
