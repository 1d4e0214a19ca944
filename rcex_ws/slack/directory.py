"""Users and conversations of the team, fetched from the Web API for the store: rtm.connect names only ourselves.

There are two ways. By lookup: what an event names and the store does not know is fetched once, before handlers get the
event. By lists: all users and conversations are read when a connection is ready, before its first event. Called by the
feed of an `RTMClient` and by a `Bot`, in order with the events; a failed lookup drops no event.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Literal, TypeVar, cast

import anyio

from rcex_ws.errors import RcexError
from rcex_ws.loop import now
from rcex_ws.slack.errors import SlackApiError
from rcex_ws.slack.lists import CONVERSATION_LIST, USER_LIST, ListReader, kind_of
from rcex_ws.slack.refusals import REFUSALS
from rcex_ws.slack.store import Channel, DataStore, User
from rcex_ws.slack.web import WebApi

__all__ = ["Directory", "FillStore"]

FillStore = Literal["lookup", "lists", "never"]

Found = TypeVar("Found")

_Missing = tuple[Literal["user", "conversation"], str]
_NOTHING: tuple[_Missing, ...] = ()

#: Ids that are looked up; anything else in their place is ignored.
_ID = re.compile(r"[A-Z0-9]{2,40}")
#: Most ids remembered; beyond that all are forgotten, and the store is queried again.
_MOST_KNOWN = 100_000
#: Seconds that an event waits for a lookup, and for which lookups pause when Slack cannot be reached.
_LOOKUP_TIMEOUT, _LOOKUP_PAUSE = 5.0, 30.0
#: Seconds for which a rate limit may delay a page: when the store is filled, and when a caller waits for a name.
_FILL_PATIENCE, _SEARCH_PATIENCE = 120.0, 30.0
#: Seconds for which a list is not read again for a name that it lacks.
_LIST_FRESH = 60.0
#: Events about conversations that cannot be looked up any more.
_GONE = frozenset({"channel_deleted", "channel_left", "group_deleted", "group_left", "im_deleted"})


class Directory:
    """The users and conversations of the team, fetched for a store that does not know them.

    Args:
        api: the Web API.
        store: the store that is filled.
        fill: see the module; "never" fetches nothing.
        log: gets the reasons why a lookup failed.
    """

    def __init__(
        self,
        api: WebApi,
        store: DataStore,
        fill: FillStore,
        *,
        log: logging.Logger,
    ) -> None:
        self._api = api
        self._store = store
        self._mode: FillStore = fill
        self._log = log
        self._reader = ListReader(api, store, log)
        self._known = set[str]()  # ids that need no lookup: the store has them, or Slack does not
        self._refused = set[str]()  # methods that this token may not call
        self._paused_until = -math.inf
        self._read_at: dict[str, float] = {}  # by method: when its list was last read to the end
        self._step_scope: anyio.CancelScope | None = None  # of the step that runs in order with the events
        self._stopped = False

    def reset(self) -> None:
        """Forget which ids need no lookup: the answer to rtm.connect may be of another team."""
        self._known.clear()

    def stop(self) -> None:
        """Fetch nothing any more, and release the events that wait for an answer."""
        self._stopped = True
        self._reader.stop()
        if self._step_scope is not None:
            self._step_scope.cancel()

    # -- lists -----------------------------------------------------------------------------------------------------

    @property
    def by_lists(self) -> bool:
        """Whether the store is filled by reading the lists for each connection."""
        return self._mode == "lists"

    async def fill(self, report: Callable[[Exception], None]) -> None:
        """Read all lists; a rate limit is waited out unless it is too long.

        Args:
            report: called with the reason why a list could not be read.
        """
        with anyio.CancelScope() as self._step_scope:
            for team_list in (USER_LIST, CONVERSATION_LIST):
                try:
                    await self._reader.read(team_list, patience=_FILL_PATIENCE)
                except RcexError as exc:
                    report(exc)

    async def find_user(self, name: str) -> User | None:
        """Find a user by name, in the store or else in Slack's list.

        Raises:
            RcexError: the list cannot be read.
        """
        return await self._find(USER_LIST.method, lambda: self._store.user_by_name(name))

    async def find_conversation(self, name: str) -> Channel | None:
        """Find a channel or group by name, without #, in the store or else in Slack's list.

        Raises:
            RcexError: the list cannot be read.
        """
        return await self._find(CONVERSATION_LIST.method, lambda: self._store.conversation_by_name(name))

    async def _find(self, method: str, get: Callable[[], Awaitable[Found | None]]) -> Found | None:
        found = await get()
        fresh = now() < self._read_at.get(method, -math.inf) + _LIST_FRESH
        if found is not None or fresh or self._mode == "never":
            return found
        team_list = USER_LIST if method == USER_LIST.method else CONVERSATION_LIST
        if await self._reader.read(team_list, patience=_SEARCH_PATIENCE, until=get):
            self._read_at[method] = now()
        return await get()

    # -- lookups ---------------------------------------------------------------------------------------------------

    def missing(self, event: Mapping[str, Any]) -> Sequence[_Missing]:
        """Return the users and conversations that an event names and that may need a lookup; called for each event."""
        if self._mode == "never" or self._stopped:
            return _NOTHING
        known = self._known
        missing: tuple[_Missing, ...] = _NOTHING
        user, channel = event.get("user"), event.get("channel")
        if isinstance(user, str) and user not in known:
            missing = (*missing, ("user", user))
        if isinstance(channel, str) and channel not in known and event.get("type") not in _GONE:
            missing = (*missing, ("conversation", channel))
        other = event.get("item_user")  # of a reaction; otherwise the author of a changed message
        if other is None and isinstance(changed := event.get("message"), dict):
            other = cast("Mapping[str, Any]", changed).get("user")
        if isinstance(other, str) and other not in known:
            missing = (*missing, ("user", other))
        return missing

    async def look_up(self, missing: Sequence[_Missing]) -> None:
        """Fetch these for the store, unless Slack takes too long."""
        for kind, id_ in missing:
            if self._stopped or now() < self._paused_until:
                return
            with anyio.move_on_after(_LOOKUP_TIMEOUT) as self._step_scope:
                await self._look_up(kind, id_)
            if self._step_scope.cancelled_caught and not self._stopped:
                self._pause(f"no answer within {_LOOKUP_TIMEOUT:g} s")

    async def _look_up(self, kind: Literal["user", "conversation"], id_: str) -> None:
        get = self._store.user if kind == "user" else self._store.conversation
        try:
            if _ID.fullmatch(id_) is not None and await get(id_) is None:
                await self._fetch(kind, id_)
            else:
                self._remember(id_)
        except Exception as exc:  # noqa: BLE001 - of the store; applying the event will report it
            self._log.info("%s %s was not looked up: %r", kind, id_, exc)

    async def _fetch(self, kind: Literal["user", "conversation"], id_: str) -> None:
        method, field = ("users.info", "user") if kind == "user" else ("conversations.info", "channel")
        if method in self._refused:
            self._remember(id_)
            return
        try:
            answer = await self._api.call_within(0.0, method, {field: id_})
        except RcexError as exc:
            self._lookup_failed(method, id_, exc)
            return
        self._remember(id_)
        record = answer.get(field)
        kind_ = "user" if kind == "user" else kind_of(record)
        if kind_ is not None and isinstance(record, dict):
            await self._reader.store_records([(kind_, record)])

    def _lookup_failed(self, method: str, id_: str, error: RcexError) -> None:
        if error.retryable:
            if error.retry_after is None:  # otherwise the method is blocked by its rate limit
                self._pause(str(error))
            return
        self._remember(id_)
        if isinstance(error, SlackApiError) and error.code in REFUSALS:  # of the method or token, not the id
            self._refused.add(method)
            self._log.warning("no more lookups by %s: %s", method, error)
        else:
            self._log.info("%s was not looked up: %s", id_, error)

    def _pause(self, why: str) -> None:
        self._paused_until = now() + _LOOKUP_PAUSE
        self._log.info("no lookups for %g s: %s", _LOOKUP_PAUSE, why)

    def _remember(self, id_: str) -> None:
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known.add(id_)
