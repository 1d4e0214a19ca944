"""Which of several handlers gets a notification: `@ws_ext.on_event(filter)`.

`Selector` is pure: one filter, parsed once. `Router` is the callback of a subscription to the filters of all handlers.
The server names an event after the filter that asked for it, but not always byte by byte, nor always with its query; so
what the event's name leaves open is looked up in the body, and what stays open counts as a match: a handler may get an
event too many, and none is dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlencode

from msgspec import Struct, ValidationError, convert

from rcex_ws.connection import call
from rcex_ws.errors import BadFrame, RcexError
from rcex_ws.wsg.filters import FilterIndex
from rcex_ws.wsg.models import Notification

__all__ = ["EventHandler", "Router", "Selector", "UnroutedEvent"]

EventHandler = Callable[[Notification], object]

#: They ask for a richer body, and select nothing (RingCentral's API reference).
_OF_THE_BODY = frozenset({"detailedTelephonyState", "sipData", "withRecordings"})


class UnroutedEvent(RcexError):
    """No handler of `on_event` wants a notification that came for one of their filters; reported by `error`."""


class Selector:
    """One event filter that notifications are compared with.

    Args:
        event_filter: the filter.
        query: more parameters of its query; a list repeats the name, True and False are written as JSON has them.
    """

    __slots__ = ("_index", "_path", "_query", "text")

    def __init__(self, event_filter: str, **query: str | bool | list[str]) -> None:
        more = urlencode({name: _text(value) for name, value in query.items()}, doseq=True)
        joint = "&" if "?" in event_filter else "?"
        self.text = f"{event_filter}{joint}{more}" if more else event_filter
        path, _, asked = self.text.partition("?")
        self._path = _segments(path)
        self._query = {name: set(values) for name, values in parse_qs(asked).items() if name not in _OF_THE_BODY}
        self._index = FilterIndex([self.text])

    def selects(self, notification: Notification, owner_id: str | None) -> bool:
        """Return whether the filter can have caused a notification.

        Args:
            notification: the notification.
            owner_id: the extension that `~` stands for; None if unknown, then any.
        """
        path, _, query = notification.event.partition("?")
        if not self._is_path(_segments(path), owner_id):
            return False
        named = parse_qs(query)
        return all(
            bool(wanted.intersection(named[name])) if name in named else _may_be(notification, name, wanted)
            for name, wanted in self._query.items()
        )

    def may_select(self, notification: Notification) -> bool:
        """Return whether the filter might have caused a notification whose name no filter knows."""
        return self._index.can_cause(notification.event)

    def _is_path(self, event: tuple[str, ...], owner_id: str | None) -> bool:
        own = self._path
        if "extension" not in own and "extension" in event:  # a filter of the account; its events name the extension
            at = event.index("extension")
            event = event[:at] + event[at + 2 :]
        if len(own) != len(event):
            return False
        return all(
            mine == theirs or (mine == "~" and (before != "extension" or owner_id in (None, theirs) or theirs == "~"))
            for before, mine, theirs in zip(("", *own), own, event, strict=False)
        )


class _Route(NamedTuple):
    selector: Selector
    handler: EventHandler


class Router:
    """The handlers of one extension, and the callback that calls them.

    Args:
        owner_id: returns the extension that `~` stands for, or None.
        failed: reports what a handler raised.
        unrouted: reports a notification that no handler wants.
    """

    def __init__(
        self,
        owner_id: Callable[[], str | None],
        failed: Callable[[Notification, Exception], None],
        unrouted: Callable[[Notification], None],
    ) -> None:
        self._routes: list[_Route] = []
        self._owner_id = owner_id
        self._failed = failed
        self._unrouted = unrouted

    @property
    def filters(self) -> tuple[str, ...]:
        """The filters of all handlers, each once."""
        return tuple(dict.fromkeys(route.selector.text for route in self._routes))

    def add(self, selector: Selector, handler: EventHandler) -> None:
        """Add a handler."""
        self._routes.append(_Route(selector, handler))

    async def __call__(self, notification: Notification) -> None:
        """Call every handler that wants a notification, one after the other; one that raises does not stop the next."""
        handlers = [*self._handlers_for(notification)]
        if not handlers:
            self._unrouted(notification)
        for handler in handlers:
            try:
                await call(handler, notification)
            except Exception as exc:  # noqa: BLE001 - it is reported
                self._failed(notification, exc)

    def _handlers_for(self, notification: Notification) -> Iterator[EventHandler]:
        owner_id = self._owner_id()
        certain = [one for one in self._routes if one.selector.selects(notification, owner_id)]
        for route in certain or [one for one in self._routes if one.selector.may_select(notification)]:
            yield route.handler


def _segments(path: str) -> tuple[str, ...]:
    return tuple(segment for segment in path.split("/") if segment)


class _Named(Struct):
    """What a body may say of itself, and of each of its changes."""

    type: Any = None
    direction: Any = None


class _Changes(_Named):
    changes: list[_Named] = []


def _may_be(notification: Notification, name: str, wanted: set[str]) -> bool:
    """Return whether the body of a notification may have one of these values; True if it does not say."""
    try:
        body = convert(notification.body, _Changes)
    except (BadFrame, ValidationError):
        return True
    said = {value for one in (body, *body.changes) if isinstance(value := getattr(one, name, None), str)}
    return not said or bool(said & wanted)


def _text(value: str | bool | list[str]) -> str | list[str]:
    """Return a value of a query as text: True as "true"."""
    return str(value).lower() if isinstance(value, bool) else value
