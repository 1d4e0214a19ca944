"""Check arguments, and the fields of option classes, against their declared types. Pure."""

from __future__ import annotations

import inspect
import logging
import math
from collections.abc import Callable, Collection, Mapping
from functools import cache, wraps
from typing import Any, ClassVar, Concatenate, ParamSpec, TypeVar, Unpack, cast, get_args, get_origin, get_type_hints

from rcex_ws.options.constraints import Constraint, constraint_of
from rcex_ws.options.functions import is_function
from rcex_ws.options.names import check_argument
from rcex_ws.options.refusals import refusal
from rcex_ws.secret import hide

__all__ = ["check_fields", "check_handler", "checked", "keywords_only", "options_of", "trimmed"]

logger = logging.getLogger("rcex_ws")

F = TypeVar("F", bound=Callable[..., Any])
P = ParamSpec("P")
Settings = TypeVar("Settings")
Owner = TypeVar("Owner")
Text = TypeVar("Text", bound=str)

_mark: Callable[[Any], Any] | None = getattr(inspect, "markcoroutinefunction", None)  # Python 3.12


class _Parameters:
    """The parameters of a function, with the constraint that each annotation declares."""

    __slots__ = ("admits", "by_name", "keywords", "most", "names", "positional", "secrets", "var_positional")

    def __init__(self, function: Callable[..., Any]) -> None:
        hints = get_type_hints(function, include_extras=True)
        self.by_name: dict[str, Constraint | None] = {}
        self.positional: list[tuple[str, Constraint | None]] = []
        self.var_positional: tuple[str, Constraint] | None = None
        self.keywords: list[str] = []
        self.names: frozenset[str] | None = None  # None if any name is accepted
        any_name, any_number = False, False
        for name, parameter in inspect.signature(function).parameters.items():
            hint = hints.get(name, Any)
            if parameter.kind is parameter.VAR_KEYWORD:
                members = _members(hint)
                any_name = members is None
                self.by_name |= {member: constraint_of(kind) for member, kind in (members or {}).items()}
                self.keywords += members or ()
                continue
            constraint = constraint_of(hint)
            if parameter.kind is parameter.KEYWORD_ONLY:
                self.keywords.append(name)
            if parameter.kind is parameter.VAR_POSITIONAL:
                any_number = True
                self.var_positional = None if constraint is None else (name, constraint)
            elif parameter.kind is not parameter.KEYWORD_ONLY:
                self.positional.append((name, constraint))
            if parameter.kind is not parameter.VAR_POSITIONAL:
                self.by_name[name] = constraint
        self.names = None if any_name else frozenset(self.by_name)
        self.most = math.inf if any_number or not self.keywords else len(self.positional)
        self.secrets = {name for name, one in self.by_name.items() if one is not None and one.secret}
        # A valid call must be cheap: `check` looks up a positional argument by name only to refuse it.
        self.admits = [None if constraint is None else constraint.admits for _, constraint in self.positional]

    def check(self, function: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Raise for the first invalid argument of a call of `function`.

        Raises:
            TypeError: there are too many positional arguments; the message has the keywords.
            ConfigurationError: an argument has an invalid value; the message names it.
            UnknownName: as in `check_names`.
        """
        if len(args) > self.most:
            raise by_keyword(function, self.keywords)
        for admits, value in zip(self.admits, args, strict=False):
            if admits is not None and not admits(value):
                for (name, constraint), given in zip(self.positional, args, strict=False):
                    if constraint is not None and not constraint.admits(given):
                        raise refusal(name, constraint, given)
        if self.var_positional is not None:
            for value in args[len(self.positional) :]:
                if not self.var_positional[1].admits(value):
                    raise refusal(*self.var_positional, value)
        if kwargs:
            self.check_names(kwargs)
            for name, value in kwargs.items():
                constraint = self.by_name.get(name)
                if constraint is not None and not constraint.admits(value):
                    raise refusal(name, constraint, value)

    def check_names(self, names: Collection[str]) -> None:
        """Raise for an argument with its JavaScript name; any other unknown name is left to Python.

        Raises:
            UnknownName: the message has the name that is used here.
        """
        if self.names is None or self.names.issuperset(names):
            return
        for name in names:
            check_argument(name, self.names)

    def hide(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments with secrets wrapped, so that no frame of ours shows one as a local variable."""
        places = [*(name for name, _ in self.positional), *("" for _ in args)]
        positional = tuple(hide(one) if name in self.secrets else one for name, one in zip(places, args, strict=False))
        return positional, {name: hide(one) if name in self.secrets else one for name, one in kwargs.items()}


def checked(function: F) -> F:
    """Check the arguments of each call against their declared types before the function runs; a decorator.

    An async function raises when it is called, not when the coroutine is awaited.

    Raises:
        ConfigurationError: raised by the decorated function for an invalid argument.
    """
    parameters: _Parameters | None = None

    @wraps(function)
    def check_and_call(*args: Any, **kwargs: Any) -> Any:
        nonlocal parameters
        if parameters is None:
            parameters = _Parameters(function)
        if parameters.secrets:
            args, kwargs = parameters.hide(args, kwargs)
        parameters.check(function.__qualname__, args, kwargs)
        return function(*args, **kwargs)

    if _mark is not None and inspect.iscoroutinefunction(function):
        _mark(check_and_call)
    return check_and_call  # type: ignore[return-value]


def options_of(
    settings: Callable[P, Settings],
) -> Callable[[Callable[[Owner, Settings], None]], Callable[Concatenate[Owner, P], None]]:
    """Give a constructor the signature of a dataclass; a decorator.

    Names, types, defaults and checks (see `check_fields`) stand in the dataclass only; the constructor is called with
    an instance of it. Type checkers, `help` and `inspect.signature` show its fields as arguments.

    Args:
        settings: the dataclass.
    """
    make: Any = settings

    @cache  # deferred to the first call: on import some of the types may not be defined yet
    def read() -> tuple[_Parameters, inspect.Signature]:
        return _Parameters(make), inspect.signature(make)

    def decorate(init: Callable[[Owner, Settings], None]) -> Callable[Concatenate[Owner, P], None]:
        @wraps(init)
        def construct(self: Owner, /, *args: Any, **kwargs: Any) -> None:
            parameters, signature = read()
            args, kwargs = parameters.hide(args, kwargs)
            parameters.check_names(kwargs)
            if len(args) > parameters.most:
                raise by_keyword(init.__qualname__, parameters.keywords)
            try:
                signature.bind(*args, **kwargs)
            except TypeError as exc:  # name the class that was called, not the dataclass
                raise TypeError(f"{init.__qualname__}() {exc}") from None
            init(self, make(*args, **kwargs))

        # `inspect.signature` and `get_type_hints` read these.
        construct.__wrapped__, construct.__annotations__ = make.__init__, make.__init__.__annotations__
        return cast("Callable[Concatenate[Owner, P], None]", construct)

    return decorate


def by_keyword(function: str, keywords: Collection[str]) -> TypeError:
    """Return the error for a call with too many positional arguments, such as an object of options in JavaScript."""
    first = ", ".join(f"{name}=" for name in [*keywords][:4])
    more = ", ..." if len(keywords) > 4 else ""
    name = function.removesuffix(".__init__").rpartition(".")[2]
    return TypeError(f"{name}() takes no further positional argument; it has keywords: {first}{more}")


def keywords_only(method: F) -> F:
    """Tell the keywords when a method gets one positional argument too many; a decorator.

    For methods that are called too often for `checked`.
    """
    most = method.__code__.co_argcount

    @wraps(method)
    def call(*args: Any, **options: Any) -> Any:
        if len(args) > most:
            raise by_keyword(method.__qualname__, _Parameters(method).keywords)
        return method(*args, **options)

    if _mark is not None and inspect.iscoroutinefunction(method):
        _mark(call)
    return cast("F", call)


def check_fields(options: object) -> None:
    """Raise for the first invalid field; for the `__post_init__` of a Struct or a dataclass.

    Raises:
        ConfigurationError: a field has an invalid value; the message names it.
    """
    for name, constraint in _fields(type(options)):
        value = hide(getattr(options, name)) if constraint.secret else getattr(options, name)
        if not constraint.admits(value):
            raise refusal(name, constraint, value)


def check_handler(handler: object, argument: str) -> None:
    """Raise unless `handler` can be called as a handler, whatever its arguments.

    Raises:
        ConfigurationError: it is not callable, or is a generator function, whose body would never run.
    """
    if not is_function(handler):
        raise refusal(argument, _HANDLER, handler)


def trimmed(name: str, text: Text | None) -> Text | None:
    """Strip whitespace, left by a file or an environment variable, from a credential; warn if there was any."""
    if text is None or text == text.strip():
        return text
    logger.warning("%s: white space around it was cut", name)
    return type(text)(text.strip())


def _members(hint: Any) -> dict[str, Any] | None:
    """Return the keys and types that `**options: Unpack[...]` declares; None without an `Unpack`."""
    if get_origin(hint) is not Unpack:
        return None
    return get_type_hints(get_args(hint)[0], include_extras=True)


def _fields(kind: type) -> list[tuple[str, Constraint]]:
    known = _known.get(kind)
    if known is None:
        hints = get_type_hints(kind, include_extras=True)
        constraints = ((name, constraint_of(hint)) for name, hint in hints.items() if get_origin(hint) is not ClassVar)
        known = _known[kind] = [(name, one) for name, one in constraints if one is not None]
    return known


_known: dict[type, list[tuple[str, Constraint]]] = {}


_HANDLER = Constraint("a function", is_function)
