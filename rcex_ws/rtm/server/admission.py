"""How a client gets in: who its user is, whether it resumes a session, and what it has missed."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any, cast

from rcex_ws.broker.interface import BrokerUnavailable, Entry, Stretch
from rcex_ws.connection import call
from rcex_ws.rtm.errors import RemoteError
from rcex_ws.rtm.frames import SESSION_EVENT, encode_event
from rcex_ws.rtm.resumption import HEADER, GapNotice, SessionRequest, SessionStart
from rcex_ws.rtm.server.channel import UserChannel, topic_of
from rcex_ws.rtm.server.core import RtmServerCore
from rcex_ws.rtm.server.errors import TAKEN_OVER
from rcex_ws.rtm.server.events import RtmServerEvents
from rcex_ws.rtm.server.publication import Publication
from rcex_ws.rtm.server.session import Session, user_mark

__all__ = ["TOO_MANY_CONNECTIONS", "Admission", "default_user_id"]

logger = logging.getLogger("rcex_ws.rtm.server")

TOO_MANY_CONNECTIONS = "too many connections"
"""The error of an authentication beyond `max_connections`."""

_ID_FIELDS = ("id", "uid", "uuid", "userId", "sub", "email")


def default_user_id(authentication: object) -> object:
    """Return the id of a user: the authentication itself if it is a text or a number, else the first member of it.

    That is the first of `id`, `uid`, `uuid`, `userId`, `sub` and `email` that there is, as a key or as an attribute;
    None if there is none.
    """
    if isinstance(authentication, str | int):
        return authentication
    if isinstance(authentication, Mapping):
        members = cast("Mapping[object, object]", authentication)
        return next((members[name] for name in _ID_FIELDS if members.get(name) is not None), None)
    found = (getattr(authentication, name, None) for name in _ID_FIELDS)
    return next((value for value in found if value is not None), None)


class Admission:
    """Lets the clients of one server in.

    Args:
        core: the shared parts of the server.
    """

    def __init__(self, core: RtmServerCore) -> None:
        self._core = core

    def request_of(self, session: Session) -> SessionRequest | None:
        """Return what a client asks for in its upgrade request; None if it does not want to resume."""
        header = session.client.request.headers.get(HEADER.lower())
        return None if header is None or not self._core.settings.resume_window else SessionRequest.from_header(header)

    async def admit(self, session: Session, authentication: Any, reply: bytes) -> Session | None:
        """Let a client in.

        Args:
            session: the client, new, and connected.
            authentication: what the authentication handler has returned; None if there is none.
            reply: to the authentication; b"" for none.

        Returns:
            The client, which may be one that has come back; None if it has gone meanwhile.

        Raises:
            RemoteError: the user has too many connections.
        """
        client = session.client
        client.authentication = authentication
        client.user_id = await self._user_of(authentication)
        request = self.request_of(session)
        known = None if request is None or not request.session else self._core.sessions.find(request.session)
        lost: GapNotice | None = None
        if known is not None and request is not None and known.client.user_id == client.user_id:
            frames = None if known.backlog is None else known.backlog.after(request.received)
            if frames is not None:
                return self._resume(known, session, reply, frames)
            lost = GapNotice("more was sent than this server keeps", certain=True, published=False)
            self._core.sessions.give_up(known)
        if client.user_id is None:
            session.begin()
            self._start(session, reply, SessionStart(session.key, window=self._window, gap=lost), ())
            return session
        return await self._join(session, client.user_id, request, reply, lost)

    @property
    def _window(self) -> float:
        return self._core.settings.resume_window

    async def _user_of(self, authentication: Any) -> str | None:
        core = self._core
        if core.settings.authenticate is None:
            return None
        user_id = await call(core.settings.user_id or default_user_id, authentication)
        if user_id is None or user_id == "":
            logger.warning("no user id in an authentication; pass `user_id` to reach this client by `publish`")
            return None
        return str(user_id)

    def _resume(self, known: Session, session: Session, reply: bytes, missed: Iterable[bytes]) -> Session:
        """Have a client that was lost go on over its new connection."""
        core, former, client = self._core, known.peer, known.client
        client.request, client.authentication = session.client.request, session.client.authentication
        client.state.update(session.client.state)
        known.peer, session.peer = session.peer, None
        if former is not None:  # this side has not noticed the loss
            former.close(TAKEN_OVER, "resumed over another connection")
        start = SessionStart(known.key, resumed=True, window=self._window)
        if known.peer is not None:
            known.peer.send((encode_event(SESSION_EVENT, (start,)), *_given(reply), *missed))
        core.connected(known, RtmServerEvents.RESUME)
        return known

    async def _join(
        self, session: Session, user_id: str, request: SessionRequest | None, reply: bytes, lost: GapNotice | None
    ) -> Session | None:
        """Have a client get what is published to its user, from now on or from where it was."""
        core = self._core
        self._make_room(user_id)
        channel = await core.channels.join(user_id, session)
        stretch = Stretch((), None, channel.position)
        if request is not None and request.position and request.session.startswith(user_mark(user_id)):
            try:
                stretch = await core.broker.read(topic_of(user_id), request.position)
            except BrokerUnavailable as exc:
                lost = GapNotice(f"what was published cannot be read: {exc}", certain=False, position=channel.position)
        if stretch.hole is not None:
            certain = stretch.hole.certain or (lost is not None and lost.certain)
            lost = GapNotice(stretch.hole.reason, certain=certain, position=stretch.position)
        if session.peer is None or not session.peer.is_open:
            core.channels.leave(session)
            return None
        session.begin()
        begins_at = stretch.position if not stretch.entries or request is None else request.position
        start = SessionStart(session.key, window=self._window, position=begins_at, gap=lost)
        self._start(session, reply, start, self._missed(channel, session, stretch))
        return session

    def _make_room(self, user_id: str) -> None:
        """Give up the clients of a user that are away, before there are too many.

        Raises:
            RemoteError: too many are connected.
        """
        core, channel = self._core, self._core.channels.get(user_id)
        if channel is None or len(channel.sessions) < core.settings.max_connections:
            return
        away = next((one for one in channel.sessions if one.peer is None), None)
        if away is None:
            raise RemoteError(TOO_MANY_CONNECTIONS)
        core.sessions.give_up(away)

    @staticmethod
    def _missed(channel: UserChannel, session: Session, stretch: Stretch) -> list[Entry | GapNotice]:
        """Return what was published before this moment, each once."""
        read = {entry.position for entry in stretch.entries}
        came = channel.release(session)
        return [*stretch.entries, *(one for one in came if isinstance(one, GapNotice) or one.position not in read)]

    def _start(self, session: Session, reply: bytes, start: SessionStart, missed: Iterable[Entry | GapNotice]) -> None:
        if session.peer is not None:
            asked = session.backlog is not None
            session.peer.send((*_given(encode_event(SESSION_EVENT, (start,)) if asked else b""), *_given(reply)))
        for one in missed:
            if isinstance(one, GapNotice):
                session.tell_gap(one)
            else:
                session.send(Publication.decode(one).outbound())
        self._core.connected(session, RtmServerEvents.CONNECT)


def _given(frame: bytes) -> tuple[bytes, ...]:
    return (frame,) if frame else ()
