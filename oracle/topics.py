"""The topics on which the world makes events, the filters an application may ask for, and which matches which.

A topic is a resolved path with its properties as a query. A filter matches when its path is the same, `~` resolved, and
each of its query's members is a property of the topic.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from functools import cache
from urllib.parse import parse_qsl, quote

__all__ = [
    "ACCOUNT",
    "EXTENSION",
    "FILTERS",
    "TOPICS",
    "certainly_not",
    "choices",
    "matches",
    "matching",
    "name",
    "resolve",
]

ACCOUNT = "400"
EXTENSION = "500"
_ME = f"/restapi/v1.0/account/{ACCOUNT}/extension/{EXTENSION}"
_TILDE = "/restapi/v1.0/account/~/extension"

TOPICS: tuple[str, ...] = (
    f"{_ME}/presence",
    *(f"/restapi/v1.0/account/{ACCOUNT}/extension/{number}/presence" for number in range(501, 505)),
    f"{_ME}/message-store?type=SMS&direction=Inbound",
    f"{_ME}/message-store?type=Fax&direction=Inbound",
    f"{_ME}/telephony/sessions",
    f"{_ME}/message-store?type=SMS&direction=Outbound",
    f"{_ME}/telephony/sessions?phoneNumber=%2B16505550100&direction=Inbound",
)
_PLAIN: tuple[str, ...] = (
    f"{_TILDE}/~/presence",
    *(f"{_TILDE}/{number}/presence" for number in range(501, 505)),
    f"{_TILDE}/~/message-store",
    f"{_TILDE}/~/telephony/sessions",
)
_ACCOUNT_WIDE: tuple[str, ...] = (
    "/restapi/v1.0/account/~/presence",
    "/restapi/v1.0/account/~/telephony/sessions",
    "/restapi/v1.0/account/~/telephony/sessions?direction=Inbound",
)
_WITH_QUERY: tuple[str, ...] = (
    f"{_TILDE}/~/message-store?type=SMS",
    f"{_TILDE}/~/message-store?type=Fax",
    f"{_TILDE}/~/message-store?direction=Inbound",
    f"{_TILDE}/~/message-store?direction=Inbound&type=SMS",
    f"{_TILDE}/~/message-store?direction=Outbound",
    f"{_TILDE}/~/telephony/sessions?phoneNumber=%2B16505550100",
    f"{_TILDE}/~/telephony/sessions?direction=Inbound&phoneNumber=%2b16505550100",
)
FILTERS: tuple[str, ...] = (*_PLAIN, *_ACCOUNT_WIDE, *_WITH_QUERY)


def choices(kinds: Iterable[str]) -> tuple[str, ...]:
    """Give the filters that an application may ask for when these kinds are switched on."""
    more = {"account-wide": _ACCOUNT_WIDE, "with-query": _WITH_QUERY}
    return (*_PLAIN, *(one for kind, filters in more.items() if kind in kinds for one in filters))


def resolve(path: str) -> str:
    """Put ids where `~` stands for the caller's own."""
    return path.replace("/account/~", f"/account/{ACCOUNT}").replace("/extension/~", f"/extension/{EXTENSION}")


@cache
def matches(filter_: str, topic: str) -> bool:
    """Say whether an event on a topic goes to who asked for this filter."""
    path, _, query = resolve(filter_).partition("?")
    topic_path, _, properties = topic.partition("?")
    if path not in {topic_path, _of_account(topic_path)}:
        return False
    return set(parse_qsl(query)) <= set(parse_qsl(properties))


def certainly_not(filter_: str, topic: str) -> bool:
    """Say whether nobody can take an event on a topic for one that this filter caused.

    An account's filter causes events of its extensions, and a query may select by what is in the body.
    """
    paths = (re.sub(r"/extension/\d+", "", resolve(one).partition("?")[0]) for one in (filter_, topic))
    return len(set(paths)) == 2


def matching(filters: Iterable[str], topic: str) -> str | None:
    """Give the first of the filters that matches."""
    return next((one for one in filters if matches(one, topic)), None)


def name(filter_: str, topic: str, dice: random.Random | None) -> str:
    """Give the `event` of a notification on a topic that a filter caused.

    Args:
        filter_: that asked for it.
        topic: of the event.
        dice: choose how the event is written; None: as the filter is, but with the ids of whom it is about.
    """
    path, query = topic.partition("?")[0], filter_.partition("?")[2]
    if dice is None:
        return f"{path}?{query}" if query else path
    pairs = parse_qsl(dice.choice((query, query, "", topic.partition("?")[2])))
    dice.shuffle(pairs)
    text = "&".join(f"{key}={quote(value, safe='')}" for key, value in pairs)
    if dice.random() < 0.3:
        text = re.sub("%[0-9A-F]{2}", lambda match: match[0].lower(), text)
    slash = "/" if dice.random() < 0.2 else ""
    return f"{path}{slash}?{text}" if text else f"{path}{slash}"


def _of_account(topic_path: str) -> str:
    """Give the account's form of an extension's path, where there is one."""
    if topic_path.endswith("/message-store"):
        return topic_path
    return re.sub(r"/extension/\d+", "", topic_path)
