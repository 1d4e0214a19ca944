"""The topics on which the world makes events, the filters an application may ask for, and which matches which.

A topic is a resolved path with its properties as a query. A filter matches when its path is the same, `~` resolved, and
each of its query's members is a property of the topic.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import parse_qsl

__all__ = ["ACCOUNT", "EXTENSION", "FILTERS", "TOPICS", "matches", "matching", "resolve"]

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
)
FILTERS: tuple[str, ...] = (
    f"{_TILDE}/~/presence",
    *(f"{_TILDE}/{number}/presence" for number in range(501, 505)),
    f"{_TILDE}/~/message-store",
    f"{_TILDE}/~/message-store?type=SMS",
    f"{_TILDE}/~/telephony/sessions",
)


def resolve(path: str) -> str:
    """Put ids where `~` stands for the caller's own."""
    return path.replace("/account/~", f"/account/{ACCOUNT}").replace("/extension/~", f"/extension/{EXTENSION}")


def matches(filter_: str, topic: str) -> bool:
    """Say whether an event on a topic goes to who asked for this filter."""
    path, _, query = resolve(filter_).partition("?")
    topic_path, _, properties = topic.partition("?")
    return path == topic_path and set(parse_qsl(query)) <= set(parse_qsl(properties))


def matching(filters: Iterable[str], topic: str) -> str | None:
    """Give the first of the filters that matches."""
    return next((one for one in filters if matches(one, topic)), None)
