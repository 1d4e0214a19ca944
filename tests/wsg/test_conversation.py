"""One connection, frame by frame: what the reader does with each, beside a link that only records."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from rcex_ws import Loss, LossKind, Outcome, Wsc
from rcex_ws.connection import EventEmitter, RequestTable
from rcex_ws.wsg.announcer import Announcer
from rcex_ws.wsg.completeness import Completeness, OpenGap
from rcex_ws.wsg.conversation import WsgConversation, WsgShared
from rcex_ws.wsg.inbox import Inbox
from rcex_ws.wsg.server_clock import ServerClock
from rcex_ws.wsg.session import LastEnd, Outage, Session
from rcex_ws.wsg.subscription import Subscription
from rcex_ws.wsg.subscription_machine import SubscriptionMachine

DETAILS = {"type": "ConnectionDetails", "wsc": {"token": "first", "sequence": 1}}


class Desk:
    """A conversation and what it has to do with; nothing of it runs."""

    def __init__(self, *, session: Session | None = None, offered: bool = False, **shared: Any) -> None:
        self.losses: list[Loss] = []
        self.heartbeats: list[bytes] = []
        self.emitter = EventEmitter()
        self.session = session or Session()
        announcer = Announcer(
            self.emitter, on_gap=None, gap_timeout=1, retry_delay=lambda n: 1, on_gap_change=lambda: None
        )
        machine: SubscriptionMachine[Any] = SubscriptionMachine()
        self.completeness = Completeness(ServerClock(1000.0, 0.0))
        self.inbox = Inbox(machine, self.completeness, announcer, max_messages=10, max_bytes=10_000)
        machine.current = Subscription(SimpleNamespace(), ("/x",), self.inbox.new_queue())  # type: ignore[arg-type]
        link = SimpleNamespace(
            lose=self.losses.append,
            send=lambda pending: None,
            send_heartbeat=self.heartbeats.append,
            heartbeat_answered=lambda: None,
            last_inbound=0.0,
        )

        async def delete_orphans() -> None:
            pass

        sync: Any = SimpleNamespace(
            can_miss=True, has_wanted_filters=True, start=lambda: None, delete_orphans=delete_orphans
        )
        options: dict[str, Any] = {"release_timeout": 1.0, "heartbeat_interval": 30.0, "mark_changed": None, **shared}
        self.shared = WsgShared(
            session=self.session,
            completeness=self.completeness,
            table=RequestTable(),
            inbox=self.inbox,
            subscriptions=SimpleNamespace(),  # type: ignore[arg-type]
            sync=sync,
            announcer=announcer,
            closing=lambda: False,
            check_after_suspend=lambda: None,
            **options,
        )
        self.conversation = WsgConversation(link, self.shared, token_offered=offered, began_at=0.0)  # type: ignore[arg-type]

    def hear(self, meta: dict[str, Any], body: object = None) -> None:
        self.conversation.on_message(json.dumps([meta, {} if body is None else body]).encode(), False)

    async def tell(self) -> dict[str, list[Any]]:
        """Run what is due to the application; return the arguments of each event."""
        told: dict[str, list[Any]] = {}
        for event in ("newWsc", "notificationGap"):
            self.emitter.on(event, told.setdefault(event, []).append)
        async with anyio.create_task_group() as group:
            self.emitter.start(group.start_soon)
            self.emitter.stop(within=5)
        return told


async def test_later_details_bring_a_newer_token_and_nothing_else() -> None:
    desk = Desk()
    desk.hear(DETAILS)
    for sequence in (1, 2):
        desk.hear({**DETAILS, "wsc": {"token": f"token {sequence}", "sequence": sequence}})
    desk.hear({"type": "ConnectionDetails"})
    assert desk.session.wsc == Wsc("token 2", 2)
    assert [wsc.token for wsc in (await desk.tell())["newWsc"]] == ["first", "token 2"]


async def test_a_server_may_give_no_token() -> None:
    desk = Desk()
    desk.hear({"type": "ConnectionDetails"})
    assert desk.session.wsc is None
    assert (await desk.tell())["newWsc"] == []
    with anyio.fail_after(1):
        await desk.conversation.handshake()


@pytest.mark.parametrize(
    ("code", "outcome"),
    [("WSG-400", Outcome.UNREADABLE), ("WSG-1003", Outcome.REFUSED), ("WSG-901", None)],
)
async def test_an_error_before_the_details_may_be_about_the_token(code: str, outcome: Outcome | None) -> None:
    session = Session(Wsc("old", 3))
    session.begin_outage(Outage(lost_at=0.0, loss=Loss(LossKind.DROPPED)))
    desk = Desk(session=session, offered=True)
    desk.hear({"type": "Error", "status": 400}, {"errorCode": code, "message": "no"})
    assert session.outage is not None
    assert session.outage.outcome is outcome
    assert (session.wsc is None) is (outcome is not None)
    assert [(loss.kind, loss.code) for loss in desk.losses] == [(LossKind.REFUSED, code)]


async def test_what_the_last_process_had_lost_is_a_certain_gap_though_it_is_recovered() -> None:
    session = Session(Wsc("old", 3))
    session.begin_outage(Outage(lost_at=None, last_end=LastEnd.CLEAN))
    desk = Desk(session=session, offered=True)
    desk.completeness.resume(OpenGap(900.0, certain=True))
    desk.hear(DETAILS, {"recoveryState": "Successful"})
    (gap,) = (await desk.tell())["notificationGap"]
    assert (gap.certain, gap.reason) == (True, "the last process had lost notifications")


async def test_notifications_that_prove_nothing_do_not_keep_questions_away() -> None:
    for interval, asked in ((0.0, 2), (1e9, 0)):
        desk = Desk(heartbeat_interval=interval)
        desk.hear(DETAILS)
        for number in range(2):
            desk.hear({"type": "ServerNotification"}, {"uuid": str(number), "event": "/x"})
        assert len(desk.heartbeats) == asked


async def test_heartbeats_are_shown_in_debug_mode() -> None:
    shown: list[tuple[str, bytes]] = []
    desk = Desk(show=lambda direction, data: shown.append((direction, data)))
    frame = desk.conversation.heartbeat()
    desk.conversation.on_message(frame, False)
    assert shown == [(">", frame), ("<", frame)]


async def test_delivery_goes_on_though_a_handler_takes_too_long(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk(release_timeout=0.01)
    desk.hear(DETAILS)
    with anyio.fail_after(1):
        await desk.conversation.after_ready()  # nothing runs the handlers
    assert "delivery goes on though a lifecycle handler still runs" in caplog.text


async def test_a_release_counts_for_its_own_hold_alone() -> None:
    desk = Desk()
    queue = desk.inbox.new_queue()
    first, second = desk.inbox.hold(), desk.inbox.hold()
    desk.inbox.release(first)
    assert queue.held
    desk.inbox.release(second)
    assert not queue.held
