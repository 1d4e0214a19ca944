"""Hints for names of the JavaScript original, such as `installExtension`: the error has the name that is used here.

Names that are only spelled differently are found; the tables have the others.
"""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterable, Mapping
from enum import EnumType
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, NoReturn

from rcex_ws.errors import UnknownName

__all__ = ["AttributesOfJavaScript", "EnumOfJavaScript", "NamesOfJavaScript", "check_argument"]

#: By attribute and class: what that class has instead.
_INSTEAD: Final[Mapping[str, Mapping[str, str]]] = {
    "addListener": {"WebSocketExtension": "on() for this"},
    "data": {"Response": "this as json()"},
    "enabled": {"Subscription": "no such switch: revoke() ends it"},
    "expirationTime": {"Subscription": "this as info.expiration_time"},
    "id": {"Subscription": "this as info.id"},
    "login": {"RingCentral": "this as authorize"},
    "logout": {"RingCentral": "this as revoke"},
    "off": {"EventEmitter": "this as remove_listener", "WebSocketExtension": "what on() returns for this"},
    "once": {"WebSocketExtension": "this as event_emitter.once"},
    "options": {"WebSocketExtension": "no options: they are its arguments"},
    "pingServer": {"WebSocketExtension": "no pingServer: it does so by itself, see heartbeat_interval"},
    "remove": {"Subscription": "revoke() for this"},
    "removeListener": {"WebSocketExtension": "what on() returns for this"},
    "rest": {"RingCentral": "no rest: it sends calls itself"},
    "status": {"Response": "this as status_code"},
    "subscriptionInfo": {"Subscription": "this as info"},
    "wsToken": {"WebSocketExtension": "no wsToken: each connection gets its own"},
}
#: Likewise, for attributes that can be read, but not set.
_INSTEAD_OF_SETTING: Final[Mapping[str, Mapping[str, str]]] = {
    "eventFilters": {"Subscription": "this as event_filters, read-only: await update([...]) changes them"},
    "event_filters": {"Subscription": "it read-only: await update([...]) changes them"},
    "token": {"RingCentral": "it read-only: its arguments token and token_store restore a login"},
}
#: Arguments that are not only spelled differently.
_ARGUMENTS: Final[Mapping[str, str]] = {
    "body": "json",
    "cachedSubscriptionInfo": "subscription_info",
    "checkInterval": "reconnect_delays",
    "pingServerInterval": "heartbeat_interval",
    "query": "params",
    "queryParams": "params",
}
#: What else the error says.
_ALSO: Final[Mapping[str, str]] = {
    "autoRecover": "; for its members there are reconnect_delays and heartbeat_interval, in seconds",
    "checkInterval": ", a function that returns seconds",
    "pingServerInterval": ", in seconds",
}


class NamesOfJavaScript:
    """A base class whose missing attributes raise with a hint; `hasattr` and `getattr` work as usual."""

    __slots__ = ()

    if not TYPE_CHECKING:  # or type checkers would accept any name

        def __getattr__(self, name: str) -> NoReturn:
            raise _hint(self, name) or AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


class AttributesOfJavaScript(NamesOfJavaScript):
    """One that also refuses to set them, which would have no effect; for classes that rarely set attributes."""

    __slots__ = ()

    if not TYPE_CHECKING:

        def __setattr__(self, name: str, value: object) -> None:
            if name[0] != "_":
                _check_setting(self, name)
            object.__setattr__(self, name, value)


class EnumOfJavaScript(EnumType):
    """A metaclass of enums whose missing members raise with a hint."""

    if not TYPE_CHECKING:

        def __getattr__(cls, name: str) -> object:
            members = cls.__dict__.get("_member_map_", {})
            if name in members:  # Python 3.11 looks them up here
                return members[name]
            ours = our_name(name, members)
            if ours is not None:
                raise UnknownName(f"{name}: {cls.__name__} has this as {ours}")
            raise AttributeError(f"type object {cls.__name__!r} has no attribute {name!r}")


def check_argument(name: str, names: Collection[str]) -> None:
    """Raise if an argument is called differently here; any other unknown name is left to Python.

    Args:
        name: as it was passed.
        names: the ones there are.

    Raises:
        UnknownName: the message has the name that is used here.
    """
    if name not in names:
        ours = our_name(name, names) or _ARGUMENTS.get(name)
        if ours in names:
            raise UnknownName(f"{name}: this argument is called {ours} here{_ALSO.get(name, '')}")


def our_name(name: str, names: Iterable[str]) -> str | None:
    """Return the one of `names` that a JavaScript name such as `restOverWebSocket` or `CallWait` means, or None."""
    if name == name.lower():
        return None
    spelled = name.lower()
    return next((ours for ours in names if ours.replace("_", "").lower() == spelled and not ours.startswith("_")), None)


def _check_setting(owner: object, name: str) -> None:
    kind: Any = type(owner)
    instead = _instead(_INSTEAD_OF_SETTING, kind, name)
    if instead is not None:
        raise UnknownName(f"{name}: {kind.__name__} has {instead}")
    if name not in _declared(kind):
        hint = _hint(owner, name)
        if hint is not None:
            raise hint


def _hint(owner: object, name: str) -> UnknownName | None:
    """Return the error for an attribute that is called differently here; None if there is nothing like it."""
    if name.startswith("_"):  # looked up by copy, pickle and shells
        return None
    kind: Any = type(owner)
    instead = _instead(_INSTEAD, kind, name)
    if instead is not None:
        return UnknownName(f"{name}: {kind.__name__} has {instead}")
    # Not `dir`: it looks up further attributes, and some tools override it.
    ours = our_name(name, chain(getattr(owner, "__dict__", ()), *map(vars, kind.__mro__)))
    if ours is not None:
        return UnknownName(f"{name}: {kind.__name__} has this as {ours}")
    options = _arguments(kind)
    option = name if name in options else our_name(name, options)
    if option is not None:
        return UnknownName(f"{name}: {kind.__name__} takes {option} as an argument, and has no such attribute")
    return None


def _instead(table: Mapping[str, Mapping[str, str]], kind: type, name: str) -> str | None:
    by_class = table.get(name)
    if by_class is None:
        return None
    return next((by_class[one.__name__] for one in kind.__mro__ if one.__name__ in by_class), None)


@cache
def _arguments(kind: type) -> frozenset[str]:
    """Return the names of the arguments of the constructors of a class and its bases."""
    return frozenset(
        name
        for one in kind.__mro__
        if inspect.isfunction(one.__dict__.get("__init__"))
        for name, parameter in inspect.signature(one.__dict__["__init__"]).parameters.items()
        if name != "self" and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    )


@cache
def _declared(kind: type) -> frozenset[str]:
    """Return the names that a class and its bases define, or annotate."""
    return frozenset(chain.from_iterable((*vars(one), *inspect.get_annotations(one)) for one in kind.__mro__))
