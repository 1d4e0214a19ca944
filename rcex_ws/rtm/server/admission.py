"""How a client gets in: who its user is, whether it resumes a session, and what it has missed."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from msgspec import Struct, structs

from rcex_ws.broker.interface import BrokerUnavailable, Entry, Stretch
from rcex_ws.connection import call
from rcex_ws.errors import ConfigurationError
from rcex_ws.readers import is_text
from rcex_ws.rtm.frames import SESSION_EVENT, encode_event
from rcex_ws.rtm.resumption import HEADER, GapNotice, SessionRequest, SessionStart
from rcex_ws.rtm.server.channel import UserChannel, topic_of
from rcex_ws.rtm.server.close_codes import TAKEN_OVER, TOO_MANY
from rcex_ws.rtm.server.core import RtmServerCore
from rcex_ws.rtm.server.events import RtmServerEvents
from rcex_ws.rtm.server.publication import Publication
from rcex_ws.rtm.server.session import ClientSession, user_mark
from rcex_ws.websocket.peer import Peer

__all__ = ["Admitted", "ClientAdmission", "default_user_id"]

logger = logging.getLogger("rcex_ws.rtm.server")

_ID_FIELDS = ("id", "uid", "uuid", "userId", "sub", "email")

#: The part of the buffer of a client that is filled before it has to read what was sent.
_PART_OF_BUFFER = 4


def default_user_id(authentication: object) -> object:
    """Return the id of a user: the authentication itself if it is a text or a number, else the first member of it.

    That is the first of `id`, `uid`, `uuid`, `userId`, `sub` and `email` that there is, as a key or as an attribute;
    None if there is none.
    """
    if isinstance(authentication, bool):  # it says that the client is welcome, not who it is
        return None
    if isinstance(authentication, str | int):
        return authentication
    if isinstance(authentication, Mapping):
        members = cast("Mapping[object, object]", authentication)
        return next((members[name] for name in _ID_FIELDS if members.get(name) is not None), None)
    found = (getattr(authentication, name, None) for name in _ID_FIELDS)
    return next((value for value in found if value is not None), None)


class Admitted(Struct, frozen=True):
    """A client that was let in.

    Attributes:
        session: the client, which may be one that has come back.
        channel: of its user, if something that it has missed is to be sent.
        missed: that.
    """

    session: ClientSession
    channel: UserChannel | None = None
    missed: Sequence[Entry | GapNotice] = ()


class ClientAdmission:
    """Lets the clients of one server in.

    Args:
        core: the shared parts of the server.
    """

    def __init__(self, core: RtmServerCore) -> None:
        self._core = core

    def request_of(self, session: ClientSession) -> SessionRequest | None:
        """Return what a client asks for in its upgrade request; None if it does not want to resume."""
        header = session.client.request.headers.get(HEADER.lower())
        return None if header is None or not self._core.settings.resume_window else SessionRequest.from_header(header)

    async def admit(self, session: ClientSession, peer: Peer, authentication: Any, reply: bytes) -> Admitted | None:
        """Let a client in; if it has missed something, `send_missed` is to follow.

        Args:
            session: the client, new.
            peer: its connection.
            authentication: what the authentication handler has returned; None if there is none.
            reply: to the authentication; b"" for none.

        Returns:
            The client; None if it has gone meanwhile, or was disconnected because its user has too many connections.
        """
        client = session.client
        client.authentication = authentication
        client.user_id = await self._user_of(authentication)
        if not peer.is_open:
            return None
        request = self.request_of(session)
        known = None if request is None or not request.session else self._core.sessions.find(request.session)
        lost: GapNotice | None = None
        backlog = None if known is None else known.backlog
        if known and request and backlog and known.client.user_id == client.user_id:
            frames = backlog.after(request.received)
            if frames is not None:
                return self._resume(known, session, peer, reply, frames, backlog.sent - request.received)
            certain = request.received < backlog.unpublished
            lost = GapNotice("more was sent than this server keeps", certain=certain, published=False)
            former = known.peer
            self._core.sessions.end(known)
            if former is not None:  # this side has not noticed the loss
                former.close(TAKEN_OVER, "another connection has taken over")
        if client.user_id is not None:
            return await self._join(session, peer, client.user_id, request, reply, lost)
        start = SessionStart("", window=self._window, gap=lost)
        return Admitted(session) if self._start(session, peer, reply, start) else None

    async def send_missed(self, admitted: Admitted) -> None:
        """Send what a client has missed no faster than it reads, and what comes meanwhile; it may come and go."""
        session, channel, missed = admitted.session, admitted.channel, admitted.missed
        if channel is None:
            return
        most, unread = self._core.settings.max_buffer // _PART_OF_BUFFER, 0
        while missed:
            for one in missed:
                if session not in channel.sessions:
                    return
                if isinstance(one, GapNotice):
                    session.tell_gap(one)
                    continue
                if session.peer is not None and unread and unread + len(one.data) > most:
                    await session.peer.drain()
                    unread = 0
                session.send(Publication.decode(one).outbound())
                unread += len(one.data)
            missed = channel.take(session)
        channel.release(session)

    @property
    def _window(self) -> float:
        return self._core.settings.resume_window

    async def _user_of(self, authentication: Any) -> str | None:
        core = self._core
        if core.settings.authenticate is None:
            return None
        user_id = await call(core.settings.user_id or default_user_id, authentication)
        if user_id is None or user_id == "" or isinstance(user_id, bool):
            logger.warning("no user id in an authentication; pass `user_id` to reach this client by `publish`")
            return None
        text = str(user_id)
        if not is_text(text):
            raise ConfigurationError(f"user_id: expected a text that can be encoded, got {text!r:.80}")
        return text

    def _resume(
        self,
        known: ClientSession,
        session: ClientSession,
        peer: Peer,
        reply: bytes,
        missed: Iterable[bytes],
        count: int,
    ) -> Admitted:
        """Have a client that was lost go on over its new connection."""
        core, client = self._core, known.client
        client.request, client.authentication = session.client.request, session.client.authentication
        client.state.update(session.client.state)
        session.peer = None  # the application may have kept the client that asked to be let in
        former = core.connected(known, peer, RtmServerEvents.RESUME)
        if former is not None:  # this side has not noticed the loss
            former.close(TAKEN_OVER, "resumed over another connection")
        start = SessionStart(known.key, resumed=True, window=self._window, missed=count)
        peer.send((encode_event(SESSION_EVENT, (start,)), *_given(reply), *missed))
        return Admitted(known)

    async def _join(
        self,
        session: ClientSession,
        peer: Peer,
        user_id: str,
        request: SessionRequest | None,
        reply: bytes,
        lost: GapNotice | None,
    ) -> Admitted | None:
        """Have a client get what is published to its user, from now on or from where it was."""
        core = self._core
        if not self._make_room(user_id):
            peer.close(TOO_MANY, "too many connections")
            return None
        admitted = False
        try:
            channel, begins_at = await core.channels.join(user_id, session)
            read: Stretch | None = None
            has = request.position if request and request.session.startswith(user_mark(user_id)) else ""
            if has:
                try:
                    read = await core.broker.read(topic_of(user_id), has)
                except BrokerUnavailable as exc:
                    lost = GapNotice(f"what was published cannot be read: {exc}", certain=_is_certain(lost))
                    begins_at = has if core.broker.is_after(has, begins_at) else begins_at
                else:
                    begins_at = has if read.entries else read.position
            if read is not None and read.hole is not None:
                lost = GapNotice(read.hole.reason, certain=read.hole.certain or _is_certain(lost))
            missed = 0 if read is None else len(read.entries)
            start = SessionStart("", window=self._window, position=begins_at, missed=missed, gap=lost)
            admitted = self._start(session, peer, reply, start)
            return Admitted(session, channel, channel.missed(session, read, has)) if admitted else None
        finally:
            if not admitted:
                core.channels.leave(session)

    def _make_room(self, user_id: str) -> bool:
        """Give up a client of a user that is away, if there are too many; return False if too many are connected."""
        core, channel = self._core, self._core.channels.get(user_id)
        if channel is None or len(channel.sessions) < core.settings.max_connections:
            return True
        away = next((one for one in channel.sessions if one.peer is None), None)
        if away is None:
            return False
        core.sessions.give_up(away)
        return True

    def _start(self, session: ClientSession, peer: Peer, reply: bytes, start: SessionStart) -> bool:
        """Begin the session of a client, and answer it; return False if it has gone meanwhile."""
        session.begin()
        asked = session.backlog is not None
        begin = encode_event(SESSION_EVENT, (structs.replace(start, session=session.key),)) if asked else b""
        if not peer.is_open or ((frames := (*_given(begin), *_given(reply))) and not peer.send(frames)):
            return False
        self._core.connected(session, peer, RtmServerEvents.CONNECT)
        return True


def _is_certain(gap: GapNotice | None) -> bool:
    return gap is not None and gap.certain


def _given(frame: bytes) -> tuple[bytes, ...]:
    return (frame,) if frame else ()
