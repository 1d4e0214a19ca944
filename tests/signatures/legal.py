"""Judge by a declared type alone whether a value is legal. Written apart from the code that checks it."""

from __future__ import annotations

import inspect
import math
import types
import typing
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from os import PathLike
from typing import Annotated, Any, Literal

import msgspec

from rcex_ws import Extension

__all__ = ["VALUES", "WRONG_BY_RULE", "illegal"]


def plain(*_: Any) -> None: ...
async def waits(*_: Any) -> None: ...
def yields(*_: Any) -> Any:
    yield


async def yields_and_waits(*_: Any) -> Any:
    yield


class SyncStore:
    """Have every method of the stores and of an HTTP client, none of them async."""

    def load(self) -> None: ...
    def save(self, _: Any) -> None: ...
    def clear(self) -> None: ...
    def open(self) -> None: ...
    def close(self) -> None: ...
    def request(self, *_: Any, **__: Any) -> None: ...
    @contextmanager
    def stream(self, *_: Any, **__: Any) -> Iterator[None]:
        yield


#: What is tried for every argument, where it is not legal.
VALUES: dict[str, Any] = {
    "None": None,
    "True": True,
    "0": 0,
    "-1": -1,
    "-1.5": -1.5,
    "0.5": 0.5,
    "nan": math.nan,
    "inf": math.inf,
    "-inf": -math.inf,
    "1e308": 1e308,
    "10**400": 10**400,
    "text": "nonsense",
    "empty": "",
    "two lines": "a\nb",
    "not ASCII": "B\u00fcro",
    "null character": "a\0b",
    "bytes": b"nonsense",
    "[]": [],
    "[1]": [1],
    "['']": [""],
    "{}": {},
    "{1: 2}": {1: 2},
    "an object": object(),
    "the class object": object,
    "the class Extension": Extension,
    "a function": plain,
    "an async function": waits,
    "a generator function": yields,
    "an async generator function": yields_and_waits,
    "an object with sync methods": SyncStore(),
    "its class": SyncStore,
}

_NO_ID = ("empty", "two lines", "not ASCII", "null character")
_NO_URL = ("text", "empty", "two lines", "not ASCII", "null character")

#: What is wrong by a rule that msgspec has no word for, by what the rule says that it expects.
WRONG_BY_RULE = {
    "the path of a file": ("empty", "null character"),
    "the name of a header": ("empty", "two lines", "not ASCII", "null character"),
    "a text of one line": ("empty", "two lines", "null character"),
    "a sync function that takes a TraceEvent": ("an async function",),
    "a text of visible ASCII and spaces": ("two lines", "not ASCII", "null character"),
    "a text on one line": ("two lines", "null character"),
    "a text of printable ASCII": _NO_ID,
    "a path that begins with a slash": (*_NO_URL,),
    "a non-empty list of paths": ("[]", "[1]", "['']"),
    "an http(s) URL such as https://platform.ringcentral.com": _NO_URL,
    "an http(s), ws or wss URL": _NO_URL,
    "a ws:// or wss:// URL": _NO_URL,
    "None, a Token, or the answer of the OAuth endpoint as a dict": ("{}", "{1: 2}"),
}

_TEXTS = (str, bytes, bytearray)


def illegal(hint: Any, value: Any) -> bool:
    """Tell whether a value is certainly not of a declared type, its constraints included; False when in doubt."""
    origin = typing.get_origin(hint)
    if origin is Annotated:
        return illegal(hint.__origin__, value) or any(_breaks(rule, value) for rule in hint.__metadata__)
    if origin in (typing.Union, types.UnionType):
        return all(illegal(one, value) for one in typing.get_args(hint))
    if hint is None or hint is type(None):
        return value is not None
    if origin is Literal:
        return not any(value == one and type(value) is type(one) for one in typing.get_args(hint))
    if origin is type or hint is type:
        return not isinstance(value, type)
    if origin is Callable or hint is Callable:
        return _no_function(typing.get_args(hint), value)
    if isinstance(origin, type) and getattr(origin, "_is_protocol", False):
        return illegal(origin, value)
    if isinstance(origin, type):
        return _no_container(origin, typing.get_args(hint), value)
    if not isinstance(hint, type) or hint in (Any, object):  # or a type variable
        return False
    return _no_instance(hint, value)


def _no_instance(hint: type, value: Any) -> bool:
    if hint is float:
        return not isinstance(value, int | float) or isinstance(value, bool) or not _finite(value)
    if hint is int:
        return not isinstance(value, int) or isinstance(value, bool)
    if getattr(hint, "_is_protocol", False):
        return not callable(value) if "__call__" in vars(hint) else True
    if issubclass(hint, Collection) and issubclass(hint, Mapping) is False and hint not in (*_TEXTS, list, tuple):
        return isinstance(value, _TEXTS) or not isinstance(value, hint)
    return not isinstance(value, hint)


def _no_container(origin: type, args: tuple[Any, ...], value: Any) -> bool:
    if not isinstance(value, origin) or (isinstance(value, _TEXTS) and not issubclass(origin, _TEXTS)):
        return True
    if isinstance(value, Mapping) and issubclass(origin, Mapping) and len(args) == 2:
        return any(illegal(args[0], key) or illegal(args[1], one) for key, one in value.items())
    if origin is tuple and args and args[-1] is not Ellipsis:
        return len(value) != len(args) or any(map(illegal, args, value))
    if args and isinstance(value, Collection) and not issubclass(origin, PathLike):
        return any(illegal(args[0], one) for one in value)
    return False


def _no_function(args: tuple[Any, ...], value: Any) -> bool:
    if not callable(value) or inspect.isgeneratorfunction(value) or inspect.isasyncgenfunction(value):
        return True
    if isinstance(value, type) or len(args) != 2:
        return False
    result = args[1]
    waits = inspect.iscoroutinefunction(value)
    if typing.get_origin(result) is Awaitable:
        return not waits
    choices = typing.get_args(result) if typing.get_origin(result) in (typing.Union, types.UnionType) else (result,)
    may_wait = any(one in (Any, object) or typing.get_origin(one) is Awaitable for one in choices)
    return waits and not may_wait and not isinstance(result, typing.TypeVar)


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _breaks(rule: Any, value: Any) -> bool:
    if isinstance(rule, msgspec.Meta):
        if isinstance(value, int | float) and not isinstance(value, bool):
            return (
                (rule.gt is not None and not value > rule.gt)
                or (rule.ge is not None and not value >= rule.ge)
                or (rule.lt is not None and not value < rule.lt)
                or (rule.le is not None and not value <= rule.le)
            )
        return rule.min_length is not None and hasattr(value, "__len__") and len(value) < rule.min_length
    return any(value is VALUES[label] for label in WRONG_BY_RULE.get(getattr(rule, "expects", ""), ()))
