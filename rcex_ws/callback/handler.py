"""What an application implements: a handler, whose six callbacks return results.

The callbacks have the names of Erlang's `websocket_client`, so that code and its stubs can be ported. Each gets the
state as its last argument, and returns a result with the next state. Pure: they are called in callbacks.py.
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
"""The final reason when `ondisconnect` returned `Ok`, or the client was stopped."""
REMOTE: Final = "remote"
"""The reason after a close frame from the peer, including its answer to one of ours."""
KEEPALIVE_TIMEOUT: Final = "keepalive_timeout"
"""The reason when the peer gave no sign of life in time."""

S = TypeVar("S")
S_co = TypeVar("S_co", covariant=True)
T = TypeVar("T")


class _Unchanged(Enum):
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Ok(Generic[S_co]):
    """Continue; from `ondisconnect`: end normally. `Ok()`, or the class itself, leaves the state unchanged."""

    state: S_co | Literal[_Unchanged.UNCHANGED] = _Unchanged.UNCHANGED


@dataclass(frozen=True, slots=True)
class Reply(Generic[S_co]):
    """Send a frame and continue; without a connection the frame is dropped with a warning."""

    frame: Frame
    state: S_co


@dataclass(frozen=True, slots=True)
class Close(Generic[S_co]):
    """Close the connection and call `ondisconnect` with the reason; from `ondisconnect`: end with the reason.

    If the client ends with a reason that is an exception, `WebSocketClient.run` raises it.
    """

    reason: object
    state: S_co


@dataclass(frozen=True, slots=True)
class Once(Generic[S_co]):
    """Connect only once: a `Reconnect` from `ondisconnect` then ends the client with the reason passed to it."""

    state: S_co


@dataclass(frozen=True, slots=True)
class Reconnect(Generic[S_co]):
    """Connect, or reconnect.

    Args:
        state: the next state.
        delay: seconds to wait before that, at least those of a server's Retry-After; None to follow the schedule.

    Raises:
        ConfigurationError: `delay` is not a time.
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
    """Return the result of a callback; the class `Ok` as an instance that leaves the state unchanged.

    Raises:
        TypeError: the callback may not return this; the message names it and the types it may return.
    """
    allowed = _ALLOWED[callback]
    if result is Ok:
        return Ok()
    if type(result) not in allowed:
        names = [cls.__name__ for cls in allowed]
        raise TypeError(f"{callback} returned {result!r}; it may return {', '.join(names[:-1])} or {names[-1]}")
    frame: object = getattr(result, "frame", None)
    if type(result) is Reply and not isinstance(frame, Frame):
        raise TypeError(f"{callback} returned a Reply whose frame is not one: {frame!r}")
    return cast("AnyResult", result)


def next_state(state: S, result: Ok[S] | Reply[S] | Close[S] | Once[S] | Reconnect[S]) -> S:
    """Return the state after a result."""
    return state if result.state is _Unchanged.UNCHANGED else result.state


class WebSocketHandler(Generic[S]):
    """The callbacks of one client; derive from it. Each may be sync or async.

    They are called one at a time and in order, by one task. `ref` is the number of the connection, counting those of
    all clients of this process. An exception, or a result of the wrong type, ends the client: `websocket_terminate` is
    called, and `WebSocketClient.run` raises the error.
    """

    def init(self, state: S) -> InitResult[S] | Awaitable[InitResult[S]]:
        """Start; called before the first attempt. `Ok` and `Reconnect` connect, `Once` connects only once."""
        return Ok(state)

    def onconnect(self, ref: int, state: S) -> ConnectResult[S] | Awaitable[ConnectResult[S]]:
        """Handle a new connection; called before its first frame is handled."""
        return Ok(state)

    def ondisconnect(self, reason: object, state: S) -> DisconnectResult[S] | Awaitable[DisconnectResult[S]]:
        """Decide what follows the end of a connection, or a failed attempt.

        Args:
            reason: `REMOTE` after a close frame, `KEEPALIVE_TIMEOUT`, an exception (`ConnectFailed`, `UpgradeRefused`,
                `TransportError` for an end without a close frame), or the reason of the handler's own `Close`.
            state: the current state.
        """
        return Ok(state)

    def websocket_handle(self, frame: Frame, ref: int, state: S) -> Result[S] | Awaitable[Result[S]]:
        """Handle a frame: text, binary, pong, or the peer's close frame, after which only the result's state counts."""
        return Ok(state)

    def websocket_info(self, message: object, ref: int | None, state: S) -> Result[S] | Awaitable[Result[S]]:
        """Handle a message that was passed to `info`, also while not connected.

        The client itself passes a `SlowConsumer` when frames are being dropped, and a `ConfigurationError` when
        `reconnect_delays` fails.
        """
        return Ok(state)

    def websocket_terminate(self, reason: object, ref: None, state: S) -> object:
        """Handle the end of the client; the result is ignored. Not called when the task is cancelled."""
        return None


class CallbackClient(Protocol):
    """The client, as its handler may use it."""

    def cast(self, frame: Frame) -> None:
        """Send a frame; drop it with a warning when not connected. Never raises."""
        ...

    def info(self, message: object) -> None:
        """Queue any message for `websocket_info`. Never raises."""
        ...

    async def stop(self) -> None:
        """Handle what is queued, close with a handshake, and end; a callback that calls this does not wait for that."""
        ...
