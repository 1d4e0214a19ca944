"""The calls of one connection: functions, push subscriptions, and what is reserved."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from rcex_ws.connection import call
from rcex_ws.errors import ConfigurationError
from rcex_ws.rtm.errors import RemoteError
from rcex_ws.rtm.frames import PUBLISH, UNSUBSCRIBE, ClientFrame, FrameId, encode_error, encode_reply
from rcex_ws.rtm.server.core import RtmServerCore, event_name
from rcex_ws.rtm.server.session import Session
from rcex_ws.serving import HandlerCall
from rcex_ws.websocket.peer import Peer

__all__ = ["INTERNAL_ERROR", "Calls", "encode_failure"]

INTERNAL_ERROR: Final = "internal error"
"""The error of a call whose function has raised something else than a `RemoteError`."""


class Calls:
    """The calls that come over one connection.

    Args:
        core: the shared parts of the server.
        peer: the connection.
    """

    __slots__ = ("_core", "_peer", "_unanswered")

    def __init__(self, core: RtmServerCore, peer: Peer) -> None:
        self._core = core
        self._peer = peer
        self._unanswered = 0

    def handle(self, frame: ClientFrame, session: Session) -> None:
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

    def _call_of(self, frame: ClientFrame, session: Session) -> Callable[[], object]:
        """Return what a frame calls.

        Raises:
            RemoteError: there is no such thing, or the client has too many calls already.
        """
        if self._unanswered >= self._core.settings.max_calls:
            raise RemoteError("too many calls")
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
        return partial(function, session.client, *arguments)

    async def _subscribe(self, session: Session, event: object, tags: object) -> bool:
        name, texts = _event_and_tags(event, tags)
        core = self._core
        if len(session.pushes or ()) >= core.settings.max_subscriptions:
            raise RemoteError("too many subscriptions")
        hook = core.settings.may_subscribe
        if hook is not None and not await call(hook, session.client, name, sorted(texts)):
            raise RemoteError("forbidden")
        if session.peer is not None:  # else it is gone, maybe for good
            core.pushes.add(session, (name, texts))
        return True

    def _unsubscribe(self, session: Session, arguments: list[Any]) -> bool:
        event, tags = (*arguments, None, None)[:2]
        self._core.pushes.remove(session, _event_and_tags(event, tags))
        return True

    async def _publish(self, session: Session, arguments: list[Any]) -> int:
        user_id, event = (*arguments, None, None)[:2]
        if not isinstance(user_id, str) or not user_id:
            raise RemoteError("a user id is expected, a text")
        name, _ = _event_and_tags(event, None)
        hook = self._core.settings.may_publish
        if hook is None or not await call(hook, session.client, user_id, name):
            raise RemoteError("forbidden")
        return await self._core.publish(user_id, name, tuple(arguments[2:]))

    def _reply(self, frame_id: FrameId, result: Any) -> None:
        reply = encode_reply(frame_id, result)
        self._unanswered -= 1
        self._peer.send((reply,))

    def _fail(self, frame_id: FrameId, error: Exception) -> None:
        self._unanswered -= 1
        self._peer.send((encode_failure(frame_id, error),))


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
    given: list[Any] = [] if tags is None else tags  # type: ignore[assignment]
    if not isinstance(given, list) or not all(isinstance(tag, str) for tag in given):
        raise RemoteError("tags: a list of texts is expected")
    return name, frozenset(given)
