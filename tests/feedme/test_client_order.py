"""The order of what a client tells (section 7.6 of the reference): one queue, and nothing runs inside a call."""

from __future__ import annotations

from functools import partial

from tests.feedme.scripted import Rig, connected, disconnected
from tests.feedme.wire import closed, notified, opened, refused, terminated

A, B, C, D = ({"n": name} for name in "abcd")


async def test_on_a_loss_actions_fail_then_feeds_close_then_disconnect_fires() -> None:
    async with connected(reconnect=False) as rig:
        await rig.open_feed()
        rig.client.action("one", {}, partial(rig.told.add, "action one"))
        rig.client.action("two", {}, partial(rig.told.add, "action two"))
        await rig.script.kinds(2)
        rig.script.lose()
        await rig.told.wait("disconnect TRANSPORT_FAILURE")
        assert rig.told.lines == [
            "action one NOT_CONNECTED",
            "action two NOT_CONNECTED",
            "board close NOT_CONNECTED",
            "disconnect TRANSPORT_FAILURE",
        ]


async def test_disconnect_has_the_same_order_and_all_of_it_after_the_call() -> None:
    async with connected() as rig:
        await rig.open_feed()
        rig.client.action("one", {}, partial(rig.told.add, "action one"))
        rig.client.disconnect()
        assert rig.told.lines == []
        await rig.told.wait("disconnect")
        assert rig.told.lines == ["action one NOT_CONNECTED", "board close NOT_CONNECTED", "disconnect"]


async def test_open_and_opening_feeds_close_in_the_order_they_were_opened_in_then_those_with_an_error() -> None:
    async with connected() as rig:
        feeds = {label: rig.feed(label, args) for label, args in zip("abcd", (A, B, C, D), strict=True)}
        for label in "bdca":
            feeds[label].desire_open()
        await rig.script.kinds(4)
        rig.script.say(refused(args=D), opened(args=A))
        await rig.told.wait("a open")
        rig.told.clear()
        rig.client.disconnect()
        await rig.told.wait("disconnect")
        assert rig.told.lines == [
            "b close NOT_CONNECTED",
            "c close NOT_CONNECTED",
            "a close NOT_CONNECTED",
            "d close NOT_CONNECTED",
            "disconnect",
        ]


async def test_a_feed_that_the_application_desires_closed_is_not_closed_again_by_a_loss() -> None:
    async with connected() as rig:
        feed = await rig.open_feed()
        rig.feed("idle", A)
        feed.desire_closed()
        rig.client.disconnect()
        await rig.told.wait("disconnect")
        assert rig.told.lines == ["board close", "disconnect"]


async def test_failed_attempts_do_not_close_a_feed_again() -> None:
    async with disconnected(connect_retry=-1) as rig:
        rig.feed("a", A).desire_open()
        rig.script.refuse = OSError()
        for count in (1, 2):
            rig.client.connect()
            await rig.told.wait("disconnect TRANSPORT_FAILURE", count)
        assert rig.told.lines == [
            "a close NOT_CONNECTED",
            *["connecting", "disconnect TRANSPORT_FAILURE"] * 2,
        ]


async def test_after_connect_desired_feeds_emit_opening() -> None:
    async with disconnected() as rig:
        rig.feed("a", A).desire_open()
        rig.feed("b", B).desire_open()
        rig.client.connect()
        await rig.told.wait("b opening")
        assert rig.told.lines == [
            "a close NOT_CONNECTED",
            "b close NOT_CONNECTED",
            "connecting",
            "connect",
            "a opening",
            "b opening",
        ]


async def test_a_handler_runs_after_all_that_was_queued_before() -> None:
    async with connected() as rig:
        feed = await rig.open_feed()
        rig.client.on("bad_client_message", lambda _: feed.desire_closed())
        violation = {"MessageType": "ViolationResponse", "Diagnostics": {"a": 1}}
        rig.script.say(violation, notified(name="x"), notified(name="y"))
        await rig.told.wait("board close")
        assert rig.told.lines[0] == "bad_client_message"
        assert rig.told.lines[-1] == "board close"
        assert feed.state == "closed"


async def test_a_bad_notification_closes_the_feed_before_it_is_reported() -> None:
    async with connected() as rig:
        await rig.open_feed()
        lines = await rig.say(notified({"Operation": "Delete", "Path": ["missing"]}))
        assert lines == ["board close BAD_FEED_ACTION", "bad_server_message INVALID_DELTA"]


async def test_messages_are_told_in_the_order_they_came_in() -> None:
    async with connected() as rig:
        feed = await rig.open_feed()
        messages = [notified(name="x"), terminated("END"), notified(name="late"), opened(), closed()]
        assert await rig.say(*messages) == [
            "board action x",
            "board close TERMINATED",
            *["bad_server_message UNEXPECTED_MESSAGE"] * 3,
        ]
        assert feed.state == "closed"


async def test_reconnecting_follows_the_disconnect_event() -> None:
    def prepare(rig: Rig) -> None:
        rig.feed("a", A).desire_open()

    async with connected(prepare, connect_retry=0, connect_retry_backoff=0) as rig:
        await rig.told.wait("a opening")
        rig.told.clear()
        rig.script.lose()
        await rig.told.wait("a opening")
        assert rig.told.lines == [
            "a close NOT_CONNECTED",
            "disconnect TRANSPORT_FAILURE",
            "connecting",
            "connect",
            "a opening",
        ]
