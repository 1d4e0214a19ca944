"""The arguments of the faults, checked against the annotations of their methods, for Python and for HTTP alike.

Used by `app.py`. A fault that is ordered with a wrong type would strike later, far from the mistake, and inside of the
gateway.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar, get_type_hints

import msgspec

__all__ = ["checked"]

_P = ParamSpec("_P")
_T = TypeVar("_T")


def checked(method: Callable[_P, _T]) -> Callable[_P, _T]:
    """Check the types of the arguments of a method before it is called.

    Raises:
        ValueError: When called, if one does not fit its annotation; it names the argument, and shows no value.
    """
    signature = inspect.signature(method)
    hints = get_type_hints(method, include_extras=True)

    @wraps(method)
    def check(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        for name, value in signature.bind(*args, **kwargs).arguments.items():
            if name in hints:
                try:
                    msgspec.convert(value, hints[name])
                except msgspec.ValidationError as error:
                    raise ValueError(f"{name}: {error}") from None
        return method(*args, **kwargs)

    return check
