"""Faults that the oracle found beyond the rows of the issue: each is mended, and has its test here.

The oracle simulates long lives and judges what was told, so it finds what no single life shows.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anyio
import pytest

from rcex_ws import Events, Extension, Gap, Notification, RcexError, RequestTimeout, State, SubscriptionState
from rcex_ws.gateway import Gateway
from rcex_ws.gateway.frames import connection_details
from rcex_ws.gateway.sessions import ServerFrame
from tests.found.lost import covering, delete, extension, installed, logged_in, until, utc_now
from tests.found.peer import MESSAGES, PRESENCE, Peer
from tests.told import Told

PUT = "PUT /restapi/v1.0/subscription/*"


class Shelf:
    """Keep a session in memory, as a store of an application's own.

    Args:
        kept: what an earlier process has left.

    Attributes:
        kept: what was saved last.
        broken: whether saving fails.
        tried: how many writes failed.
        is_open: whether an extension has it.
        closing_takes: seconds that it takes to close it.
    """

    def __init__(self, kept: Any = None) -> None:
        self.kept: Any = kept
        self.broken = self.is_open = False
        self.tried = 0
        self.closing_takes = 0.0

    async def open(self) -> Any:
        self.is_open = True
        return self.kept

    async def save(self, session: Any) -> None:
        if self.broken:
            self.tried += 1
            raise OSError(28, "No space left on device")
        self.kept = session

    async def clear(self) -> None:
        self.kept = None

    async def close(self) -> None:
        await anyio.sleep(self.closing_takes)
        self.is_open = False


@pytest.fixture
def quick_writer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the session be written as soon as something changes, not once a second."""
    monkeypatch.setattr("rcex_ws.wsg.keeper._PAUSE", 0.01)


# -- the writer of the session -------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["handed over", "adopted"])
async def test_the_session_is_written_again_after_subscribe_has_written_it(
    gateway: Gateway, tmp_path: Path, told: Told, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    monkeypatch.setattr("rcex_ws.wsg.keeper._PAUSE", 0)  # so that a writer that is blocked waits for a change
    shelf = Shelf()
    if first == "adopted":
        async with installed(gateway, tmp_path, Told(), session_store=shelf) as ext:
            await ext.subscribe([MESSAGES])
    async with installed(gateway, tmp_path, told, session_store=shelf) as ext:
        if first == "handed over":
            await ext.subscribe([MESSAGES])
        await anyio.wait_all_tasks_blocked()
        await ext.subscribe([MESSAGES], told.on_notification)
        await anyio.wait_all_tasks_blocked()
        (uuid,) = gateway.notify(MESSAGES, {"i": 1})
        await told.number(1)
        await until(lambda: uuid in shelf.kept.uuids, within=1)


@pytest.mark.usefixtures("quick_writer")
async def test_a_write_that_failed_is_tried_again_though_nothing_changes(
    gateway: Gateway, tmp_path: Path, told: Told
) -> None:
    shelf = Shelf()
    async with installed(gateway, tmp_path, told, session_store=shelf) as ext:
        shelf.broken = True
        await ext.subscribe([MESSAGES], told.on_notification)
        await told.until(lambda: any(isinstance(error, OSError) for error in told.of(Events.ERROR)))
        shelf.broken = False
        await until(lambda: shelf.kept is not None, within=1)
        assert shelf.kept.subscription.wanted == (MESSAGES,)


async def test_what_a_consumer_has_processed_is_written_though_nothing_more_comes(
    gateway: Gateway, tmp_path: Path, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rcex_ws.wsg.keeper._PAUSE", 0)
    shelf = Shelf()
    async with installed(gateway, tmp_path, told, session_store=shelf) as ext:
        subscription = await ext.subscribe([MESSAGES])
        (uuid,) = gateway.notify(MESSAGES, {"i": 1})
        await until(lambda: subscription.pending)
        await anyio.wait_all_tasks_blocked()
        assert uuid not in shelf.kept.uuids
        notifications = aiter(subscription)
        assert (await anext(notifications)).uuid == uuid
        await anyio.wait_all_tasks_blocked()
        assert uuid not in shelf.kept.uuids  # it is in hand until the next is asked for
        async with anyio.create_task_group() as group:
            group.start_soon(anext, notifications)
            await until(lambda: uuid in shelf.kept.uuids, within=1)
            group.cancel_scope.cancel()


# -- what ends while the connection is lost ------------------------------------------------------------------------


async def _lose(gateway: Gateway, told: Told) -> None:
    """Lose the connection for as long as there are faults."""
    gateway.refuse("upgrade", 503, times=None)
    gateway.cut()
    await told.until(lambda: told.of(Events.DISCONNECTED))


def _certain(gaps: list[Gap]) -> list[Gap]:
    return [gap for gap in gaps if gap.certain]


@pytest.mark.parametrize("what", ["subscription", "extension"])
@pytest.mark.parametrize("stored", [False, True], ids=["no store", "store"])
async def test_revoking_while_the_connection_is_lost_tells_a_certain_gap(
    gateway: Gateway, tmp_path: Path, told: Told, what: str, stored: bool
) -> None:
    async with installed(gateway, tmp_path, told, session_store=Shelf() if stored else None) as ext:
        proven = utc_now()
        subscription = await ext.subscribe([MESSAGES], told.on_notification)
        await _lose(gateway, told)
        gateway.notify(MESSAGES, {"i": 1})
        lost = utc_now()
        await (subscription.revoke() if what == "subscription" else ext.revoke())
        await told.until(lambda: told.gaps)
        assert _certain(covering(told.gaps, lost, proven=proven, over=utc_now())), told.gaps
        assert len(told.gaps) == 1
        assert subscription.state is SubscriptionState.REVOKED
        assert ext.subscription is None
    assert told.numbers == []


async def test_detaching_without_a_store_while_the_connection_is_lost_tells_a_certain_gap(
    gateway: Gateway, tmp_path: Path, told: Told
) -> None:
    async with installed(gateway, tmp_path, told) as ext:
        proven = utc_now()
        await ext.subscribe([MESSAGES], told.on_notification)
        await _lose(gateway, told)
        gateway.notify(MESSAGES, {"i": 1})
        lost = utc_now()
        await ext.detach()
        assert _certain(covering(told.gaps, lost, proven=proven, over=utc_now())), told.gaps


async def test_detaching_with_a_store_while_the_connection_is_lost_leaves_it_to_the_next_process(
    gateway: Gateway, tmp_path: Path, told: Told
) -> None:
    shelf, then = Shelf(), Told()
    async with installed(gateway, tmp_path, told, session_store=shelf) as ext:
        await ext.subscribe([MESSAGES], told.on_notification)
        await _lose(gateway, told)
        gateway.notify(MESSAGES, {"i": 1})
        await ext.detach()
    assert told.gaps == []
    gateway.clear_faults()
    async with installed(gateway, tmp_path, then, session_store=shelf) as ext:
        await ext.subscribe([MESSAGES], then.on_notification)
        await then.number(1)


@pytest.mark.parametrize("offered", [True, False], ids=["cut off", "not begun"])
async def test_closing_leaves_the_replay_of_an_attempt_that_it_cut_off_to_the_next_process(
    tmp_path: Path, told: Told, *, offered: bool
) -> None:
    shelf, then = Shelf(), Told()
    with Peer() as peer:
        async with installed(peer, tmp_path, told, session_store=shelf, wait=0.02 if offered else 60.0) as ext:
            await ext.subscribe([MESSAGES], told.on_notification)
            proven = peer.notify(1)
            await told.number(1)
            peer.hold()
            peer.close(1001)  # with a word, and for the first time: nothing else can have been lost
            lost = peer.notify(2)
            if offered:
                await until(lambda: peer.waiting)
            else:
                await told.until(lambda: told.of(Events.DISCONNECTED))
            await ext.detach()
        if offered:
            peer.buffer.clear()  # the server had let it in, and has replayed
        peer.let_in()
        async with installed(peer, tmp_path, then, session_store=shelf) as ext:
            await ext.subscribe([MESSAGES], then.on_notification)
            await then.until(lambda: then.of(Events.CONNECTION_READY))
            if not offered:
                await then.number(2)
    assert [gap.certain for gap in then.gaps] == ([False] if offered else []), then.gaps
    assert not offered or covering(then.gaps, lost, proven=proven), then.gaps


async def test_killed_right_after_a_clean_session_was_resumed_the_next_process_tells_a_possible_gap(
    gateway: Gateway, tmp_path: Path, told: Told
) -> None:
    shelf, then = Shelf(), Told()
    async with installed(gateway, tmp_path, told, session_store=shelf) as ext:
        await ext.subscribe([MESSAGES], told.on_notification)
        await ext.detach()
    assert shelf.kept.clean
    async with installed(gateway, tmp_path, Told(), session_store=shelf):
        killed = Shelf(shelf.kept)  # what this process does from here on happens no more
    async with installed(gateway, tmp_path, then, session_store=killed) as ext:
        await ext.subscribe([MESSAGES], then.on_notification)
        await until(lambda: then.gaps)
    assert [gap.certain for gap in then.gaps] == [False], then.gaps


async def test_killed_while_it_subscribes_again_the_next_process_tells_since_when_the_subscription_was_gone(
    tmp_path: Path, told: Told
) -> None:
    shelf, then = Shelf(), Told()
    with Peer() as peer:
        async with logged_in(peer, tmp_path) as rc:
            ext = extension(told, session_store=shelf)
            await rc.install_extension(ext)
            subscription = await ext.subscribe([MESSAGES], told.on_notification)
            proven = peer.notify(1)
            await told.number(1)
            await delete(rc, subscription)
            lost = peer.lose()
            peer.ahead += 60  # a minute later, for the server
            peer.answer_delay = 0.3
            async with anyio.create_task_group() as group:
                group.start_soon(subscription.refresh)
                await until(
                    lambda: [call[0] for call in peer.calls].count("POST") == 4
                )  # two logins, two subscriptions
                killed = Shelf(shelf.kept)  # what this process does from here on happens no more
        async with installed(peer, tmp_path, then, session_store=killed) as ext:
            await ext.subscribe([MESSAGES], then.on_notification)
            await then.until(lambda: then.gaps)
    assert _certain(covering(then.gaps, lost, proven=proven)), then.gaps


async def test_a_refresh_that_was_not_answered_is_asked_again_as_the_answer_may_have_been_that_it_is_gone(
    tmp_path: Path, told: Told
) -> None:
    with Peer() as peer:
        async with logged_in(peer, tmp_path) as rc:
            ext = extension(told, request_timeout=0.2)
            await rc.install_extension(ext)
            subscription = await ext.subscribe([MESSAGES], told.on_notification)
            proven = peer.notify(1)
            await told.number(1)
            await delete(rc, subscription)
            lost = peer.lose()
            peer.answer_delay = 0.3
            with pytest.raises(RequestTimeout):
                await subscription.refresh()
            peer.answer_delay = 0.0
            await told.until(lambda: told.gaps)
            assert _certain(covering(told.gaps, lost, proven=proven)), told.gaps
            assert len(told.gaps) == 1
            assert peer.filters == [MESSAGES]


async def test_what_waits_for_a_first_subscribe_is_told_when_the_stored_filters_are_refused_for_good(
    gateway: Gateway, tmp_path: Path, told: Told
) -> None:
    shelf, then = Shelf(), Told()
    async with installed(gateway, tmp_path, told, session_store=shelf) as ext:
        await ext.subscribe([MESSAGES], told.on_notification)
        killed = Shelf(shelf.kept)  # so that the next process asserts the filters
    gateway.refuse(PUT, 429, retry_after=1)
    gateway.refuse(PUT, 403)
    async with installed(gateway, tmp_path, then, session_store=killed) as ext:
        await until(lambda: [gap.certain for gap in then.gaps] == [False])  # of the restart, up to the new connection
        gateway.notify(MESSAGES, {"i": 1})
        proven = lost = utc_now()
        await then.until(lambda: _certain(then.gaps))
        assert _certain(covering(then.gaps, lost, proven=proven)), then.gaps
        await ext.subscribe([MESSAGES], then.on_notification)
        gateway.notify(MESSAGES, {"i": 2})
        await then.until(lambda: then.numbers)
    assert then.numbers == [2]


# -- a lost session, and what the queue drops ----------------------------------------------------------------------


@pytest.mark.usefixtures("quick_writer")
@pytest.mark.parametrize(
    "gateway_options", [{}, {"recovery_timeout": 0.1}], ids=["recovery refused", "window exceeded"]
)
async def test_a_session_that_was_lost_before_the_process_was_killed_is_a_certain_gap_for_the_next(
    gateway: Gateway, gateway_options: dict[str, Any], tmp_path: Path, told: Told
) -> None:
    shelf, then = Shelf(), Told()
    async with installed(gateway, tmp_path, told, session_store=shelf, wait=0.2 if gateway_options else 0.02) as ext:
        proven = utc_now()
        await ext.subscribe([MESSAGES], told.on_notification)
        if not gateway_options:
            gateway.fail_recovery("WSG-1003")
        gateway.refuse("POST /restapi/v1.0/subscription", 503, times=None)
        gateway.cut()
        gateway.notify(MESSAGES, {"i": 1})
        lost = utc_now()
        await until(lambda: shelf.kept.wsc is None)
        killed = Shelf(shelf.kept)  # what this process does from here on happens no more
    gateway.clear_faults()
    assert killed.kept.subscription.wanted == (MESSAGES,)
    async with installed(gateway, tmp_path, then, session_store=killed) as ext:
        await ext.subscribe([MESSAGES], then.on_notification)
        gateway.notify(MESSAGES, {"i": 2})
        await then.number(2)
    assert _certain(covering(then.gaps, lost, proven=proven, over=utc_now())), then.gaps
    assert then.numbers == [2]


async def test_the_gap_of_dropped_notifications_without_a_timestamp_reaches_up_to_the_present(
    gateway: Gateway, tmp_path: Path, told: Told
) -> None:
    go_on = anyio.Event()

    async def be_slow(notification: Notification) -> None:
        told.on_notification(notification)
        await go_on.wait()

    async with installed(gateway, tmp_path, told, max_pending=2) as ext:
        proven = utc_now()
        subscription = await ext.subscribe([MESSAGES], be_slow)
        gateway.notify(MESSAGES, {"i": 0})
        await told.number(0)
        info = subscription.info
        assert info is not None
        for number in range(1, 6):
            meta = {"type": "ServerNotification", "messageId": f"m{number}", "status": 200}
            body = {"uuid": f"u{number}", "event": info.event_filters[0], "subscriptionId": info.id}
            gateway.send_raw(json.dumps([meta, body | {"body": {"i": number}}]))
        lost = utc_now()
        await until(lambda: subscription.dropped == 3)
        go_on.set()
        await told.until(lambda: told.gaps)
        assert _certain(covering(told.gaps, lost, proven=proven, over=utc_now())), told.gaps
        await told.number(5)
    assert told.numbers == [0, 4, 5]


async def test_what_closing_had_no_time_to_tell_of_lies_in_a_gap_of_the_next_process(
    tmp_path: Path, told: Told
) -> None:
    shelf, busy, then, taken = Shelf(), anyio.Event(), Told(), []

    async def hang(_: object) -> None:
        busy.set()
        await anyio.sleep_forever()

    async def hang_at_the_third(notification: Notification) -> None:
        taken.append(notification)
        if len(taken) < 3:
            raise ValueError("so that a handler of lifecycle events is busy, and another one after it")
        await anyio.sleep_forever()

    with Peer() as peer:
        async with logged_in(peer, tmp_path) as rc:
            ext = extension(told, session_store=shelf, close_timeout=0.3)
            ext.on(Events.ERROR, hang)
            await rc.install_extension(ext)
            subscription = await ext.subscribe([MESSAGES], hang_at_the_third)
            proven = [peer.notify(1), peer.notify(2)][-1]
            lost = [peer.notify(3), peer.notify(4)]
            await until(lambda: subscription.pending == 1 and len(taken) == 3)
            await busy.wait()
            peer.ahead += 60
            await ext.request("GET", "/restapi/v1.0/account/~")  # all has come, though it was not taken
            await ext.detach()
        assert told.gaps == []
        async with logged_in(peer, tmp_path) as rc:
            ext = extension(then, session_store=shelf)
            await rc.install_extension(ext)
            await ext.subscribe([MESSAGES], then.on_notification)
            await then.until(lambda: then.gaps)
    for stamp in lost:
        assert _certain(covering(then.gaps, stamp, proven=proven)), then.gaps


# -- a caller that is cancelled ------------------------------------------------------------------------------------


async def test_who_is_cancelled_while_revoking_has_revoked(gateway: Gateway, tmp_path: Path, told: Told) -> None:
    delete = "DELETE /restapi/v1.0/subscription/*"
    async with logged_in(gateway, tmp_path) as rc:
        ext = extension(told)
        await rc.install_extension(ext)
        subscription = await ext.subscribe([MESSAGES], told.on_notification)
        gateway.answer_fault(delete, delay=0.3)
        async with anyio.create_task_group() as group:
            group.start_soon(subscription.revoke)
            await until(lambda: any(entry.get("method") == "DELETE" for entry in gateway.log()))
            group.cancel_scope.cancel()
        assert subscription.state is SubscriptionState.REVOKED
        assert ext.subscription is None
        assert gateway.notify(MESSAGES, {"i": 1}) == []
        assert (await rc.get("/restapi/v1.0/subscription")).json()["records"] == []
        await ext.subscribe([MESSAGES], told.on_notification)  # which the late answer must not end
        gateway.notify(MESSAGES, {"i": 2})
        await told.number(2)
        assert (ext.state, told.gaps) == (State.READY, [])


async def test_closing_waits_for_the_answer_to_a_subscribe_that_was_cancelled_to_delete_what_it_brings(
    gateway: Gateway, tmp_path: Path, told: Told
) -> None:
    async with logged_in(gateway, tmp_path) as rc:
        ext = extension(told, close_timeout=4.0)
        await rc.install_extension(ext)
        gateway.answer_fault("POST /restapi/v1.0/subscription", delay=0.6)
        async with anyio.create_task_group() as group:
            group.start_soon(ext.subscribe, [MESSAGES])
            await until(lambda: any(entry.get("path") == "/restapi/v1.0/subscription" for entry in gateway.log()))
            group.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                await ext.revoke()
        assert (await rc.get("/restapi/v1.0/subscription")).json()["records"] == []


class SlowToFail(Extension):
    """A middleware that takes its time when a call has failed."""

    async def handle(self, request: Any, call_next: Any) -> Any:
        try:
            return await call_next(request)
        except RcexError:
            await anyio.sleep(0.5)
            raise


async def test_what_came_for_a_subscribe_that_was_cancelled_comes_before_what_came_after_it(
    gateway: Gateway, tmp_path: Path, told: Told
) -> None:
    async with logged_in(gateway, tmp_path) as rc:
        ext = extension(told)
        await rc.install_extension(SlowToFail())
        await rc.install_extension(ext)
        await ext.subscribe([MESSAGES], told.on_notification)
        gateway.answer_fault("PUT /restapi/v1.0/subscription/*", drop=True)
        async with anyio.create_task_group() as group:
            group.start_soon(ext.subscribe, [MESSAGES, PRESENCE])
            await until(lambda: any(entry.get("method") == "PUT" for entry in gateway.log()))
            gateway.notify(MESSAGES, {"i": 1})
            await ext.request("GET", "/restapi/v1.0/account/~/extension/~")  # its answer comes behind that
            group.cancel_scope.cancel()
        gateway.cut(1000)
        await until(lambda: ext.ws is None)
        await until(lambda: ext.ws is not None)
        gateway.notify(MESSAGES, {"i": 2})
        await told.number(2)
        await told.number(1)
        assert told.numbers == [1, 2]


# -- a server that tells no time -----------------------------------------------------------------------------------


@pytest.mark.parametrize("said", ["9999-12-31T23:59:59.999Z", "0001-01-01T00:00:00Z", "now"])
async def test_a_creation_time_that_cannot_be_does_no_harm(
    gateway: Gateway, tmp_path: Path, told: Told, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    def say(*args: Any) -> ServerFrame:
        frame = connection_details(*args)
        return ServerFrame(frame.meta, {**(frame.body or {}), "creationTime": said})

    monkeypatch.setattr("rcex_ws.gateway.websocket.connection_details", say)
    async with installed(gateway, tmp_path, told) as ext:
        assert ext.state is State.READY
        assert ext.connection_details is not None
        assert ext.connection_details.creation_time == said
        proven = utc_now()
        await ext.subscribe([MESSAGES], told.on_notification)
        gateway.fail_recovery()
        gateway.cut()
        lost = utc_now()
        await told.until(lambda: len(told.of(Events.CONNECTION_READY)) == 2)
        assert _certain(covering(told.gaps, lost, proven=proven, over=utc_now())), told.gaps
        gateway.notify(MESSAGES, {"i": 1})
        await told.number(1)
        assert ext.state is State.READY


# -- closing from inside -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["handler", "task", "outside"])
@pytest.mark.parametrize("what", ["client", "extension"])
async def test_a_task_that_a_handler_has_started_waits_for_the_closing_too(
    gateway: Gateway, tmp_path: Path, told: Told, what: str, first: str
) -> None:
    shelf, entered, closing = Shelf(), anyio.Event(), anyio.Event()
    shelf.closing_takes = 0.2
    found: dict[str, tuple[bool, SubscriptionState]] = {}
    async with logged_in(gateway, tmp_path) as rc, anyio.create_task_group() as group:
        ext = extension(told, session_store=shelf)
        await rc.install_extension(ext)
        subscription = await ext.subscribe([MESSAGES], told.on_notification)

        async def close(who: str) -> None:
            closing.set()
            await (rc.aclose() if what == "client" else ext.aclose())
            found[who] = shelf.is_open, subscription.state

        async def close_twice(_: object) -> None:
            entered.set()
            if first == "outside":
                await closing.wait()
            group.start_soon(close, "task")
            if first == "task":
                await closing.wait()
            await close("handler")

        ext.on(Events.DISCONNECTED, close_twice)
        gateway.cut()
        with anyio.fail_after(4):
            await (entered if first == "outside" else closing).wait()
            await close("outside")
            await until(lambda: len(found) == 3)
    assert found == dict.fromkeys(("handler", "task", "outside"), (False, SubscriptionState.CLOSED))


def _root_tasks() -> list[str | None]:
    return [task.name for task in anyio.get_running_tasks() if (task.name or "").startswith("rcex_ws client")]


@pytest.mark.parametrize("patient", [True, False], ids=["a moment", "too long"])
async def test_closing_again_waits_a_moment_for_a_handler_that_closed_and_goes_on(
    gateway: Gateway, tmp_path: Path, told: Told, monkeypatch: pytest.MonkeyPatch, patient: bool
) -> None:
    closed, ended, go_on = anyio.Event(), anyio.Event(), anyio.Event()
    async with logged_in(gateway, tmp_path) as rc:
        ext = extension(told)
        await rc.install_extension(ext)

        async def close(_: object) -> None:
            await rc.aclose()
            closed.set()
            if patient:
                await anyio.sleep(0.2)
            else:
                await go_on.wait()
            ended.set()

        ext.on(Events.DISCONNECTED, close)
        gateway.cut()
        with anyio.fail_after(4):
            await closed.wait()
        assert _root_tasks()
        if not patient:
            monkeypatch.setattr("rcex_ws.rest.lifecycle._SECOND_CLOSE_TIMEOUT", 0.1)
        begun = anyio.current_time()
        await rc.aclose()
        assert anyio.current_time() - begun < 1
        assert ended.is_set() is patient
        go_on.set()
        if not patient:
            await until(lambda: not _root_tasks())
        assert _root_tasks() == []
