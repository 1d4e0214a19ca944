"""Call every public signature with every value that cannot be right, and say what is poor about the answer."""

from __future__ import annotations

import inspect
import re
import warnings
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any, NamedTuple

import anyio

from rcex_ws import RcexError
from tests.signatures.examples import INSTANCES, RIGHT, TAKEN, Made, reason_to_skip
from tests.signatures.legal import VALUES, illegal
from tests.signatures.signatures import Argument, Signature, signatures

__all__ = ["Attempt", "attempt", "attempts", "right_arguments"]

#: Seconds after which a call hangs; nothing is to wait for.
_HANGS = 5.0


class Attempt(NamedTuple):
    """One wrong value for one argument."""

    signature: Signature
    argument: Argument
    label: str

    def __str__(self) -> str:
        return f"{self.signature.name}({self.argument.name}={self.label})"


def attempts() -> Iterator[Attempt]:
    """Give every combination that is to be refused."""
    for signature in signatures():
        if reason_to_skip(signature.name) is None:
            for argument in signature.arguments:
                for label, value in VALUES.items():
                    taken = (signature.name, argument.name, label) in TAKEN
                    if illegal(argument.hint, value) and not taken:
                        yield Attempt(signature, argument, label)


def right_arguments(signature: Signature) -> dict[str, Any]:
    """Give what a call needs, all of it right."""
    return {argument.name: _right(signature, argument) for argument in signature.arguments if argument.required}


async def attempt(one: Attempt) -> str | None:
    """Make the call; tell what is poor about how it is answered, None if nothing is."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with anyio.move_on_after(_HANGS) as scope:
            poor = await _answer(one)
        if scope.cancelled_caught:
            return "it hangs"
    left = [str(warning.message) for warning in caught if "never awaited" in str(warning.message)]
    return poor or (left[0] if left else None)


async def _answer(one: Attempt) -> str | None:
    try:
        result = _call(one)
        if inspect.isawaitable(result):
            await result
        elif isinstance(result, AbstractAsyncContextManager):
            async with result:
                pass
    except RcexError as error:
        if error.retryable:
            return f"{type(error).__name__} says that trying again can help: {error}"
        if not re.search(rf"\b{one.argument.name}\b", str(error)):
            return f"{type(error).__name__} does not name the argument: {error}"
        return None
    except Exception as error:  # noqa: BLE001 - told
        return f"{type(error).__name__} is not of the tree: {error}"
    return "it is accepted"


def _call(one: Attempt) -> Any:
    signature, value = one.signature, VALUES[one.label]
    called: Any = signature.function
    if signature.owner is not None:
        on = INSTANCES[signature.owner]() if signature.bound else signature.owner
        called = getattr(on, signature.attribute) if signature.attribute else signature.owner
    places: list[Any] = []
    names: dict[str, Any] = {}
    for argument in signature.arguments:
        if argument is one.argument:
            given = value
        elif argument.required:
            given = _right(signature, argument)
        else:
            continue
        if argument.kind in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.VAR_POSITIONAL):
            places.append(given)
        else:
            names[argument.name] = given
    return called(*places, **names)


def _right(signature: Signature, argument: Argument) -> Any:
    parts = [*signature.name.split("."), argument.name]
    for length in (3, 2, 1):
        key = ".".join(parts[-length:])
        if key in RIGHT:
            right = RIGHT[key]
            return right.make() if isinstance(right, Made) else right
    raise LookupError(f"the walk needs an example of what is right for {'.'.join(parts)}")
