"""What the errors of coredis mean, and what can be done about them; none shows a password."""

from __future__ import annotations

import ssl
from typing import cast

import anyio
from coredis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    NoScriptError,
    ProtocolError,
    ReadOnlyError,
    ResponseError,
    UnknownCommandError,
)

from rcex_ws.broker.interface import BrokerRefused, BrokerUnavailable
from rcex_ws.readers import printable

__all__ = ["CommandRefused", "ScriptForgotten", "explain"]


class CommandRefused(BrokerUnavailable):
    """Redis answered with an error; the connection is of use still."""


class ScriptForgotten(BrokerUnavailable):
    """Redis does not have a script any more: after SCRIPT FLUSH."""


def explain(error: Exception, place: str) -> BrokerUnavailable:
    """Return what an error means.

    Args:
        error: of coredis, or a time-out.
        place: host and port of the server.
    """
    where = f"Redis at {place}"
    root = _root(error)
    said = printable(str(root))
    kind, text = BrokerUnavailable, f"{where} cannot be reached: {said or type(root).__name__}"
    if isinstance(root, anyio.EndOfStream | anyio.BrokenResourceError | anyio.ClosedResourceError):
        text = f"{where} cannot be reached: the connection was lost"
    elif isinstance(root, TimeoutError):
        text = f"{where} did not answer in time"
    elif isinstance(root, ssl.SSLError):
        text = f"{where} cannot be reached: TLS failed, check the certificate and ssl_context ({said})"
    elif isinstance(root, AuthenticationError):
        kind, text = BrokerRefused, f"{where} refused the login: check user name and password of the URL ({said})"
    elif isinstance(root, AuthorizationError):
        kind, why = BrokerRefused, "it needs all commands, and the keys and channels of the prefix"
        text = f"{where} allows this user too little: {why} ({said})"
    elif isinstance(root, ReadOnlyError):
        text = f"{where} is a read-only replica: the URL has to name the primary"
    elif isinstance(root, BusyLoadingError):
        text = f"{where} is still loading its data"
    elif isinstance(root, UnknownCommandError | ProtocolError):
        kind, text = BrokerRefused, f"{where} lacks a command: it has to be Redis 6.2 or newer, or its equal ({said})"
    elif isinstance(root, NoScriptError):
        kind, text = ScriptForgotten, f"{where} has forgotten a script"
    elif isinstance(root, ResponseError):
        kind, text = CommandRefused, f"{where} refused a command: {said}"
    return kind(text)


def _root(error: BaseException) -> BaseException:
    """Return what an error was caused by, as far as that says more: coredis wraps what opening a connection raises."""
    while True:
        if isinstance(error, BaseExceptionGroup):
            error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
        elif error.__cause__ is not None and (type(error).__module__.startswith("coredis") or _is_plain(error)):
            error = error.__cause__
        else:
            return error


def _is_plain(error: BaseException) -> bool:
    """Return whether an error only says that the attempts to connect failed, as anyio's does for several addresses."""
    return type(error) is OSError and error.errno is None
