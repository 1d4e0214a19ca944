"""The handlers of the application, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from rcex_ws.feedme.arguments import handler_argument
from rcex_ws.feedme.errors import InvalidArgument
from rcex_ws.feedme.server.client import ConnectedClient

__all__ = ["FeedmeHandlers"]

H = TypeVar("H", bound=Callable[..., object])


class FeedmeHandlers:
    """The handlers of one server.

    The name None stands for all names without a handler of their own; such a handler is called with the name, too.

    Attributes:
        handshake: called with a client that sent its handshake.
        feed_closed: called with a client, and the name and arguments of a feed that it does not have open any more.
    """

    def __init__(self) -> None:
        self.handshake: Callable[..., Any] | None = None
        self.feed_closed: Callable[..., Any] | None = None
        self._actions: dict[str | None, Callable[..., Any]] = {}
        self._feeds: dict[str | None, Callable[..., Any]] = {}

    def action(self, name: str) -> Callable[..., Any] | None:
        """Return the handler of an action, to be called with a client and the arguments."""
        return _find(self._actions, name)

    def feed(self, name: str) -> Callable[..., Any] | None:
        """Return the handler of a feed, to be called with a client and the arguments."""
        return _find(self._feeds, name)

    def has_feed(self, name: str) -> bool:
        """Return whether there is a handler for exactly this feed."""
        return name in self._feeds

    def add_action(self, name: str | None) -> Callable[[H], H]:
        """Return a decorator that adds the handler of an action."""
        return self._adder("action", self._actions, name)

    def add_feed(self, name: str | None) -> Callable[[H], H]:
        """Return a decorator that adds the handler of a feed."""
        return self._adder("feed", self._feeds, name)

    def _adder(self, what: str, handlers: dict[str | None, Callable[..., Any]], name: str | None) -> Callable[[H], H]:
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


def _find(handlers: dict[str | None, Callable[..., Any]], name: str) -> Callable[..., Any] | None:
    handler, general = handlers.get(name), handlers.get(None)
    if handler is not None or general is None:
        return handler

    def call_with_name(client: ConnectedClient, args: dict[str, Any]) -> object:
        return general(client, name, args)

    return call_with_name
