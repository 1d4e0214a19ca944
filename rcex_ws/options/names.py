"""The names of the JavaScript original: who writes `installExtension` is told what it is called here."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import TYPE_CHECKING, NoReturn

from rcex_ws.errors import UnknownName

__all__ = ["NamesOfJavaScript", "our_name"]


class NamesOfJavaScript:
    """Let an attribute that is missing say what it is called here; `hasattr` and `getattr` work as everywhere."""

    __slots__ = ()

    if not TYPE_CHECKING:  # else a type checker would take any name for good

        def __getattr__(self, name: str) -> NoReturn:
            # Not `dir`: that asks for more names, and some tools replace it.
            ours = our_name(name, chain(vars(self), *map(vars, type(self).__mro__)))
            if ours is not None:
                raise UnknownName(f"{name}: {type(self).__name__} has this as {ours}")
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


def our_name(name: str, names: Iterable[str]) -> str | None:
    """Give what a name of the JavaScript original is called here, as in `restOverWebSocket`; None if it is none."""
    if name[:1].isupper() or name == name.lower():
        return None
    spelled = name.lower()
    return next((ours for ours in names if ours.replace("_", "") == spelled and not ours.startswith("_")), None)
