"""users.list and conversations.list, page by page into a store; used by `Directory`."""

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
"""A record, and what it is."""

#: Objects on a page; Slack recommends no more than 200.
_PAGE = 200
#: Pages of a list: far more than any team has, for a server that always names a next one.
_MOST_PAGES = 5000
#: Attempts for a page, and the seconds before the second; twice as long before each other.
_ATTEMPTS, _FIRST_WAIT = 3, 1.0
#: Seconds to wait when Slack says 0, not to run hot.
_LEAST_WAIT = 0.05


class ListReader:
    """Read lists.

    Args:
        api: what is asked.
        store: what is told.
        log: where it is said that the store takes something not.
    """

    def __init__(self, api: WebApi, store: DataStore, log: logging.Logger) -> None:
        self._api = api
        self._store = store
        self._log = log
        self._stopped = Signal()

    def stop(self) -> None:
        """Ask for no further page, and wait for nothing; a page that was asked for may still come."""
        self._stopped.set()

    async def read(
        self, team_list: _TeamList, *, patience: float, until: Callable[[], Awaitable[object]] | None = None
    ) -> bool:
        """Read a list, page by page.

        Args:
            team_list: `USER_LIST` or `CONVERSATION_LIST`.
            patience: seconds for which a rate limit may hold up a page.
            until: asked after each page; when it gives something true the rest is not read.

        Returns:
            Whether all of it was read: not when `until` or `stop` ended it.

        Raises:
            RcexError: a page was refused, or could not be had; those before it are kept.
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
        """Let the store have records: all at once, but for those that it cannot take."""
        try:
            await self._store.upsert_all(records)
        except DataStoreError:
            for kind, record in records:
                try:
                    await self._store.upsert(kind, record)
                except DataStoreError as exc:
                    self._log.warning("the store cannot take what Slack lists: %s", exc)

    async def _page(self, team_list: _TeamList, cursor: str, patience: float) -> Mapping[str, Any] | None:
        """Get a page; None when nothing is to be asked any more."""
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
    """Name a list: the method, its arguments, and what an answer holds."""

    def __init__(self, method: str, member: str, kind: Callable[[object], Kind | None], **fields: str) -> None:
        self.method = method
        self.fields = fields
        self._member = member
        self._kind = kind

    def records(self, answer: Mapping[str, Any]) -> list[ListedRecord]:
        """Give the records of an answer; what is none is left out."""
        items: object = answer.get(self._member)
        records = list[ListedRecord]()
        for item in cast("list[object]", items) if isinstance(items, list) else ():
            kind = self._kind(item)
            if kind is not None:
                records.append((kind, cast("Mapping[str, Any]", item)))
        return records


def kind_of(conversation: object) -> Kind | None:
    """Tell as what a store keeps an object of conversations.*; None for what is none.

    Since 2021 a private channel is one of `is_channel` and `is_private`; here it is a group as before.
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
