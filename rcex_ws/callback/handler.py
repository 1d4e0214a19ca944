"""What a program that answers a WebSocket by callbacks writes: a handler, whose methods give results.

The six callbacks bear the names of Erlang's `websocket_client`, so that code and its stubs move over. Each receives its
arguments with the state last, and gives a result that carries the next state. Pure: who calls them is in callbacks.py.
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Generic, Literal, Protocol, TypeVar, cast

from rcex_ws.options import Wait, check_fields
from rcex_ws.websocket.frames import Frame

__all__ = [
    "KEEPALIVE_TIMEOUT",
    "NORMAL",
    "REMOTE",
    "AnyResult",
    "CallbackClient",
    "Close",
    "ConnectResult",
    "DisconnectResult",
    "InitResult",
    "Ok",
    "Once",
    "Reconnect",
    "Reply",
    "Result",
    "WebSocketHandler",
    "check_result",
    "next_state",
]

NORMAL: Final = "normal"
"""The final reason when `ondisconnect` gave `Ok`, or the client was stopped."""
REMOTE: Final = "remote"
"""The reason after a close frame of the peer, its answer to one of ours included."""
KEEPALIVE_TIMEOUT: Final = "keepalive_timeout"
"""The reason when the peer gave no sign of life."""

S = TypeVar("S")
S_co = TypeVar("S_co", covariant=True)
T = TypeVar("T")


class _Unchanged(Enum):
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Ok(Generic[S_co]):
    """Go on; from `ondisconnect`: end normally. `Ok()`, or the class itself, leaves the state as it is."""

    state: S_co | Literal[_Unchanged.UNCHANGED] = _Unchanged.UNCHANGED


@dataclass(frozen=True, slots=True)
class Reply(Generic[S_co]):
    """Send a frame and go on; without a connection it is dropped with a warning."""

    frame: Frame
    state: S_co


@dataclass(frozen=True, slots=True)
class Close(Generic[S_co]):
    """Close the connection, and have `ondisconnect` called with the reason; from there: end with the reason.

    A reason that is an exception is raised to the owner of the client in the end.
    """

    reason: object
    state: S_co


@dataclass(frozen=True, slots=True)
class Once(Generic[S_co]):
    """Connect once: a `Reconnect` from `ondisconnect` then ends the client, with the reason of the disconnection."""

    state: S_co


@dataclass(frozen=True, slots=True)
class Reconnect(Generic[S_co]):
    """Connect, or connect again.

    Args:
        state: the next state.
        delay: seconds to wait before that; None for what the schedule says. A server's Retry-After is a lower bound.

    Raises:
        ConfigurationError: `delay` is no time.
    """

    state: S_co
    delay: Wait | None = None

    def __post_init__(self) -> None:
        check_fields(self)


InitResult = Ok[S] | Once[S] | Reconnect[S] | type[Ok[Any]]
ConnectResult = Ok[S] | Reply[S] | Close[S] | type[Ok[Any]]
DisconnectResult = Ok[S] | Close[S] | Reconnect[S] | type[Ok[Any]]
Result = Ok[S] | Reply[S] | Close[S] | type[Ok[Any]]

AnyResult = Ok[Any] | Reply[Any] | Close[Any] | Once[Any] | Reconnect[Any]

_ALLOWED: Final[dict[str, tuple[type, ...]]] = {
    "init": (Ok, Once, Reconnect),
    "onconnect": (Ok, Reply, Close),
    "ondisconnect": (Ok, Close, Reconnect),
    "websocket_handle": (Ok, Reply, Close),
    "websocket_info": (Ok, Reply, Close),
}


def check_result(callback: str, result: Any) -> AnyResult:
    """Refuse what a callback may not give; turn a bare `Ok` into one that leaves the state.

    Raises:
        TypeError: names the callback and what it may give.
    """
    allowed = _ALLOWED[callback]
    if result is Ok:
        return Ok()
    if type(result) not in allowed:
        names = [cls.__name__ for cls in allowed]
        raise TypeError(f"{callback} gave {result!r}; it may give {', '.join(names[:-1])} or {names[-1]}")
    frame: object = getattr(result, "frame", None)
    if type(result) is Reply and not isinstance(frame, Frame):
        raise TypeError(f"{callback} gave a Reply whose frame is none: {frame!r}")
    return cast("AnyResult", result)


def next_state(state: S, result: Ok[S] | Reply[S] | Close[S] | Once[S] | Reconnect[S]) -> S:
    """Give the state after a result."""
    return state if result.state is _Unchanged.UNCHANGED else result.state


class WebSocketHandler(Generic[S]):
    """Answer what happens to one client; derive from it. Each method may be sync or async.

    They are called one at a time and in order, by one task. `ref` numbers the connection, counting those of all clients
    of this process. An exception, or a result that a method may not give, ends the client: `websocket_terminate` is
    called, and the error reaches its owner.
    """

    def init(self, state: S) -> InitResult[S] | Awaitable[InitResult[S]]:
        """Begin; called before the first attempt to connect. `Ok` and `Reconnect` connect, `Once` does so once."""
        return Ok(state)

    def onconnect(self, ref: int, state: S) -> ConnectResult[S] | Awaitable[ConnectResult[S]]:
        """Hear that the connection is open; called before the first frame is handled."""
        return Ok(state)

    def ondisconnect(self, reason: object, state: S) -> DisconnectResult[S] | Awaitable[DisconnectResult[S]]:
        """Decide what follows the end of a connection, or an attempt that failed.

        Args:
            reason: `REMOTE` after a close frame, `KEEPALIVE_TIMEOUT`, an exception (`ConnectFailed`, `UpgradeRefused`,
                `TransportError` for an end without a close frame), or what a `Close` of the handler's own said.
            state: the state.
        """
        return Ok(state)

    def websocket_handle(self, frame: Frame, ref: int, state: S) -> Result[S] | Awaitable[Result[S]]:
        """Take a frame: text, binary, pong, or the peer's close frame, after which only the result's state counts."""
        return Ok(state)

    def websocket_info(self, message: object, ref: int | None, state: S) -> Result[S] | Awaitable[Result[S]]:
        """Take what was given to `info`, also while not connected.

        Or a `SlowConsumer` when frames are dropped, or a `ConfigurationError` when `reconnect_delays` gave no wait.
        """
        return Ok(state)

    def websocket_terminate(self, reason: object, ref: None, state: S) -> object:
        """Hear that the client ends, and why; what it gives is ignored. Not called when the task is cancelled."""
        return None


class CallbackClient(Protocol):
    """What a handler can do with the client that runs it."""

    def cast(self, frame: Frame) -> None:
        """Send a frame; drop it with a warning when not connected. Never raises."""
        ...

    def info(self, message: object) -> None:
        """Have `websocket_info` called with any message, in its turn. Never raises."""
        ...

    async def stop(self) -> None:
        """Handle what was put before, close politely, and end; from inside a callback, without waiting for that."""
        ...
