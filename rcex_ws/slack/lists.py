"""users.list and conversations.list, read page by page into a store. Used by `Directory`."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

from rcex_ws.errors import RcexError
from rcex_ws.loop import Signal, now
from rcex_ws.slack.store import DataStore, DataStoreError, Kind
from rcex_ws.slack.web import WebApi

__all__ = ["CONVERSATION_LIST", "USER_LIST", "ListReader", "ListedRecord", "kind_of"]

ListedRecord = tuple[Kind, Mapping[str, Any]]
"""A record and its kind."""

#: Objects on a page; Slack recommends no more than 200.
_PAGE = 200
#: Most pages of a list: more than any team has, against a server that always names a next page.
_MOST_PAGES = 5000
#: Attempts to read a page, and the delay in seconds before the second; it doubles before each further one.
_ATTEMPTS, _FIRST_WAIT = 3, 1.0
#: Seconds to wait after a Retry-After of 0, so that retries do not run hot.
_LEAST_WAIT = 0.05


class ListReader:
    """A reader of Slack's lists that writes them into a store.

    Args:
        api: the Web API.
        store: the store that is filled.
        log: gets what the store rejects.
    """

    def __init__(self, api: WebApi, store: DataStore, log: logging.Logger) -> None:
        self._api = api
        self._store = store
        self._log = log
        self._stopped = Signal()

    def stop(self) -> None:
        """Request no further page, and end all waits; a page that was requested already may still be stored."""
        self._stopped.set()

    async def read(
        self, team_list: _TeamList, *, patience: float, until: Callable[[], Awaitable[object]] | None = None
    ) -> bool:
        """Read a list, page by page.

        Args:
            team_list: `USER_LIST` or `CONVERSATION_LIST`.
            patience: seconds for which a rate limit may delay a page.
            until: called after each page; the rest is not read if its result is true.

        Returns:
            Whether all pages were read: False if `until` or `stop` ended the reading.

        Raises:
            RcexError: a page was refused or not available; the pages before it are stored.
        """
        cursor = ""
        for _ in range(_MOST_PAGES):
            answer = await self._page(team_list, cursor, patience)
            if answer is None:
                return False
            await self.store_records(team_list.records(answer))
            if until is not None and await until():
                return False
            former, cursor = cursor, _next_cursor(answer)
            if cursor in ("", former):
                return True
        self._log.warning("%s has more than %d pages; the rest is not read", team_list.method, _MOST_PAGES)
        return True

    async def store_records(self, records: list[ListedRecord]) -> None:
        """Write records to the store, all at once; if it rejects one, each by itself."""
        try:
            await self._store.upsert_all(records)
        except DataStoreError:
            for kind, record in records:
                try:
                    await self._store.upsert(kind, record)
                except DataStoreError as exc:
                    self._log.warning("the store rejected a record that Slack lists: %s", exc)

    async def _page(self, team_list: _TeamList, cursor: str, patience: float) -> Mapping[str, Any] | None:
        """Request a page, with retries; None if `stop` was called."""
        fields = {**team_list.fields, "limit": _PAGE, "cursor": cursor or None}
        end, failures = now() + patience, 0
        while not self._stopped.is_set():
            try:
                return await self._api.call_within(0.0, team_list.method, fields)
            except RcexError as exc:
                wait = exc.retry_after
                if wait is None:
                    failures += 1
                    wait = _FIRST_WAIT * 2 ** (failures - 1)
                if not exc.retryable or failures == _ATTEMPTS or now() + wait > end:
                    raise
            await self._stopped.wait(until=now() + max(wait, _LEAST_WAIT))
        return None


class _TeamList:
    """One of Slack's lists: its method, the fields of the call, and how to read an answer."""

    def __init__(self, method: str, member: str, kind: Callable[[object], Kind | None], **fields: str) -> None:
        self.method = method
        self.fields = fields
        self._member = member
        self._kind = kind

    def records(self, answer: Mapping[str, Any]) -> list[ListedRecord]:
        """Return the records of an answer, without items that are none."""
        items: object = answer.get(self._member)
        records = list[ListedRecord]()
        for item in cast("list[object]", items) if isinstance(items, list) else ():
            kind = self._kind(item)
            if kind is not None:
                records.append((kind, cast("Mapping[str, Any]", item)))
        return records


def kind_of(conversation: object) -> Kind | None:
    """Return the kind under which a store keeps an object of conversations.*; None if it is no conversation.

    Since 2021 private channels have both `is_channel` and `is_private`; here they are groups, as before.
    """
    match conversation:
        case {"id": str(), "is_im": True}:
            return "dm"
        case {"id": str(), "is_mpim": True} | {"id": str(), "is_group": True} | {"id": str(), "is_private": True}:
            return "group"
        case {"id": str()}:
            return "channel"
        case _:
            return None


def _kind_of_user(user: object) -> Kind | None:
    return "user" if isinstance(user, dict) else None


def _next_cursor(answer: Mapping[str, Any]) -> str:
    match answer.get("response_metadata"):
        case {"next_cursor": str(cursor)}:
            return cursor
        case _:
            return ""


USER_LIST = _TeamList("users.list", "members", _kind_of_user)
CONVERSATION_LIST = _TeamList("conversations.list", "channels", kind_of, types="public_channel,private_channel,mpim,im")
