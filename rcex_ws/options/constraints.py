"""Compile a declared type into a check of a value. Pure.

In an `Annotated`, a `msgspec.Meta` declares bounds or a length, and a `Rule` anything else. NaN and the infinities are
not accepted as numbers: comparing them with bounds means nothing.
"""

from __future__ import annotations

import inspect
import math
import types
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from functools import lru_cache, partial
from typing import Annotated, Any, Literal, TypeVar, Union, cast, get_args, get_origin

from msgspec import Meta, Struct

from rcex_ws.options.functions import (
    accepts,
    has_method,
    is_async_function,
    is_function,
    is_sync_function,
    returns_async_context,
    returns_awaitable,
)

__all__ = ["Constraint", "Rule", "constraint_of", "required_constraint"]

_TEXTS: tuple[type, ...] = (str, bytes, bytearray, memoryview)
_WORDS: dict[type, str] = {
    str: "a text",
    bytes: "bytes",
    bool: "True or False",
    int: "a whole number",
    float: "a number",
}


def _no_fault(_: object) -> None:
    """Report no fault."""


class Rule(Struct, frozen=True):
    """A constraint in an `Annotated` that `msgspec.Meta` cannot express.

    Attributes:
        expects: description of a valid value, for error messages.
        fault: returns what is wrong with a value of the type, or None.
        secret: whether the value must not be shown.
    """

    expects: str
    fault: Callable[[Any], str | None] = _no_fault
    secret: bool = False


class Constraint(Struct, frozen=True):
    """A declared type, compiled.

    Attributes:
        expects: description of a valid value, for error messages.
        admits: returns whether a value is valid.
        secret: whether the value must not be shown.
        fault: returns what is wrong with an invalid value, or None if `expects` says it all.
    """

    expects: str
    admits: Callable[[Any], bool]
    secret: bool = False
    fault: Callable[[Any], str | None] = _no_fault


def required_constraint(hint: Any) -> Constraint:
    """Return the constraint of a type that has one; compile it once, for a check that runs often."""
    constraint = constraint_of(hint)
    if constraint is None:
        raise AssertionError(f"{hint} admits everything")
    return constraint


def constraint_of(hint: Any) -> Constraint | None:
    """Return the constraint of a type; None if it admits everything."""
    try:
        return _constraint(hint)
    except TypeError:  # not hashable, for example a Literal of a list
        return _compile(hint)


def _compile(hint: Any) -> Constraint | None:
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _annotated(constraint_of(args[0]), args[1:])
    if origin in (Union, types.UnionType):
        return _union([constraint_of(one) for one in args])
    if hint is None or hint is type(None):
        return Constraint("None", _is_none)
    if origin is Literal:
        return Constraint(" or ".join(map(repr, args)), partial(_is_choice, args))
    if origin is type:
        return Constraint("a class", _is_class)
    if origin is Callable:
        return _function(args)
    if isinstance(origin, type):
        return _generic(origin, args)
    return _class(hint) if isinstance(hint, type) and hint not in (Any, object) else None


_constraint = lru_cache(maxsize=512)(_compile)


def _class(kind: type) -> Constraint:
    if kind is float:
        return Constraint(_WORDS[float], _is_number)
    if kind is int:
        return Constraint(_WORDS[int], _is_whole)
    if getattr(kind, "_is_protocol", False):
        return _protocol(kind)
    return Constraint(_WORDS.get(kind) or _object_of(kind), kind.__instancecheck__)


def _annotated(base: Constraint | None, rules: Sequence[Any]) -> Constraint | None:
    for rule in rules:
        if isinstance(rule, Meta):
            base = _bounded(base, rule)
        elif isinstance(rule, Rule):
            base = _ruled(base, rule)
    return base


def _bounded(base: Constraint | None, meta: Meta) -> Constraint:
    def admits(value: Any) -> bool:
        if base is not None and not base.admits(value):
            return False
        return (
            (meta.gt is None or value > meta.gt)
            and (meta.ge is None or value >= meta.ge)
            and (meta.lt is None or value < meta.lt)
            and (meta.le is None or value <= meta.le)
            and (meta.min_length is None or len(value) >= meta.min_length)
            and (meta.max_length is None or len(value) <= meta.max_length)
        )

    expects = meta.description or ("a value" if base is None else base.expects)
    secret = (meta.extra or {}).get("secret") is True  # see rcex_ws.secret
    return Constraint(
        expects, admits, secret or (base is not None and base.secret), _no_fault if base is None else base.fault
    )


def _ruled(base: Constraint | None, rule: Rule) -> Constraint:
    def fault(value: Any) -> str | None:
        return rule.fault(value) if base is None or base.admits(value) else None

    def admits(value: Any) -> bool:
        return (base is None or base.admits(value)) and rule.fault(value) is None

    return Constraint(rule.expects, admits, rule.secret, fault)


def _union(members: Sequence[Constraint | None]) -> Constraint | None:
    choices = [one for one in members if one is not None]
    if len(choices) < len(members):
        return None
    choices.sort(key=lambda one: one.expects != "None")

    def admits(value: Any) -> bool:
        return any(one.admits(value) for one in choices)

    def fault(value: Any) -> str | None:
        return next((why for one in choices if (why := one.fault(value)) is not None), None)

    expects = " or ".join(dict.fromkeys(one.expects for one in choices))
    return Constraint(expects, admits, any(one.secret for one in choices), fault)


def _generic(origin: type[Any], args: tuple[Any, ...]) -> Constraint:
    if issubclass(origin, Mapping):
        return _mapping(origin, args)  # pyright: ignore[reportUnknownArgumentType]
    if origin is tuple and args and args[-1] is not Ellipsis:
        return _tuple(args)
    if not issubclass(origin, Collection):
        return _class(origin)
    element = constraint_of(args[0]) if args else None

    def admits(value: Any) -> bool:
        if not isinstance(value, origin) or isinstance(value, _TEXTS):
            return False
        return element is None or all(map(element.admits, value))  # pyright: ignore[reportUnknownArgumentType]

    whole = "a list" if element is None else f"a list, each {element.expects}"
    return Constraint(whole, admits, element is not None and element.secret)


def _tuple(args: tuple[Any, ...]) -> Constraint:
    members = [constraint_of(one) for one in args]

    def admits(value: Any) -> bool:
        if not isinstance(value, tuple) or len(value) != len(members):  # pyright: ignore[reportUnknownArgumentType]
            return False
        pairs = zip(members, value, strict=True)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
        return all(one is None or one.admits(member) for one, member in pairs)  # pyright: ignore[reportUnknownVariableType]

    return Constraint(f"a tuple of {len(args)}", admits)


def _mapping(origin: type, args: tuple[Any, ...]) -> Constraint:
    key, element = (constraint_of(args[0]), constraint_of(args[1])) if len(args) == 2 else (None, None)

    def admits(value: Any) -> bool:
        if not isinstance(value, origin):
            return False
        items = cast("Mapping[Any, Any]", value).items()
        return all((not key or key.admits(name)) and (not element or element.admits(one)) for name, one in items)

    values = "" if element is None else f", each value {element.expects}"
    return Constraint(f"a dict with texts as keys{values}", admits)


def _function(args: tuple[Any, ...]) -> Constraint:
    """Return the constraint for a `Callable`; its return type decides whether sync or async functions are valid."""
    takes, result = args if len(args) == 2 else (..., Any)
    results = get_args(result) if get_origin(result) in (Union, types.UnionType) else (result,)
    if get_origin(result) in (Awaitable, Coroutine):
        expects, is_one = "an async function", is_async_function
    elif any(one in (Any, object) or isinstance(one, TypeVar) or get_origin(one) is Awaitable for one in results):
        expects, is_one = "a function", is_function
    else:
        expects, is_one = "a function that is not async", is_sync_function
    if not isinstance(takes, list):
        return Constraint(expects, is_one)
    count = len(takes)  # pyright: ignore[reportUnknownArgumentType]

    def admits(value: Any) -> bool:
        return is_one(value) and accepts(value, count)

    arguments = "no argument" if count == 0 else "one argument" if count == 1 else f"{count} arguments"
    return Constraint(f"{expects} of {arguments}", admits)


def _protocol(kind: type) -> Constraint:
    if vars(kind).get("__call__") is not None:
        return Constraint("a function", is_function)
    methods = {
        name: member
        for base in kind.__mro__
        if getattr(base, "_is_protocol", False)
        for name, member in vars(base).items()
        if inspect.isfunction(member) and not name.startswith("_")
    }
    awaitable = frozenset(name for name, member in methods.items() if returns_awaitable(member))
    contexts = frozenset(name for name, member in methods.items() if returns_async_context(member))

    def admits(value: Any) -> bool:
        return all(
            has_method(value, name, awaitable=name in awaitable, async_context=name in contexts) for name in methods
        )

    named = ", ".join(f"async {name}" if name in awaitable | contexts else name for name in methods)
    return Constraint(f"an object with the methods of {kind.__name__} ({named})", admits)


def _is_none(value: object) -> bool:
    return value is None


def _is_class(value: object) -> bool:
    return isinstance(value, type)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _is_choice(choices: tuple[Any, ...], value: object) -> bool:
    return any(value == one and isinstance(value, type(one)) for one in choices)


def _object_of(kind: type) -> str:
    module = kind.__module__.partition(".")[0]
    name = kind.__name__ if module in ("rcex_ws", "builtins") else f"{module}.{kind.__name__}"
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"
