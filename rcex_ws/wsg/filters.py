"""Event filters: which of them can have caused a notification, and whether two sets ask for the same. Pure.

The `event` of a notification echoes the filter with `~` resolved to ids, but it is not always byte-equal to what was
asked for, and nowhere is it said how far it may differ. Hence two rules. What rules a filter out as the cause is only
what certainly differs: what the path is about, or whose it is. And two sets of filters are the same only if they
certainly are, for then the server is not asked.
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
    """What a path is about, and whose.

    Attributes:
        first: the first word after account and extension: `message-store` of `message-store/instant`; empty if there
            is none, so that it is not known what the path is about.
        last: the last one: `presence` of `favorite/presence`.
        account: its number; None where any may be meant.
        extension: likewise.
    """

    first: str
    last: str
    account: str | None
    extension: str | None


_NO_PATH = re.compile(r"[?#;]")
_DIGIT = re.compile(r"\d")

#: There is one: the login's.
_ACCOUNT = re.compile(r"/account/\d+(?![^/])")

#: Names of an API, not of what it is about: what stands before is a host, or nothing that tells paths apart.
_APIS = frozenset({"restapi", "team-messaging", "glip"})

#: Different words for one thing, in the singular: a fax is a message of the message store, and what was a Glip group
#: is a chat today.
_SAME = {
    "instant": "message-store",
    "fax": "message-store",
    "voicemail": "message-store",
    "group": "chat",
    "team": "chat",
    "conversation": "chat",
}

#: The extension in such a path watches others, so that theirs may be named in an event.
_WATCHED = frozenset({"line", "favorite"})

#: An event that is longer is not remembered: a peer could have us keep anything.
_MEMORABLE = 300


def _subject(text: str) -> _Subject:
    """Read what a filter or an event is about, leaving out all that does not certainly tell two of them apart."""
    path = text.partition("?")[0]
    for _ in range(3):  # encoded, perhaps twice
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
    """Tell a word from an id of a resource, or from a host."""
    if first:
        return segment[0].isalpha() and not ("." in segment or ":" in segment)
    return segment[0].isalpha() and _DIGIT.search(segment) is None


_subject_again = lru_cache(maxsize=1024)(_subject)


class _Whose:
    """The accounts and extensions of all filters about one thing; None stands for any of them."""

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
        """Tell whether those of an event can be those of a filter."""
        if account is None:
            return extension is None or None in self._extensions or extension in self._extensions
        if extension is None:
            return None in self._accounts or account in self._accounts
        both = self._both
        return (
            (account, extension) in both or (account, None) in both or (None, extension) in both or (None, None) in both
        )


class FilterIndex:
    """Find out what filters can have caused, at a cost that does not grow with their number.

    Args:
        filters: paths, as they were asked for or as the server resolved them.
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
        """Tell whether any of the filters can have caused a notification; when in doubt, yes.

        Certainly not if the event is about something else (no filter's path has its first or its last word in common
        with it), or about the same of another account or extension, where both name it by number. Everything else
        excludes nothing: `~` and account-wide paths on either side, query, encoding, case, host, version.

        Args:
            event: of the notification.
        """
        first, last, account, extension = (_subject_again if len(event) <= _MEMORABLE else _subject)(event)
        whose = self._whose
        if not first or "" in whose:  # one of both can be about anything
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
    """Tell whether two sets of filters ask for the same, in any order.

    Args:
        a: some filters.
        b: others.
        owner_id: if one of them was resolved by the server: the extension that `~` stands for. `~` is never taken for
            another extension; without this it only equals itself.
    """
    one, other = set(a), set(b)
    normal = _Normal(owner_id)
    common = one & other  # read only if need be: where two sets differ they mostly do in a few
    differ = {normal(text) for text in one - common} ^ {normal(text) for text in other - common}
    return not differ or differ <= {normal(text) for text in common}


class _Normal:
    """Write filters so that those that ask for the same are equal.

    Args:
        owner_id: the extension that `~` stands for, or None.
    """

    def __init__(self, owner_id: str | None) -> None:
        self._owner = None if owner_id is None else re.compile(rf"/extension/{re.escape(owner_id)}(?![^/])")
        self._queries: dict[str, frozenset[tuple[str, str]]] = {}  # many filters have few of them

    def __call__(self, text: str) -> tuple[str, frozenset[tuple[str, str]]]:
        path, _, query = text.partition("?")
        path = "/" + path.strip("/")
        if self._owner is not None:
            path = self._owner.sub("/extension/~", _ACCOUNT.sub("/account/~", path))
        if query not in self._queries:
            self._queries[query] = frozenset(parse_qsl(query, keep_blank_values=True))
        return path, self._queries[query]


def _faulty(event_filters: Collection[str]) -> str | None:
    """Tell what is wrong with the first filter that cannot be; filters hold no secret."""
    for text in event_filters:
        if not text.startswith("/"):
            return f'{text!r} is not a path; it should begin with "/restapi/"'
        if text != text.strip() or not text.isprintable():
            return f"{text!r} has white space around it, or a control character in it"
    return None if event_filters else "it is empty"


EventFilters = Annotated[Collection[str], Rule("a non-empty list of paths", _faulty)]
"""What is subscribed to."""
