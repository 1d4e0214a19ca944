"""Which messages are allowed in which state: the arrows that no message from a client can reach.

The others are tried by test_conversation.py and its races.
"""

from __future__ import annotations

from rcex_ws.feedme.messages import FeedOpen
from rcex_ws.feedme.server.conversation_state import ConversationState, Handshaking

REQUEST = FeedOpen("feed", {})


def test_nothing_is_answered_that_was_not_asked() -> None:
    state = ConversationState(termination_window=30)
    assert not state.answer_handshake(success=True)
    assert not state.answer_action("1")
    assert not state.answer_open("feed", REQUEST, success=True)
    assert not state.answer_close("feed")
    assert not state.terminate("feed", 0)
    assert state.handshake is Handshaking.MISSING
    assert (state.actions, state.opening, state.feeds) == (set(), {}, {})


def test_everything_is_answered_once() -> None:
    state = ConversationState(termination_window=30)
    assert state.receive_handshake() is None
    assert state.answer_handshake(success=True)
    assert not state.answer_handshake(success=True)
    assert state.receive_action("1") is None
    assert state.answer_action("1")
    assert not state.answer_action("1")
    assert state.receive_open("feed", REQUEST) is None
    assert state.answer_open("feed", REQUEST, success=True)
    assert not state.answer_open("feed", REQUEST, success=True)
    assert state.receive_close("feed", 0) is None
    assert state.answer_close("feed")
    assert not state.answer_close("feed")


def test_an_equal_request_is_not_the_same() -> None:
    state = ConversationState(termination_window=30)
    state.receive_handshake()
    state.answer_handshake(success=True)
    state.receive_open("feed", REQUEST)
    assert not state.answer_open("feed", FeedOpen("feed", {}), success=True)
    assert state.answer_open("feed", REQUEST, success=False)
    assert state.feeds == {}
