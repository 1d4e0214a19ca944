"""Checks of what an application passes: an error names the argument, and what is valid is returned as messages need it.

Pure. Used by the public classes of client and server, and by their options.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar, cast

from msgspec import UNSET

from rcex_ws.errors import ConfigurationError
from rcex_ws.feedme.deltas import Delta, MalformedDelta, delta_from_json
from rcex_ws.feedme.errors import InvalidArgument
from rcex_ws.feedme.messages import FeedArgs
from rcex_ws.feedme.values import FrozenDict, NotExpressible, freeze, js_text
from rcex_ws.options import check_fields, check_handler

__all__ = ["check_options", "deltas_argument", "feed_args", "handler_argument", "json_object", "text_argument"]

H = TypeVar("H")


def text_argument(name: str, value: object) -> str:
    """Return a text as a str of its own class, with halves of surrogate pairs joined.

    Raises:
        InvalidArgument: it is not a text.
    """
    if not isinstance(value, str):
        raise InvalidArgument(f"{name}: expected a text, got an object of the type {type(value).__name__}")
    return js_text(str.__str__(value))


def json_object(name: str, value: object) -> FrozenDict:
    """Return a JSON object, read-only.

    Raises:
        InvalidArgument: it is not one, or JSON cannot express what is in it.
    """
    if not isinstance(value, Mapping):
        raise InvalidArgument(f"{name}: expected a JSON object, got an object of the type {type(value).__name__}")
    try:
        return cast("FrozenDict", freeze(cast("object", value)))
    except NotExpressible as exc:
        raise InvalidArgument(f"{name}: {exc}") from None


def feed_args(value: object) -> FeedArgs:
    """Return the arguments of a feed; None stands for none.

    Raises:
        InvalidArgument: they are not texts.
    """
    given: object = {} if value is None else value
    if not isinstance(given, Mapping):
        raise InvalidArgument(f"args: expected a JSON object, got an object of the type {type(given).__name__}")
    members = cast("Mapping[object, object]", given)
    return {text_argument("args", key): text_argument(f"args[{key!r:.40}]", text) for key, text in members.items()}


def deltas_argument(value: object) -> list[Delta]:
    """Return deltas, each of which may be given as in JSON.

    Raises:
        InvalidArgument: it cannot be iterated over, or one of them is no delta, or has an infinite number, which JSON
            cannot express.
    """
    if not isinstance(value, Iterable):
        raise InvalidArgument(f"deltas: expected a list of deltas, got an object of the type {type(value).__name__}")
    given = cast("Iterable[object]", value)
    try:
        deltas = [one if isinstance(one, Delta) else delta_from_json(one) for one in given]
        for delta in deltas:
            if delta.value is not UNSET:
                freeze(delta.value)
    except (MalformedDelta, NotExpressible) as exc:
        raise InvalidArgument(f"deltas: {exc}") from None
    return deltas


def handler_argument(name: str, handler: H) -> H:
    """Return a handler.

    Raises:
        InvalidArgument: it cannot be called as one.
    """
    try:
        check_handler(handler, name)
    except ConfigurationError as exc:
        raise InvalidArgument(str(exc)) from None
    return handler


def check_options(options: object) -> None:
    """Check the fields of a class of options, see `check_fields`.

    Raises:
        InvalidArgument: a field has an invalid value; the text names it.
    """
    try:
        check_fields(options)
    except ConfigurationError as exc:
        raise InvalidArgument(str(exc)) from None
