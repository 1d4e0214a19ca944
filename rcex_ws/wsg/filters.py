"""Event filters: which of them can have caused a notification, and whether two sets are equivalent. Pure.

The `event` of a notification echoes the filter with `~` resolved to ids, but it is not always byte-equal to what was
requested, and how far it may differ is not documented. Hence two rules. Only a certain difference rules a filter out as
the cause: in what the path is about, or whose it is. And two sets are only equivalent if they certainly are, because
the server is not asked then.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
from typing import Annotated, NamedTuple
from urllib.parse import parse_qsl, unquote

from rcex_ws.options import Rule

__all__ = ["EventFilters", "FilterIndex", "same_filters"]


class _Subject(NamedTuple):
    """What a path is about, and whose it is.

    Attributes:
        first: the first word after account and extension: `message-store` of `message-store/instant`; empty if there
            is none, so that the subject is unknown.
        last: the last word: `presence` of `favorite/presence`.
        account: the number of the account; None if it may be any.
        extension: the number of the extension; None if it may be any.
    """

    first: str
    last: str
    account: str | None
    extension: str | None


_NO_PATH = re.compile(r"[?#;]")
_DIGIT = re.compile(r"\d")

#: The number of the account: there is only one, that of the login.
_ACCOUNT = re.compile(r"/account/\d+(?![^/])")

#: Names of APIs, not of subjects: what precedes them is a host, or nothing that distinguishes paths.
_APIS = frozenset({"restapi", "team-messaging", "glip"})

#: Synonyms, in the singular: a fax is a message of the message store, and what used to be a Glip group is a chat.
_SAME = {
    "instant": "message-store",
    "fax": "message-store",
    "voicemail": "message-store",
    "group": "chat",
    "team": "chat",
    "conversation": "chat",
}

#: The extension in such a path watches others, so an event may name theirs.
_WATCHED = frozenset({"line", "favorite"})

#: Longer events are not cached: a peer must not fill the memory.
_MEMORABLE = 300


def _subject(text: str) -> _Subject:
    """Return the subject of a filter or an event, ignoring whatever does not certainly distinguish two of them."""
    path = text.partition("?")[0]
    for _ in range(3):  # percent-encoded, perhaps twice
        if "%" not in path:
            break
        path = unquote(path)
    else:
        return _Subject("", "", None, None)
    path = _NO_PATH.split(path, maxsplit=1)[0].lower()
    words: list[str] = []
    ids: dict[str, str] = {}
    owner = ""  # `account` or `extension` if its id comes next
    for segment in path.split("/"):
        segment = segment.strip()
        word = segment.removesuffix("s")
        if not segment or (segment[0] == "v" and segment[1:2].isdigit()):
            continue  # a doubled slash, or a version
        if segment in _APIS or word == "account":
            words.clear()
            owner = "account" if word == "account" else ""
        elif word == "extension":
            owner = "extension"
            ids.setdefault(owner, "")
        elif owner and not segment[0].isalpha():
            if segment.isascii() and segment.isdecimal():
                ids[owner] = segment.lstrip("0")
            owner = ""
        elif _is_word(segment, first=not words):
            words.append(_SAME.get(word, word))
            owner = ""
    if not words and "extension" in ids:
        words.append("extension")
    if not words:
        return _Subject("", "", None, None)
    extension = None if _WATCHED.intersection(words) else ids.get("extension")
    return _Subject(words[0], words[-1], ids.get("account") or None, extension or None)


def _is_word(segment: str, *, first: bool) -> bool:
    """Return whether a segment is a word rather than an id or a host."""
    if first:
        return segment[0].isalpha() and not ("." in segment or ":" in segment)
    return segment[0].isalpha() and _DIGIT.search(segment) is None


_subject_again = lru_cache(maxsize=1024)(_subject)


class _Whose:
    """The accounts and extensions of all filters with one subject; None stands for any of them."""

    __slots__ = ("_accounts", "_both", "_extensions")

    def __init__(self) -> None:
        self._accounts: set[str | None] = set()
        self._extensions: set[str | None] = set()
        self._both: set[tuple[str | None, str | None]] = set()

    def add(self, account: str | None, extension: str | None) -> None:
        """Add those of a filter."""
        self._accounts.add(account)
        self._extensions.add(extension)
        self._both.add((account, extension))

    def may_be(self, account: str | None, extension: str | None) -> bool:
        """Return whether those of an event can be those of a filter."""
        if account is None:
            return extension is None or None in self._extensions or extension in self._extensions
        if extension is None:
            return None in self._accounts or account in self._accounts
        both = self._both
        return (
            (account, extension) in both or (account, None) in both or (None, extension) in both or (None, None) in both
        )


class FilterIndex:
    """An index of filters that finds what they can have caused, in a time independent of their number.

    Args:
        filters: paths, as requested or as resolved by the server.
    """

    __slots__ = ("_whose",)

    def __init__(self, filters: Collection[str]) -> None:
        self._whose: dict[str, _Whose] = {}
        for text in filters:
            first, last, account, extension = _subject(text)
            self._add(first, account, extension)
            if last != first:
                self._add(last, account, extension)

    def can_cause(self, event: str) -> bool:
        """Return whether any of the filters can have caused a notification; if in doubt, True.

        False if the event is about something else (no filter's path shares its first or last word), or about another
        account or extension, if both paths name it by number. Nothing else counts: `~` and account-wide paths on either
        side, query, encoding, case, host, version.

        Args:
            event: the notification's `event`.
        """
        first, last, account, extension = (_subject_again if len(event) <= _MEMORABLE else _subject)(event)
        whose = self._whose
        if not first or "" in whose:  # one of them can be about anything
            return bool(whose)
        found = whose.get(first)
        if found is not None and found.may_be(account, extension):
            return True
        found = None if last == first else whose.get(last)
        return found is not None and found.may_be(account, extension)

    def _add(self, word: str, account: str | None, extension: str | None) -> None:
        whose = self._whose.get(word)
        if whose is None:
            whose = self._whose[word] = _Whose()
        whose.add(account, extension)


def same_filters(a: Collection[str], b: Collection[str], *, owner_id: str | None = None) -> bool:
    """Return whether two sets of filters are equivalent, in any order.

    Args:
        a: one set.
        b: the other set.
        owner_id: the extension that `~` stands for, if the server has resolved one of the sets; `~` never equals
            another extension, and without this only itself.
    """
    one, other = set(a), set(b)
    normal = _Normal(owner_id)
    common = one & other  # parsed only if necessary: sets mostly differ in few filters
    differ = {normal(text) for text in one - common} ^ {normal(text) for text in other - common}
    return not differ or differ <= {normal(text) for text in common}


class _Normal:
    """Normalizes filters, so that equivalent ones are equal.

    Args:
        owner_id: the extension that `~` stands for, or None.
    """

    def __init__(self, owner_id: str | None) -> None:
        self._owner = None if owner_id is None else re.compile(rf"/extension/{re.escape(owner_id)}(?![^/])")
        self._queries: dict[str, frozenset[tuple[str, str]]] = {}  # many filters share few queries

    def __call__(self, text: str) -> tuple[str, frozenset[tuple[str, str]]]:
        path, _, query = text.partition("?")
        path = "/" + path.strip("/")
        if self._owner is not None:
            path = self._owner.sub("/extension/~", _ACCOUNT.sub("/account/~", path))
        if query not in self._queries:
            self._queries[query] = frozenset(parse_qsl(query, keep_blank_values=True))
        return path, self._queries[query]


def _faulty(event_filters: Collection[str]) -> str | None:
    """Return what is wrong with the first invalid filter; None if all are valid. Filters contain no secrets."""
    for text in event_filters:
        if not text.startswith("/"):
            return f'{text!r} is not a path; it should begin with "/restapi/" or "/team-messaging/"'
        if text != text.strip() or not text.isprintable():
            return f"{text!r} has white space around it, or a control character in it"
    return None if event_filters else "it is empty"


EventFilters = Annotated[Collection[str], Rule("a non-empty list of paths", _faulty)]
"""The filters of a subscription."""
