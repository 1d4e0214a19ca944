"""The handlers of the application, by name."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import TypeVar, cast

from rcex_ws.feedme.arguments import handler_argument
from rcex_ws.feedme.errors import InvalidArgument
from rcex_ws.feedme.messages import FeedArgs
from rcex_ws.feedme.server.client import ConnectedClient
from rcex_ws.readers import printable

__all__ = ["FeedmeHandlers"]

logger = logging.getLogger("rcex_ws.feedme.server")

#: Names without a handler that are logged, since clients can ask for any number of them.
_MOST_WARNINGS = 100

H = TypeVar("H", bound=Callable[..., object])


class FeedmeHandlers:
    """The handlers of one server.

    The name None stands for all names without a handler of their own; such a handler is called with the name, too.

    Attributes:
        handshake: called with a client that sent its handshake.
        feed_closed: called with a client, and the name and arguments of a feed that it does not have open any more.
    """

    def __init__(self) -> None:
        self.handshake: Callable[..., object] | None = None
        self.feed_closed: Callable[..., object] | None = None
        self._missing: set[str] = set()  # what has been warned of
        self._actions: dict[str | None, Callable[..., object]] = {}
        self._feeds: dict[str | None, Callable[..., object]] = {}

    def action(self, name: str, client: ConnectedClient, args: object) -> Callable[[], object] | None:
        """Return what calls the handler of an action; None if there is none."""
        return _call(self._actions, name, client, args)

    def feed(self, name: str, client: ConnectedClient, args: object) -> Callable[[], object] | None:
        """Return what calls the handler of a feed; None if there is none."""
        return _call(self._feeds, name, client, args)

    def has_feed(self, name: str) -> bool:
        """Return whether there is a handler for exactly this feed."""
        return name in self._feeds

    def add_action(self, name: str | None) -> Callable[[H], H]:
        """Return a decorator that adds the handler of an action."""
        return self._adder("action", self._actions, name)

    def add_feed(self, name: str | None) -> Callable[[H], H]:
        """Return a decorator that adds the handler of a feed."""
        return self._adder("feed", self._feeds, name)

    def warn_of_missing(self, what: str, name: str, args: FeedArgs | None = None) -> None:
        """Log that a client asks for what nobody has made; once for each name, and for a hundred names at most."""
        asked = printable(f"{what} {name!r:.80}" if args is None else f"{what} {name!r:.80} {args!r:.200}")
        if len(self._missing) < _MOST_WARNINGS and asked not in self._missing:
            self._missing.add(asked)
            logger.warning("a client asks for the %s, for which there is no handler, and no live feed", asked)

    def set_handshake(self, handler: object) -> None:
        """Set the handler of handshakes."""
        self.handshake = _only("handshake", self.handshake, handler)

    def set_feed_closed(self, handler: object) -> None:
        """Set the handler that is told of closed feeds."""
        self.feed_closed = _only("feed_closed", self.feed_closed, handler)

    def _adder(
        self, what: str, handlers: dict[str | None, Callable[..., object]], name: str | None
    ) -> Callable[[H], H]:
        if not isinstance(name, str | None):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidArgument(
                f"name: expected a text, got an object of the type {type(name).__name__}; "
                f"write @server.{what}() for all names without a handler of their own"
            )
        if name in handlers:
            raise InvalidArgument(f"name: the {what} {name!r} has a handler already")

        def add(handler: H) -> H:
            handlers[name] = handler_argument("handler", handler)
            return handler

        return add


def _call(
    handlers: dict[str | None, Callable[..., object]], name: str, client: ConnectedClient, args: object
) -> Callable[[], object] | None:
    handler = handlers.get(name)
    if handler is not None:
        return partial(handler, client, args)
    general = handlers.get(None)
    return None if general is None else partial(general, client, name, args)


def _only(what: str, old: Callable[..., object] | None, handler: object) -> Callable[..., object]:
    if old is not None:
        raise InvalidArgument(f"handler: there is a handler {what!r} already; a server has one")
    return cast("Callable[..., object]", handler_argument("handler", handler))
