"""Event filters: which notification belongs to which filter. Pure.

The `event` of a notification echoes the filter with `~` resolved to ids, but is not always byte-equal to what was
asked for; so filters are compared by path segments and query, never as strings.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import lru_cache
from urllib.parse import parse_qsl

__all__ = ["check_filters", "matches_any", "same_filters"]

from rcex_ws.errors import ConfigurationError


def _parse(text: str) -> tuple[tuple[str, ...], frozenset[tuple[str, str]]]:
    path, _, query = text.partition("?")
    return tuple(path.strip("/").split("/")), frozenset(parse_qsl(query, keep_blank_values=True))


#: For the few filters that notifications are compared with; ten thousand compared once would only push each other out.
_parse_again = lru_cache(maxsize=4096)(_parse)


def _same_path(a: tuple[str, ...], b: tuple[str, ...]) -> bool:
    return len(a) == len(b) and all(x == y or "~" in (x, y) for x, y in zip(a, b, strict=True))


def matches_any(event: str, filters: Iterable[str]) -> bool:
    """Tell whether a notification's event is asked for: same path, `~` standing for any id, query a subset."""
    path, query = _parse_again(event)
    for text in filters:
        filter_path, filter_query = _parse_again(text)
        if filter_query <= query and _same_path(path, filter_path):
            return True
    return False


def same_filters(a: Collection[str], b: Collection[str], *, owner_id: str | None = None) -> bool:
    """Tell whether two sets of filters ask for the same, in any order.

    Args:
        a: some filters.
        b: others.
        owner_id: if one of them was resolved by the server: the extension that `~` stands for. `~` is never taken for
            another extension; without this it only equals itself.
    """
    return {_normal(text, owner_id) for text in a} == {_normal(text, owner_id) for text in b}


def _normal(text: str, owner_id: str | None) -> tuple[tuple[str, ...], frozenset[tuple[str, str]]]:
    path, query = _parse(text)
    if owner_id is None:
        return path, query
    own = {"account": None, "extension": owner_id}  # there is one account: the login's
    segments = [
        "~" if before in own and own[before] in (None, segment) else segment
        for before, segment in zip(("", *path), path, strict=False)
    ]
    return tuple(segments), query


def check_filters(event_filters: object) -> tuple[str, ...]:
    """Give the filters as a tuple.

    Raises:
        ConfigurationError: not a non-empty list of paths.
    """
    if isinstance(event_filters, str) or not isinstance(event_filters, Collection) or not event_filters:
        raise ConfigurationError(f"event_filters: expected a non-empty list of paths, got {event_filters!r}")
    filters = tuple(str(item) for item in event_filters)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    for text in filters:
        if not text.startswith("/"):
            raise ConfigurationError(f'event_filters: {text!r} is not a path; it should begin with "/restapi/"')
    return filters
