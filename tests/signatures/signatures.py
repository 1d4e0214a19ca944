"""Find every public signature of the package, and what each of its arguments may be, by what is declared alone."""

from __future__ import annotations

import enum
import importlib
import inspect
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import trio

import rcex_ws

__all__ = ["PACKAGES", "Argument", "Signature", "signatures"]

#: What users import from; `rcex_ws.connection` is public as far as the others give its names.
PACKAGES = (
    "rcex_ws",
    "rcex_ws.rest",
    "rcex_ws.wsg",
    "rcex_ws.slack",
    "rcex_ws.slack.store",
    "rcex_ws.slack.web",
    "rcex_ws.callback",
    "rcex_ws.gateway",
    "rcex_ws.testing",
    "rcex_ws.testing.fake_slack",
)


@dataclass(frozen=True)
class Argument:
    """One argument of a signature: how it is passed, and its declared type with all its constraints."""

    name: str
    kind: Any
    hint: Any
    required: bool


@dataclass(frozen=True)
class Signature:
    """One function, constructor or method.

    Attributes:
        name: as in "rcex_ws.rest.client.RingCentral.authorize".
        owner: the class; None for a function.
        attribute: the method's name; "" for the constructor.
        bound: whether it is called on an instance.
        arguments: those that are named, the members of `**options: Unpack[...]` among them.
    """

    name: str
    owner: type | None
    attribute: str
    bound: bool
    function: Callable[..., Any]
    arguments: tuple[Argument, ...]


@cache
def signatures() -> tuple[Signature, ...]:
    """Give them all, each once, wherever it can be imported from."""
    found: dict[str, Signature] = {}
    for package in PACKAGES:
        module = importlib.import_module(package)
        for name in module.__all__:
            for signature in _of(getattr(module, name)):
                found.setdefault(signature.name, signature)
    return tuple(found.values())


def _of(thing: Any) -> Iterator[Signature]:
    if inspect.isfunction(thing):
        yield _signature(None, "", thing, f"{thing.__module__}.{thing.__qualname__}", bound=False)
    elif inspect.isclass(thing) and not typing.is_typeddict(thing) and not issubclass(thing, (enum.Enum, Exception)):
        protocol = getattr(thing, "_is_protocol", False)
        if not protocol and not inspect.isabstract(thing):
            yield _signature(thing, "", thing, f"{thing.__module__}.{thing.__qualname__}", bound=False)
        for name, member in inspect.getmembers_static(thing):
            plain = member.__func__ if isinstance(member, classmethod | staticmethod) else member
            ours = inspect.isfunction(plain) and plain.__module__.startswith(rcex_ws.__name__)
            if ours and (not name.startswith("_") or name == "__call__") and not protocol:
                home = next(one for one in thing.__mro__ if name in vars(one))
                named = f"{home.__module__}.{home.__qualname__}.{name}"  # once, not for all that inherit it
                yield _signature(thing, name, plain, named, bound=not isinstance(member, classmethod | staticmethod))


def _signature(owner: type | None, attribute: str, function: Any, name: str, *, bound: bool) -> Signature:
    called = function if owner is None or attribute else owner
    parameters = list(inspect.signature(called).parameters.values())
    if attribute and parameters and parameters[0].name in ("self", "cls"):
        del parameters[0]
    hints = _hints(owner, attribute, function)
    arguments = []
    for parameter in parameters:
        hint = hints.get(parameter.name, Any)
        if parameter.kind is parameter.VAR_KEYWORD:
            members = typing.get_args(hint)[0] if typing.get_origin(hint) is typing.Unpack else None
            for member, kind in _resolve(members).items() if members is not None else ():
                arguments.append(Argument(member, parameter.KEYWORD_ONLY, kind, required=False))
        else:
            required = parameter.default is parameter.empty and parameter.kind is not parameter.VAR_POSITIONAL
            arguments.append(Argument(parameter.name, parameter.kind, hint, required))
    return Signature(name, owner, attribute, bound, function, tuple(arguments))


def _hints(owner: type | None, attribute: str, function: Any) -> dict[str, Any]:
    if owner is not None and not attribute:
        initialiser = owner.__init__
        fields = not inspect.isfunction(initialiser) or hasattr(owner, "__dataclass_fields__")  # a Struct's, or made
        return _resolve(owner if fields else initialiser)
    return _resolve(function)


def _resolve(thing: Any) -> dict[str, Any]:
    """Resolve annotations, also those of names that are imported for type checkers only."""
    missing: dict[str, Any] = {}
    while True:
        try:
            return typing.get_type_hints(thing, localns=missing or None, include_extras=True)
        except NameError as error:
            missing[error.name] = trio if error.name == "trio" else getattr(rcex_ws, error.name, Any)
