"""The conversation with one client: receives its messages, has them handled, and responds to each once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, assert_never

from rcex_ws.feedme.arguments import json_object
from rcex_ws.feedme.codec import NotAMessage, decode_client_message, encode
from rcex_ws.feedme.errors import InvalidArgument
from rcex_ws.feedme.messages import (
    VERSION,
    Action,
    ActionResponse,
    ClientMessage,
    Dialect,
    FeedArgs,
    FeedClose,
    FeedCloseResponse,
    FeedKey,
    FeedOpen,
    FeedOpenResponse,
    Handshake,
    HandshakeResponse,
    ServerMessage,
    ViolationResponse,
    feed_key,
)
from rcex_ws.feedme.server.client import ConnectedClient
from rcex_ws.feedme.server.conversation_state import ConversationState, Handshaking, OpenFeedState
from rcex_ws.feedme.server.core import ServerCore
from rcex_ws.feedme.server.errors import (
    BadClientMessage,
    InvalidClientMessage,
    Refusal,
    UnexpectedClientMessage,
)
from rcex_ws.feedme.server.live_feed import LiveFeed
from rcex_ws.feedme.values import FrozenDict
from rcex_ws.serving import HandlerCall
from rcex_ws.websocket.peer import Peer

__all__ = ["INTERNAL_ERROR", "TOO_MANY_ACTIONS", "TOO_MANY_FEEDS", "ServerConversation"]

INTERNAL_ERROR: Final = "INTERNAL_ERROR"
"""The error code of a request whose handler is missing or fails."""
TOO_MANY_ACTIONS: Final = "TOO_MANY_ACTIONS"
"""The error code of an action beyond `max_actions`."""
TOO_MANY_FEEDS: Final = "TOO_MANY_FEEDS"
"""The error code of a feed beyond `max_open_feeds`."""

_NO_DATA: Final = FrozenDict()
_OF_CLOSED_FEEDS: Final = "the handler of closed feeds"


class ServerConversation:
    """The conversation with one client, from the start of its WebSocket to the end.

    Args:
        core: the shared parts of the server.
        client: the client.
        peer: its WebSocket.
    """

    __slots__ = ("_client", "_core", "_peer", "_state")

    def __init__(self, core: ServerCore, client: ConnectedClient, peer: Peer) -> None:
        self._core = core
        self._client = client
        self._peer = peer
        self._state = ConversationState(termination_window=core.settings.termination_window)

    @property
    def handshake(self) -> Handshaking:
        """How far the handshake is."""
        return self._state.handshake

    @property
    def open_feeds(self) -> list[FeedKey]:
        """The feeds that are open."""
        return [key for key, feed in self._state.feeds.items() if feed is OpenFeedState.OPEN]

    def receive(self, data: bytes) -> BadClientMessage | None:
        """Receive a message; return what is wrong with it, which the client has been told."""
        try:
            message = decode_client_message(data)
        except NotAMessage as exc:
            what = "Schema violation." if exc.parse_error is None else "Invalid JSON."
            return self._violation(InvalidClientMessage(what, _text(data), str(exc)))
        problem = self._receive(message)
        return None if problem is None else self._violation(UnexpectedClientMessage(problem, _text(data)))

    def terminate(self, code: str, data: FrozenDict, key: FeedKey | None = None) -> int:
        """Terminate a feed, or all feeds, if they are open or opening; return their number."""
        state = self._state
        keys = [*state.opening, *self.open_feeds] if key is None else [key]
        return sum([self._core.channels.terminate(one, code, data, only=state) for one in keys])

    def end(self) -> None:
        """End the conversation: nothing can be received or sent any more."""
        channels = self._core.channels
        for key in self.open_feeds:
            channel = channels[key]
            channels.leave(key, self._state)
            self._tell_closed(channel.name, channel.args)
        for key in self._state.opening:
            channels.leave(key, self._state)
        self._state.end()

    # -- requests ------------------------------------------------------------------------------------------------------

    def _receive(self, message: ClientMessage) -> str | None:
        """Have a message handled; return the problem if it is not allowed now."""
        state = self._state
        match message:
            case Action():
                problem = state.receive_action(message.callback_id)
                if problem is None:
                    self._act(message)
            case FeedOpen():
                key = self._core.channels.shared(feed_key(message.feed_name, message.feed_args))
                problem = state.receive_open(key, message)
                if problem is None:
                    self._open(key, message)
            case FeedClose():
                key = feed_key(message.feed_name, message.feed_args)
                was_open = state.feeds.get(key) is OpenFeedState.OPEN
                problem = state.receive_close(key, self._core.clock())
                if problem is None:
                    self._close(key, message, was_open=was_open)
            case Handshake():
                problem = state.receive_handshake()
                if problem is None:
                    self._shake_hands(message)
            case _:
                assert_never(message)
        return problem

    def _shake_hands(self, message: Handshake) -> None:
        handler = self._core.handlers.handshake
        if VERSION not in message.versions:
            self._refuse_handshake()
        elif handler is None:
            self._accept_handshake()
        else:
            call, what = partial(handler, self._client), "the handler of handshakes"
            self._core.dispatcher.put(HandlerCall(what, call, self._accept_handshake, self._refuse_handshake))

    def _act(self, message: Action) -> None:
        core, callback_id = self._core, message.callback_id
        if len(self._state.actions) > core.settings.max_actions:
            self._refuse_action(callback_id, TOO_MANY_ACTIONS, _NO_DATA)
            return
        call = core.handlers.action(message.action_name, self._client, message.action_args)
        if call is None:
            core.handlers.warn_of_missing("action", message.action_name)
            self._refuse_action(callback_id, INTERNAL_ERROR, _NO_DATA)
        else:
            answer = partial(self._answer_action, message)
            refuse = partial(_refuse, partial(self._refuse_action, callback_id))
            what = f"the handler of the action {message.action_name!r:.80}"
            core.dispatcher.put(HandlerCall(what, call, answer, refuse))

    def _open(self, key: FeedKey, request: FeedOpen) -> None:
        core, name, args = self._core, request.feed_name, request.feed_args
        if len(self._state.feeds) + len(self._state.opening) > core.settings.max_open_feeds:
            self._refuse_open(key, request, TOO_MANY_FEEDS, _NO_DATA)
            return
        live = None if core.handlers.has_feed(name) else core.live_feeds.get(key)
        if live is not None:
            self._open_live(key, request, live)
            return
        call = core.handlers.feed(name, self._client, args)
        if call is None:
            core.handlers.warn_of_missing("feed", name, args)
            self._refuse_open(key, request, INTERNAL_ERROR, _NO_DATA)
        else:
            core.channels.request(key, name, args, self._state, self._peer)
            answer = partial(self._answer_open, key, request)
            refuse = partial(_refuse, partial(self._refuse_open, key, request))
            core.dispatcher.put(HandlerCall(f"the handler of the feed {name!r:.80}", call, answer, refuse))

    def _close(self, key: FeedKey, message: FeedClose, *, was_open: bool) -> None:
        if was_open:
            self._core.channels.leave(key, self._state)
        handler = self._core.handlers.feed_closed if was_open else None
        if handler is None:
            self._answer_close(key, message)
        else:
            answer = partial(self._answer_close, key, message)
            call = partial(handler, self._client, message.feed_name, message.feed_args)
            self._core.dispatcher.put(HandlerCall(_OF_CLOSED_FEEDS, call, answer, answer))

    # -- responses -----------------------------------------------------------------------------------------------------

    def _accept_handshake(self, _: object = None) -> None:
        if self._state.answer_handshake(success=True):
            response = HandshakeResponse(success=True, version=VERSION)
            if self._core.settings.dialect == Dialect.CLIENT_ID:
                response.client_id = self._client.id
            self._send(response)

    def _refuse_handshake(self, *_: object) -> None:
        if self._state.answer_handshake(success=False):
            self._send(HandshakeResponse(success=False))

    def _answer_action(self, message: Action, result: object) -> None:
        data = json_object(f"the result of the action {message.action_name!r}", result)
        if self._state.answer_action(message.callback_id):
            self._send(ActionResponse(success=True, callback_id=message.callback_id, action_data=data))

    def _refuse_action(self, callback_id: str, code: str, data: FrozenDict) -> None:
        if self._state.answer_action(callback_id):
            self._send(ActionResponse(success=False, callback_id=callback_id, error_code=code, error_data=data))

    def _answer_open(self, key: FeedKey, request: FeedOpen, result: object) -> None:
        name, args = request.feed_name, request.feed_args
        if isinstance(result, LiveFeed):
            if self._core.live_feeds.get(key) is not result:
                raise InvalidArgument(f"the feed {name!r} {args!r} cannot be opened as {result!r}")
            self._open_live(key, request, result)
            return
        data = json_object(f"the data of the feed {name!r}", result)
        if self._core.live_feeds.get(key) is not None:
            raise InvalidArgument(f"the feed {name!r} {args!r} is a live one; return that, or raise a Refusal")
        if self._may_open(key, request):
            self._core.channels.join(key, name, args, self._state, self._peer)
            self._send(FeedOpenResponse(success=True, feed_name=name, feed_args=args, feed_data=data))

    def _open_live(self, key: FeedKey, request: FeedOpen, feed: LiveFeed) -> None:
        if self._may_open(key, request):
            self._core.channels.join(key, request.feed_name, request.feed_args, self._state, self._peer)
            self._peer.send((feed.open_response(),))

    def _may_open(self, key: FeedKey, request: FeedOpen) -> bool:
        """Open a feed; if the client has left, or the request was answered already, report it as closed instead."""
        if self._state.answer_open(key, request, success=True):
            return True
        self._tell_closed(request.feed_name, request.feed_args)
        return False

    def _refuse_open(self, key: FeedKey, request: FeedOpen, code: str, data: FrozenDict) -> None:
        if self._state.answer_open(key, request, success=False):
            name, args = request.feed_name, request.feed_args
            self._core.channels.leave(key, self._state)
            self._send(FeedOpenResponse(False, name, args, error_code=code, error_data=data))

    def _answer_close(self, key: FeedKey, message: FeedClose, *_: object) -> None:
        if self._state.answer_close(key):
            self._send(FeedCloseResponse(message.feed_name, message.feed_args))

    def _tell_closed(self, name: str, args: FeedArgs) -> None:
        """Tell the application that a client no longer has a feed open; there is nothing to respond to."""
        handler = self._core.handlers.feed_closed
        if handler is not None:
            call = partial(handler, self._client, name, args)
            self._core.dispatcher.put(HandlerCall(_OF_CLOSED_FEEDS, call, _nothing, _nothing))

    def _violation(self, error: BadClientMessage) -> BadClientMessage:
        self._send(ViolationResponse({"Problem": error.problem, "Message": error.client_message}))
        return error

    def _send(self, message: ServerMessage) -> None:
        self._peer.send((encode(message),))


def _refuse(refuse: Callable[[str, FrozenDict], None], error: Exception) -> None:
    """Refuse a request with what its handler has raised."""
    if isinstance(error, Refusal):
        refuse(error.error_code, error.error_data)
    else:
        refuse(INTERNAL_ERROR, _NO_DATA)


def _text(data: bytes) -> str:
    return data.decode(errors="replace")


def _nothing(*_: object) -> None:
    """Do nothing: nobody waits for a response."""
