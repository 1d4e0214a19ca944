"""The base of the blocking classes: each object wraps an async one, whose methods run in the loop."""

from __future__ import annotations

from concurrent.futures import Executor
from typing import Any, ClassVar, Generic, TypeVar, cast
from weakref import WeakValueDictionary

from rcex_ws.options import AttributesOfJavaScript

__all__ = ["Facade", "facade_of", "inner_of"]

Inner = TypeVar("Inner")


class Facade(AttributesOfJavaScript, Generic[Inner]):
    """The blocking counterpart of an async object.

    Args:
        inner: the async object.

    Attributes:
        _executor: runs the application's functions; None for threads of the client.
    """

    _executor: Executor | None = None
    _kinds: ClassVar[dict[type, type[Facade[Any]]]] = {}  # by the async class
    _made: ClassVar[WeakValueDictionary[int, Facade[Any]]] = WeakValueDictionary()  # by the id of the async object

    def __init_subclass__(cls, *, of: type | None = None) -> None:
        if of is not None:
            Facade._kinds[of] = cls

    def __init__(self, inner: Inner) -> None:
        self._inner = inner

    def __repr__(self) -> str:
        return repr(self._inner).replace("<", "<blocking ", 1)

    @classmethod
    def _of(cls, value: object) -> Any:
        kind = cls._kinds.get(value.__class__)
        if kind is None:
            return value
        known = cls._made.get(id(value))
        if known is None:
            known = cls._made[id(value)] = kind(value)
        return known


def facade_of(value: object) -> Any:
    """Return the blocking object for an async one; other values as they are.

    Called only in the loop, so that each async object has only one, and `is` compares as it does for the async ones.
    """
    return Facade._of(value)  # pyright: ignore[reportPrivateUsage]


def inner_of(value: Any) -> Any:
    """Return the async object inside a blocking one; other values as they are."""
    return cast("Any", value)._inner if isinstance(value, Facade) else value
