"""Names of a package that are imported when first used, to start quickly and to make dependencies optional.

Called by the `__init__` of `rcex_ws`, `rcex_ws.gateway` and `rcex_ws.testing`; imports nothing of this package.
"""

from collections.abc import Callable, Collection, Mapping
from importlib import import_module
from types import MappingProxyType

__all__ = ["lazy_names"]


def lazy_names(
    package: str,
    homes: Mapping[str, str],
    *,
    elsewhere: Mapping[str, str] = MappingProxyType({}),
    extra: Collection[str] = (),
    advice: str = "",
) -> Callable[[str], object]:
    """Return a `__getattr__` for a package (PEP 562), to be hidden from type checkers behind `TYPE_CHECKING`.

    Args:
        package: the `__name__` of the package.
        homes: the module of each name, relative to the package.
        elsewhere: what has another name here; it raises an `ImportError`, since Python replaces an `AttributeError`.
        extra: the top-level modules that an optional extra installs.
        advice: the text of the `ModuleNotFoundError` when one of them is missing.
    """

    def load(name: str) -> object:
        if name in elsewhere:
            raise ImportError(f"{name}: {package} has this as {elsewhere[name]}")
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        try:
            return getattr(import_module(homes[name], package), name)
        except ModuleNotFoundError as error:
            if str(error.name).partition(".")[0] not in extra:
                raise
            raise ModuleNotFoundError(advice, name=error.name) from error

    return load
