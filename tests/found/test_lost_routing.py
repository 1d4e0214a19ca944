"""Failures found where an event does not look like the filter that asked for it (L12): a guess drops nothing.

RingCentral answers an account-wide filter with events of single extensions, a filter that selects by the body with
events that say nothing of it, and writes what was percent-encoded in another way. So whether an event belongs to a
filter is a guess. It goes to the old consumer only if the old filters alone can have caused it, else to the newest.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import anyio
import pytest

from rcex_ws import FileSessionStore, FileTokenStore, Notification, RestError, RingCentral, WebSocketExtension
from rcex_ws.gateway import Gateway

INFO = "/restapi/v1.0/account/~/extension/~"
STORE = f"{INFO}/message-store"
PRESENCE = f"{INFO}/presence"
FAX = f"{INFO}/fax?direction=Inbound"

#: A filter, and an event that it can have caused; `own` and `other` are extensions with their ids.
ASKED = {
    "account-wide": ("/restapi/v1.0/account/~/presence", "{other}/presence"),
    "account-wide, own": ("/restapi/v1.0/account/~/telephony/sessions", "{own}/telephony/sessions"),
    "by the body": (f"{STORE}?type=SMS", "{own}/message-store"),
    "by the body, another query": (f"{STORE}?type=Fax&direction=Inbound", "{own}/message-store?direction=Inbound"),
    "encoded query": (
        f"{INFO}/telephony/sessions?phoneNumber=%2B16505550100",
        "{own}/telephony/sessions?phoneNumber=+16505550100",
    ),
    "encoded path": ("/restapi/v1.0/account/%7E/extension/%7E/message-store", "{own}/message-store"),
}
every_kind = pytest.mark.parametrize(("asked", "event"), ASKED.values(), ids=list(ASKED))

Process = Callable[[], AbstractAsyncContextManager[WebSocketExtension]]
FrameOf = Callable[[str, int], str]
Unanswered = Callable[[WebSocketExtension, Callable[[], Awaitable[object]], list[str]], Awaitable[None]]


class Consumer:
    """A callback that notes the number in each body."""

    def __init__(self) -> None:
        self.numbers: list[int] = []

    def __call__(self, notification: Notification) -> None:
        self.numbers.append(notification.body["i"])

    async def got(self, *numbers: int) -> None:
        """Wait until it has got so many; see that these are the ones."""
        with anyio.move_on_after(1):
            while len(self.numbers) < len(numbers):
                await anyio.sleep(0.005)
        assert self.numbers == list(numbers)


@pytest.fixture
def process(gateway: Gateway, tmp_path: Path) -> Process:
    """Make an extension as a new process would: same files, same OAuth session."""

    @asynccontextmanager
    async def process() -> AsyncGenerator[WebSocketExtension]:
        async with RingCentral(
            server=gateway.server,
            client_id=gateway.client_id,
            client_secret=gateway.client_secret,
            token_store=FileTokenStore(tmp_path / "token.json"),
        ) as rc:
            await rc.authorize(jwt=gateway.jwt)
            ext = WebSocketExtension(session_store=FileSessionStore(tmp_path / "session.json"))
            await rc.install_extension(ext)
            yield ext

    return process


@pytest.fixture
def frame(gateway: Gateway) -> FrameOf:
    """Write a notification as the server does, with an event of any text."""
    uuids = count(1)

    def frame(event: str, i: int) -> str:
        uuid = f"{next(uuids):019}"
        own, other = gateway.users[:2]
        subscribed = [entry for entry in gateway.log() if entry["kind"] in ("subscribe", "resubscribe")]
        envelope = {
            "uuid": uuid,
            "event": event.format(own=own.uri, other=other.uri),
            "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "subscriptionId": subscribed[-1]["subscription"],
            "ownerId": own.id,
            "body": {"i": i},
        }
        return json.dumps([{"type": "ServerNotification", "messageId": uuid, "status": 200}, envelope])

    return frame


@pytest.fixture
def unanswered(gateway: Gateway, ms: float) -> Unanswered:
    """Ask for filters, and let frames come between the server's change and its answer."""

    def changes() -> int:
        calls = [entry for entry in gateway.log() if entry["kind"] == "request"]
        return sum(call["method"] in ("POST", "PUT") and "/subscription" in call["path"] for call in calls)

    async def unanswered(ext: WebSocketExtension, ask: Callable[[], Awaitable[object]], frames: list[str]) -> None:
        before = changes()
        answered = anyio.Event()

        async def call() -> None:
            await ask()
            answered.set()

        gateway.answer_fault("subscription", delay=250 * ms)
        with anyio.fail_after(5):
            async with anyio.create_task_group() as group:
                group.start_soon(call)
                while changes() == before:
                    await anyio.sleep(0.005)
                gateway.send_raw(frames)
                await ext.request("GET", INFO)  # by its answer, the frames before it have been read
                assert not answered.is_set(), "the test was too slow"

    return unanswered


# -- a restart: what waits for the first subscribe has no old consumer -------------------------------------------------


@every_kind
@pytest.mark.parametrize("filters", ["one more", "one less"])
async def test_l12_a_restart_with_other_filters_drops_nothing(
    gateway: Gateway,
    process: Process,
    frame: FrameOf,
    unanswered: Unanswered,
    asked: str,
    event: str,
    filters: str,
) -> None:
    first, second = ([asked], [asked, FAX]) if filters == "one more" else ([asked, FAX], [asked])
    consumer = Consumer()
    async with process() as ext:
        await ext.subscribe(first, consumer)
    async with process() as ext:
        gateway.send_raw([frame(event, 1), frame(event, 2)])
        await ext.request("GET", INFO)  # they have been read by now
        await unanswered(ext, lambda: ext.subscribe(second, consumer), [frame(event, 3)])
        gateway.send_raw(frame(event, 4))
        await consumer.got(1, 2, 3, 4)


# -- a replacement: until the server answers, an event can be of the old filters or of the new -------------------------


@every_kind
@pytest.mark.parametrize("old_filters", ["cannot have caused it", "can have caused it, too"])
async def test_l12_what_the_new_filters_can_have_caused_goes_to_the_new_consumer(
    process: Process, frame: FrameOf, unanswered: Unanswered, asked: str, event: str, old_filters: str
) -> None:
    old, new = Consumer(), Consumer()
    before, after = ([FAX], [asked]) if old_filters == "cannot have caused it" else ([asked], [asked, FAX])
    async with process() as ext:
        await ext.subscribe(before, old)
        await unanswered(ext, lambda: ext.subscribe(after, new), [frame(event, 1), frame(event, 2)])
        await new.got(1, 2)
        assert old.numbers == []


async def test_l12_what_no_filter_seems_to_have_caused_goes_to_the_new_consumer(
    process: Process, frame: FrameOf, unanswered: Unanswered
) -> None:
    old, new = Consumer(), Consumer()
    async with process() as ext:
        await ext.subscribe([STORE], old)
        await unanswered(ext, lambda: ext.subscribe([PRESENCE], new), [frame("/team-messaging/v1/posts", 1)])
        await new.got(1)
        assert old.numbers == []


async def test_l12_what_the_old_filters_alone_can_have_caused_goes_to_the_old_consumer(
    process: Process, frame: FrameOf, unanswered: Unanswered
) -> None:
    old, new = Consumer(), Consumer()
    async with process() as ext:
        await ext.subscribe([STORE], old)
        events = [frame("{own}/message-store", 1), frame("{own}/presence", 2), frame("{own}/message-store", 3)]
        await unanswered(ext, lambda: ext.subscribe([PRESENCE], new), events)
        await old.got(1, 3)
        await new.got(2)


async def test_l12_each_gets_its_own_and_in_order(process: Process, frame: FrameOf, unanswered: Unanswered) -> None:
    old, new = Consumer(), Consumer()
    async with process() as ext:
        await ext.subscribe([STORE], old)
        texts = ["{own}/message-store", "{other}/presence", "{own}/message-store", "{own}/presence", "{other}/presence"]
        events = [frame(text, i) for i, text in enumerate(texts, 1)]
        await unanswered(ext, lambda: ext.subscribe(["/restapi/v1.0/account/~/presence"], new), events)
        await old.got(1, 3)
        await new.got(2, 4, 5)


async def test_l12_when_the_replacement_is_refused_the_old_consumer_gets_all(
    gateway: Gateway, process: Process, frame: FrameOf, unanswered: Unanswered
) -> None:
    old, new = Consumer(), Consumer()
    async with process() as ext:
        await ext.subscribe([FAX], old)
        gateway.refuse("subscription", 403, error_code="SUB-528")

        async def ask() -> None:
            with pytest.raises(RestError):
                await ext.subscribe(["/restapi/v1.0/account/~/presence"], new)

        await unanswered(ext, ask, [frame("{other}/presence", 1), frame("{own}/fax?direction=Inbound", 2)])
        await old.got(1, 2)
        assert new.numbers == []
