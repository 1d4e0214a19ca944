"""Which messages are allowed in which state: the arrows that no message from a client can reach.

The others are tried by test_conversation.py and its races.
"""

from __future__ import annotations

from rcex_ws.feedme.messages import FeedOpen
from rcex_ws.feedme.server.session import ConversationState, Handshaking

REQUEST = FeedOpen("feed", {})


def test_nothing_is_answered_that_was_not_asked() -> None:
    session = ConversationState(termination_window=30)
    assert not session.answer_handshake(success=True)
    assert not session.answer_action("1")
    assert not session.answer_open("feed", REQUEST, success=True)
    assert not session.answer_close("feed")
    assert not session.terminate("feed", 0)
    assert session.handshake is Handshaking.MISSING
    assert (session.actions, session.opening, session.feeds) == (set(), {}, {})


def test_everything_is_answered_once() -> None:
    session = ConversationState(termination_window=30)
    assert session.receive_handshake() is None
    assert session.answer_handshake(success=True)
    assert not session.answer_handshake(success=True)
    assert session.receive_action("1") is None
    assert session.answer_action("1")
    assert not session.answer_action("1")
    assert session.receive_open("feed", REQUEST) is None
    assert session.answer_open("feed", REQUEST, success=True)
    assert not session.answer_open("feed", REQUEST, success=True)
    assert session.receive_close("feed", 0) is None
    assert session.answer_close("feed")
    assert not session.answer_close("feed")


def test_an_equal_request_is_not_the_same() -> None:
    session = ConversationState(termination_window=30)
    session.receive_handshake()
    session.answer_handshake(success=True)
    session.receive_open("feed", REQUEST)
    assert not session.answer_open("feed", FeedOpen("feed", {}), success=True)
    assert session.answer_open("feed", REQUEST, success=False)
    assert session.feeds == {}
