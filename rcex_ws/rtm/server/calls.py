"""The calls of one connection: functions, push subscriptions, and what is reserved."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import msgspec

from rcex_ws.broker.interface import BrokerError
from rcex_ws.connection import call
from rcex_ws.errors import ConfigurationError
from rcex_ws.options.functions import accepts
from rcex_ws.rtm.errors import RemoteError
from rcex_ws.rtm.frames import PUBLISH, UNSUBSCRIBE, ClientFrame, FrameId, encode_error, encode_reply
from rcex_ws.rtm.server.core import RtmServerCore, event_name
from rcex_ws.rtm.server.remote_client import RemoteClient
from rcex_ws.rtm.server.session import ClientSession, Push
from rcex_ws.serving import HandlerCall
from rcex_ws.websocket.peer import Peer

__all__ = ["INTERNAL_ERROR", "TOO_MANY_CALLS", "ClientCalls", "encode_failure", "invoke"]

INTERNAL_ERROR: Final = "internal error"
"""The error of a call whose function has raised something else than a `RemoteError`."""

TOO_MANY_CALLS: Final = "too many calls"

#: Characters of the name of an event, or of a tag, that a client subscribes to.
_LONGEST_NAME = 1000


class ClientCalls:
    """The calls that come over one connection.

    Args:
        core: the shared parts of the server.
        peer: the connection.
    """

    __slots__ = ("_asked", "_core", "_peer", "_unanswered")

    def __init__(self, core: RtmServerCore, peer: Peer) -> None:
        self._core = core
        self._peer = peer
        self._unanswered = 0
        self._asked: dict[object, Push] = {}  # what `may_subscribe` is being asked about

    def handle(self, frame: ClientFrame, session: ClientSession) -> None:
        """Handle a frame of a client that may act."""
        try:
            run = self._call_of(frame, session)
        except RemoteError as exc:
            self._peer.send((encode_failure(frame.id, exc),))
            return
        self._unanswered += 1
        what = f"the function {frame.function!r:.80}" if frame.type == "invoke" else "may_subscribe"
        reply, fail = partial(self._reply, frame.id), partial(self._fail, frame.id)
        self._core.dispatcher.put(HandlerCall(what, run, reply, fail))

    def _call_of(self, frame: ClientFrame, session: ClientSession) -> Callable[[], object]:
        """Return what a frame calls.

        Raises:
            RemoteError: there is no such thing, or the client has too many calls already.
        """
        if self._unanswered >= self._core.settings.max_calls:
            raise RemoteError(TOO_MANY_CALLS)
        arguments = frame.data or []
        if frame.type == "subscribe":
            return partial(self._subscribe, session, frame.event, frame.tags)
        if frame.type != "invoke":
            raise RemoteError(f"unknown type {frame.type!r:.80}")
        if frame.function == PUBLISH:
            return partial(self._publish, session, arguments)
        if frame.function == UNSUBSCRIBE:
            return partial(self._unsubscribe, session, arguments)
        function = None if frame.function is None else self._core.functions.get(frame.function)
        if function is None:
            raise RemoteError(f"unknown function {frame.function!r:.80}")
        return partial(invoke, function, session.client, arguments)

    def _subscribe(self, session: ClientSession, event: object, tags: object) -> object:
        push = _event_and_tags(event, tags)
        hook = self._core.settings.may_subscribe
        if hook is None:
            return self._add(session, push)
        question = object()
        self._asked[question] = push  # at once: the next call may be to unsubscribe
        return self._subscribe_if(hook, session, push, question)

    async def _subscribe_if(
        self, hook: Callable[..., object], session: ClientSession, push: Push, question: object
    ) -> bool:
        name, texts = push
        try:
            allowed = await call(hook, session.client, name, sorted(texts))
        finally:
            wanted = self._asked.pop(question, None) is not None  # it may have been unsubscribed meanwhile
        if not allowed:
            raise RemoteError("forbidden")
        return not wanted or self._add(session, push)

    def _add(self, session: ClientSession, push: Push) -> bool:
        pushes = session.pushes or ()
        if push not in pushes and sum(map(_weight, (*pushes, push))) > self._core.settings.max_subscriptions:
            raise RemoteError("too many subscriptions")
        if session.peer is self._peer:  # else it is gone, maybe for good
            self._core.pushes.add(session, push)
        return True

    def _unsubscribe(self, session: ClientSession, arguments: list[Any]) -> bool:
        event, tags = (*arguments, None, None)[:2]
        push = _event_and_tags(event, tags)
        self._asked = {question: asked for question, asked in self._asked.items() if asked != push}
        self._core.pushes.remove(session, push)
        return True

    async def _publish(self, session: ClientSession, arguments: list[Any]) -> int:
        user_id, event = (*arguments, None, None)[:2]
        if not isinstance(user_id, str) or not user_id:
            raise RemoteError("a user id is expected, a text")
        name, _ = _event_and_tags(event, None)
        hook = self._core.settings.may_publish
        if hook is None or not await call(hook, session.client, user_id, name):
            raise RemoteError("forbidden")
        try:
            return await self._core.publish(user_id, name, tuple(arguments[2:]))
        except BrokerError:  # the application has `broker_lost` for that
            raise RemoteError("unavailable") from None

    def _reply(self, frame_id: FrameId, result: Any) -> None:
        reply = encode_reply(frame_id, result)
        self._unanswered -= 1
        self._peer.send((reply,))

    def _fail(self, frame_id: FrameId, error: Exception) -> None:
        self._unanswered -= 1
        self._peer.send((encode_failure(frame_id, error),))


def invoke(function: Callable[..., object], client: RemoteClient, arguments: list[Any] | tuple[()]) -> object:
    """Call a function for a client.

    Raises:
        RemoteError: it does not take that many arguments, which is no fault of the function.
    """
    try:
        return function(client, *arguments)
    except TypeError:
        if accepts(function, 1 + len(arguments)):
            raise
        raise RemoteError("wrong number of arguments") from None


def encode_failure(frame_id: FrameId, error: Exception) -> bytes:
    """Encode what a client is told of an error: what a `RemoteError` says, and nothing of any other."""
    if isinstance(error, RemoteError):
        try:
            return encode_error(frame_id, error.error)
        except ConfigurationError:
            pass  # JSON cannot express it
    return encode_error(frame_id, INTERNAL_ERROR)


def _event_and_tags(event: object, tags: object) -> tuple[str, frozenset[str]]:
    """Return an event and its tags.

    Raises:
        RemoteError: the event is no text, or reserved, or a tag is no text.
    """
    try:
        name = event_name(event)
    except ConfigurationError as exc:
        raise RemoteError(str(exc)) from None
    try:
        given: list[str] = msgspec.convert(tags, list[str] | None) or []
    except msgspec.ValidationError:
        raise RemoteError("tags: a list of texts is expected") from None
    if max(map(len, (name, *given))) > _LONGEST_NAME:
        raise RemoteError(f"event, tags: texts of at most {_LONGEST_NAME} characters are expected")
    return name, frozenset(given)


def _weight(push: Push) -> int:
    """Return what a push subscription counts: one for each tag."""
    return len(push[1]) or 1
