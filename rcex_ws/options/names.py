"""Hints for names of the JavaScript original, such as `installExtension`: the error has the name that is used here."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import TYPE_CHECKING, NoReturn

from rcex_ws.errors import UnknownName

__all__ = ["NamesOfJavaScript", "our_name"]


class NamesOfJavaScript:
    """A base class whose missing attributes raise with a hint; `hasattr` and `getattr` work as usual."""

    __slots__ = ()

    if not TYPE_CHECKING:  # or type checkers would accept any name

        def __getattr__(self, name: str) -> NoReturn:
            # Not `dir`: it looks up further attributes, and some tools override it.
            ours = our_name(name, chain(vars(self), *map(vars, type(self).__mro__)))
            if ours is not None:
                raise UnknownName(f"{name}: {type(self).__name__} has this as {ours}")
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


def our_name(name: str, names: Iterable[str]) -> str | None:
    """Return the one of `names` that a JavaScript name such as `restOverWebSocket` or `CallWait` means, or None."""
    if name == name.lower():
        return None
    spelled = name.lower()
    return next((ours for ours in names if ours.replace("_", "") == spelled and not ours.startswith("_")), None)
