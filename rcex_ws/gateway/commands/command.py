"""The decorator and the base class of commands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from rcex_ws.errors import ConfigurationError
from rcex_ws.gateway.account.people import ExtensionRecord
from rcex_ws.gateway.core import GatewayCore
from rcex_ws.options import checked

__all__ = ["CommandSet", "command", "commands_of"]

_P = ParamSpec("_P")
_T = TypeVar("_T")
_MARK = "is_gateway_command"
_MOST_NAMED = 20


def command(method: Callable[_P, _T]) -> Callable[_P, _T]:
    """Make a method a command: offered over HTTP, its arguments checked by their types (`ConfigurationError`)."""
    guarded = checked(method)

    @wraps(method)
    def offered(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            return guarded(*args, **kwargs)
        finally:
            commands = args[0]
            if isinstance(commands, CommandSet):
                commands.core.changed()

    setattr(offered, _MARK, True)
    return offered


class CommandSet:
    """Base class of sets of commands.

    Attributes:
        core: the rules and the state, set by `GatewayApp`.
    """

    core: GatewayCore

    def _extension_named(self, argument: str, text: str | None, otherwise: int = 1) -> ExtensionRecord:
        """Return an extension that an order names.

        Args:
            argument: the argument's name, for the refusal.
            text: its number or id; None if the order names none.
            otherwise: which one is meant then, counted from 1.

        Raises:
            ConfigurationError: there is no such extension.
        """
        all_of_them = self.core.people.extensions
        if text is None and otherwise <= len(all_of_them):
            return all_of_them[otherwise - 1]
        found = None if text is None else self.core.people.by_id(text)
        if found is None:
            wanted = "second extension" if text is None else f"extension {text[:100]!r}"
            known = ", ".join(one.number for one in all_of_them[:_MOST_NAMED])
            raise ConfigurationError(f"{argument}: there is no {wanted}; there are {known}")
        return found


def commands_of(offers: CommandSet) -> Iterator[Callable[..., Any]]:
    """Yield the commands of an object, base classes last, each in the order in which it is written."""
    seen: set[str] = set()
    for cls in type(offers).__mro__:
        for name, method in vars(cls).items():
            if getattr(method, _MARK, False) and name not in seen:
                seen.add(name)
                yield getattr(offers, name)
