"""One connection: what each frame leads to, also one that makes no sense; sessions and gaps."""

from __future__ import annotations

from typing import Any

import pytest

from rcex_ws.connection import LossKind, State
from rcex_ws.errors import BadFrame
from rcex_ws.rtm import RtmEvents, driver
from rcex_ws.rtm.account import NEW_SESSION
from rcex_ws.websocket.frames import Binary, Text
from tests.rtm.scripted import Frame, Rig, Scripted, rig, session


def event(name: str, *data: Any, **more: Any) -> Frame:
    return {"event": name, "data": list(data), **more}


def ours(server: Scripted) -> None:
    """Be a server of ours that forgets its sessions."""
    server.greets = lambda number: [session(f"s{number}", position=f"p{number}")]


async def wanting(it: Rig) -> None:
    """Start a client that wants events."""
    it.subscribe("x")
    await it.client.start()


# -- which server it is ------------------------------------------------------------------------------------------------


async def test_a_server_without_sessions_leaves_a_gap_at_each_reconnect() -> None:
    async with rig() as it:
        await wanting(it)
        it.server.event("x", 1, position="7")
        await it.settle()
        await it.lose()
        it.server.event("x", 2)
        await it.settle()
        assert it.told.names == ["open", "x", "close", "reconnecting", "gap", "open", "x"]
        (gap,) = it.told.gaps
        assert (gap.certain, gap.published) == (False, True)
        assert gap.reason == "this server does not resume sessions"
        assert gap.since <= it.told.losses[0].at <= gap.until
        assert it.server.upgrades == ["new", "new"]
        await it.lose()
        assert len(it.told.gaps) == 2


async def test_nobody_is_told_of_gaps_who_has_subscribed_to_nothing() -> None:
    async with rig() as it:
        await it.client.start()
        await it.lose()
        await it.lose()
        assert it.told.gaps == []


async def test_the_gap_comes_before_the_first_event_even_if_that_comes_before_the_pong() -> None:
    async with rig(lambda server: setattr(server, "greets", lambda number: [event("x", number)])) as it:
        await wanting(it)
        await it.lose()
        await it.settle()
        assert it.told.names == ["x", "open", "close", "reconnecting", "gap", "x", "open"]


async def test_with_authentication_it_comes_before_the_reply() -> None:
    async with rig(authentication="a") as it:
        await wanting(it)
        await it.lose()
        await it.settle()
        assert it.told.names == [
            *("authenticating", "open", "close"),
            *("reconnecting", "authenticating", "gap", "open"),
        ]


async def test_with_authentication_the_session_comes_before_the_reply() -> None:
    async with rig(ours, authentication="a") as it:
        await wanting(it)
        it.server.event("x", 1, position="p8")
        await it.settle()
        await it.lose()
        assert it.server.upgrades == ["new", "s1;1;p8"]
        (gap,) = it.told.gaps
        assert (gap.published, gap.certain) == (False, False)


@pytest.mark.parametrize(("code", "count"), [(1012, 0), (1000, 0), (1001, 0), (1013, 1), (4409, 1), (4429, 1)])
async def test_a_server_that_moves_its_clients_in_order_leaves_no_gap(
    code: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "_SPREAD", 0.01)
    async with rig(ours) as it:
        await wanting(it)
        it.server.peer.close(code, "bye")
        loss = await it.told.wait("close")
        assert (loss.kind, loss.code, loss.text) == (LossKind.CLOSED, code, "bye")
        await it.told.wait("open", 2)
        assert len(it.told.gaps) == count


async def test_what_the_server_says_of_its_log_is_told_before_the_events_that_follow() -> None:
    def prepare(server: Scripted) -> None:
        notice = {"reason": "the log is short", "certain": True, "position": "p9"}
        server.greets = lambda number: [session(f"s{number}", position="p9", gap=notice), event("x", number, id="p10")]

    async with rig(prepare) as it:
        await wanting(it)
        await it.settle()
        await it.lose()
        await it.settle()
        assert it.told.names == ["x", "open", "close", "reconnecting", "gap", "gap", "x", "open"]
        assert [(gap.published, gap.certain, gap.reason) for gap in it.told.gaps] == [
            (True, True, "the log is short"),
            (False, False, NEW_SESSION),
        ]
        await it.lose()
        assert it.server.upgrades == ["new", "s1;1;p10", "s2;1;p10"]


async def test_a_notice_within_a_connection_is_a_gap_and_sets_the_position() -> None:
    async with rig(ours) as it:
        await wanting(it)
        it.server.event("x", 1, position="p8")
        it.server.say(event("rtm:gap", {"reason": "a hole", "certain": True, "position": "p20"}))
        it.server.event("x", 2)
        it.server.say(event("rtm:gap", {"reason": "again", "published": False}))
        await it.settle()
        assert it.told.names == ["open", "x", "gap", "x", "gap"]
        assert [(gap.reason, gap.certain, gap.published) for gap in it.told.gaps] == [
            ("a hole", True, True),
            ("again", False, False),
        ]
        await it.lose()
        assert it.server.upgrades[1] == "s1;2;p20"
        assert it.client.stats.gaps == 3


async def test_without_resume_no_session_is_asked_for_and_no_ping_is_sent() -> None:
    async with rig(ours, resume=False) as it:
        await wanting(it)
        await it.settle()
        assert it.server.upgrades == [None]
        error = await it.told.wait("error")
        assert isinstance(error, BadFrame)
        await it.lose()
        (gap,) = it.told.gaps
        assert "resume=False" in gap.reason


@pytest.mark.parametrize(
    "first",
    [
        event("rtm:session"),
        event("rtm:session", 5),
        event("rtm:session", {"session": 5}),
        event("rtm:session", {"session": ""}),
        event("rtm:session", {"session": "a;b"}),
        event("rtm:session", {"session": "a\r\nX: y"}),
        event("rtm:session", {"session": "a", "position": "\n"}),
        event("rtm:session", {"session": "a", "gap": 5}),
        {"event": "rtm:session"},
        {"event": "rtm:session", "data": {}},
    ],
    ids=str,
)
async def test_a_session_that_cannot_be_resumed_is_none(first: Frame) -> None:
    async with rig(lambda server: setattr(server, "greets", lambda number: [first])) as it:
        await wanting(it)
        assert isinstance(await it.told.wait("error"), BadFrame)
        await it.settle()
        await it.lose()
        assert it.server.upgrades == ["new", "new"]
        assert [gap.reason for gap in it.told.gaps] == ["this server does not resume sessions"]


async def test_a_session_that_comes_late_or_twice_is_reported_and_ignored() -> None:
    async with rig(lambda server: setattr(server, "greets", lambda number: [session(), session("s2")])) as it:
        await wanting(it)
        assert isinstance(await it.told.wait("error"), BadFrame)
        await it.settle()
        await it.lose()
        assert it.server.upgrades == ["new", "s1;0;"]
    async with rig() as it:
        await wanting(it)
        it.server.say(session())
        await it.settle()
        assert it.told.names == ["open", "error"]


async def test_notices_of_other_servers_and_unknown_events_of_the_protocol_are_ignored() -> None:
    async with rig() as it:
        await wanting(it)
        it.server.say(event("rtm:gap", {"reason": "a hole"}), event("rtm:future", 1), event("rtm:", 1))
        await it.settle()
        assert it.told.names == ["open"]
    async with rig(ours) as it:
        await wanting(it)
        it.server.say(event("rtm:future", 1))
        await it.settle()
        assert it.told.names == ["open"]
        await it.lose()
        assert it.server.upgrades[1] == "s1;0;p1", "they are not counted"


@pytest.mark.parametrize("data", [[], [5], [{}], [{"reason": "x", "position": "a b\r\n"}], None, "x"], ids=str)
async def test_a_notice_that_cannot_be_read_is_reported(data: Any) -> None:
    async with rig(ours) as it:
        await wanting(it)
        it.server.say({"event": "rtm:gap", "data": data})
        await it.settle()
        assert it.told.names == ["open", "error"]


# -- frames ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bad", [b"", b"x", b"[1]", b"5", b'{"id": {}}', b"\xff\xfe", b"[" * 100_000, b'{"event": "x", "data": [1}']
)
async def test_a_frame_that_cannot_be_read_is_reported_and_survived(bad: bytes) -> None:
    async with rig() as it:
        await wanting(it)
        it.server.say(Binary(bad))
        it.server.event("x", 1)
        await it.settle()
        assert it.told.names == ["open", "error", "gap", "x"]
        assert isinstance(it.told.of("error")[0], BadFrame)
        (gap,) = it.told.gaps
        assert (gap.certain, gap.published) == (False, True)


@pytest.mark.parametrize("data", [{}, {"data": None}, {"data": "text"}, {"data": {"0": 1}}, {"data": 5}], ids=str)
async def test_an_event_whose_data_is_no_list_is_certainly_missing(data: Frame) -> None:
    async with rig(ours) as it:
        await wanting(it)
        it.server.say({"event": "x", **data, "id": "p5"})
        it.server.event("x", 1)
        await it.settle()
        assert it.told.names == ["open", "error", "gap", "x"]
        (gap,) = it.told.gaps
        assert gap.certain
        await it.lose()
        assert it.server.upgrades[1] == "s1;2;p5", "the server has counted it"


async def test_without_a_handler_of_errors_a_bad_frame_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with rig() as it:
        it.client._emitter.remove_all_listeners(RtmEvents.ERROR)
        await wanting(it)
        it.server.say(Text("secret"))
        await it.settle()
        assert it.told.names == ["open", "gap"]
        assert "no frame" in caplog.text
        assert "secret" not in caplog.text


@pytest.mark.parametrize("position", [5, 1.5, "a\nb", " ", ""])
async def test_a_position_that_could_not_be_sent_back_is_none(position: Any) -> None:
    async with rig(ours) as it:
        await wanting(it)
        it.server.say(event("x", id=position))
        await it.settle()
        await it.lose()
        assert it.server.upgrades[1] in ("s1;1;p1", "s1;1;")


async def test_a_binary_frame_is_read_like_a_text() -> None:
    async with rig() as it:
        await wanting(it)
        it.server.say(Binary(b'{"event": "x", "data": [1]}'))
        assert await it.told.wait("x") == [1]


async def test_lone_surrogates_and_numbers_beyond_json_survive() -> None:
    async with rig() as it:
        await wanting(it)
        it.server.say(Text('{"event": "x", "data": ["\\ud800", 1e999, 123456789012345678901234567890]}'))
        data = await it.told.wait("x")
        assert data[2] == 123456789012345678901234567890


async def test_the_text_of_each_frame_is_emitted_before_it_is_handled_but_for_the_secret() -> None:
    async with rig(ours, authentication="a") as it:
        it.client.on(RtmEvents.MESSAGE, lambda text: it.told.add("message", text))
        await wanting(it)
        it.server.event("x", "é")
        it.server.say(Text("bad"), event("rtm:gap", {"reason": "a hole"}))
        await it.settle()
        assert it.told.of("message") == [
            '{"id": "1", "data": true}',
            '{"event": "x", "data": ["\\u00e9"]}',
            "bad",
            '{"event": "rtm:gap", "data": [{"reason": "a hole"}]}',
            '{"id": "2", "data": []}',
        ]
        names = it.told.names
        assert names[:3] == ["authenticating", "message", "open"]
        assert names[3:] == ["message", "x", "message", "error", "gap", "message", "gap", "message"]


# -- authentication ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reply", [True, 1, "yes", {}, [], {"id": 5}, {"error": None}], ids=str)
async def test_what_javascript_takes_for_true_accepts(reply: Any) -> None:
    async with rig(lambda server: setattr(server, "accepts", reply), authentication="a") as it:
        await it.client.start()
        assert it.client.authenticated
        it.server.peer.close()
        await it.told.wait("close")
        assert not it.client.authenticated


async def test_a_reply_without_data_refuses_even_if_the_connection_ends_with_it() -> None:
    async with rig(lambda server: setattr(server, "accepts", ...), authentication="a") as it:
        await it.client.start(wait=False)
        frame = await it.server.next()
        it.server.say({"id": frame["id"]})
        it.server.peer.close(4401)
        error = await it.told.wait("error")
        assert type(error).__name__ == "AuthenticationRefused"
        assert it.client.state is State.FAILED
        assert it.told.losses[0].kind is LossKind.REFUSED
        with pytest.raises(type(error)):
            await it.client.wait_ready()
        with pytest.raises(type(error)):
            await it.client.wait_closed()


async def test_other_replies_before_it_are_not_for_the_authentication() -> None:
    async with rig(lambda server: setattr(server, "accepts", ...), authentication="a") as it:
        await it.client.start(wait=False)
        frame = await it.server.next()
        it.server.say({"id": "other"}, {"id": frame["id"], "data": True}, {"id": frame["id"], "data": None})
        await it.client.wait_ready()
        await it.settle()
        assert it.client.authenticated


async def test_an_authentication_that_is_closed_on_is_tried_again() -> None:
    async with rig(lambda server: setattr(server, "accepts", ...), authentication="a") as it:
        await it.client.start(wait=False)
        await it.server.next()
        it.server.accepts = True
        it.server.peer.close(4401, "too late")
        await it.told.wait("open")
        assert it.told.names == ["authenticating", "close", "error", "reconnecting", "authenticating", "open"]
        assert it.told.losses[0].code == 4401


async def test_one_that_is_not_answered_times_out_and_is_tried_again(ms: float) -> None:
    async with rig(lambda server: setattr(server, "accepts", ...), authentication="a", attempt_timeout=100 * ms) as it:
        await it.client.start(wait=False)
        await it.server.next()
        it.server.accepts = True
        await it.told.wait("open")
        assert it.told.names == ["authenticating", "close", "error", "reconnecting", "authenticating", "open"]
