"""A handler that gives whatever it may give, at random, and writes down each call and each result."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import anyio

from oracle.callback.records import Called, Gave, Sending, Stopping
from oracle.lines import Pen
from rcex_ws.callback import (
    Binary,
    Close,
    CloseFrame,
    Frame,
    Ok,
    Once,
    Ping,
    Pong,
    Reconnect,
    Reply,
    Text,
    WebSocketClient,
    WebSocketHandler,
)


class Boom(Exception):
    """What the handler raises on purpose."""


class Reason(Exception):
    """What it ends with on purpose."""


@dataclass
class Temper:
    """How likely the handler does what ends a connection or a life.

    Attributes:
        close: `Close` from a callback that handles something.
        close_offline: whether also while it is not connected.
        end: `Ok` or `Close` from `ondisconnect`.
        fail: raising, or giving what may not be given.
        stop: stopping the client from inside.
        once: `Once` from `init`.
    """

    close: float = 0.0
    close_offline: bool = False
    end: float = 0.0
    fail: float = 0.0
    stop: float = 0.0
    once: bool = False


class RandomHandler(WebSocketHandler[int]):
    """Count the calls in the state.

    Args:
        life: its number.
        pen: writes the journal.
        rng: decides.
        temper: how wild it is.
        slow: seconds that a call may take at most.

    Attributes:
        number: of the last message that was given away, over `Reply` or else.
        connected: whether `onconnect` was called and `ondisconnect` not.
        echoed: set when an echo came.
    """

    def __init__(self, life: int, pen: Pen, rng: random.Random, temper: Temper, slow: float) -> None:
        self.life = life
        self.number = 0
        self.connected = False
        self.echoed = anyio.Event()
        self._pen = pen
        self._rng = rng
        self._temper = temper
        self._slow = slow

    def key(self, how: str) -> str:
        """Give the text of the next message, and write down that it is given away now."""
        self.number += 1
        key = f"K{self.life}-{self.number}"
        self._pen.put(Sending(life=self.life, key=key, how=how))
        return key

    # The six callbacks.

    def init(self, state: int) -> Any:
        """Begin."""
        results = [lambda: Ok(state + 1), lambda: Reconnect(state + 1)]
        return self._answer("init", state, None, "", [lambda: Once(state + 1)] if self._temper.once else results)

    def onconnect(self, ref: int, state: int) -> Any:
        """Hear that it is open."""
        self.connected = True
        return self._answer("onconnect", state, ref, "", self._any(state))

    def ondisconnect(self, reason: object, state: int) -> Any:
        """Go on, or end."""
        self.connected = False
        rng = self._rng
        results: list[Callable[[], Any]] = [
            lambda: Reconnect(state + 1),
            lambda: Reconnect(state + 1, delay=rng.choice([0, 0.05, 0.3])),
        ]
        if rng.random() < self._temper.end:
            results = [
                lambda: Ok(state + 1),
                Ok,
                lambda: Close("enough", state + 1),
                lambda: Close(Reason("enough"), state + 1),
                lambda: Close(reason, state + 1),
            ]
        return self._answer("ondisconnect", state, None, describe(reason), results)

    def websocket_handle(self, frame: Frame, ref: int, state: int) -> Any:
        """Take a frame."""
        what = describe(frame)
        if what.startswith("text echo"):
            self.echoed.set()
        return self._answer("websocket_handle", state, ref, what, self._any(state))

    def websocket_info(self, message: object, ref: int | None, state: int) -> Any:
        """Take a message of the program's own."""
        return self._answer("websocket_info", state, ref, describe(message), self._any(state))

    def websocket_terminate(self, reason: object, ref: None, state: int) -> Any:
        """Hear that it ends."""
        return self._answer("websocket_terminate", state, ref, describe(reason), [lambda: None])

    # What they give.

    def _any(self, state: int) -> list[Callable[[], Any]]:
        if self._rng.random() < self._temper.close and (self.connected or self._temper.close_offline):
            return [lambda: Close("over", state + 1), lambda: Close(Reason("over"), state + 1)]
        make = Text if self._rng.random() < 0.5 else lambda text: Binary(text.encode())
        calm: list[Callable[[], Any]] = [lambda: Ok(state + 1), Ok, lambda: Ok]
        return [*calm, lambda: Reply(make(self.key("reply")), state + 1)]

    def _answer(self, name: str, state: int, ref: int | None, what: str, results: list[Callable[[], Any]]) -> Any:
        self._pen.put(Called(life=self.life, name=name, state=state, ref=ref, what=what))
        if self._rng.random() < self._temper.stop and name not in {"init", "websocket_terminate"}:
            self._pen.put(Stopping(life=self.life, how="inside"))
            return self._stop_and_give(name, state, results)
        if self._rng.random() < 0.5:
            return self._give_later(name, state, results)
        return self._give(name, state, results)

    async def _stop_and_give(self, name: str, state: int, results: list[Callable[[], Any]]) -> Any:
        await WebSocketClient.current().stop()
        return self._give(name, state, results)

    def _give_later(self, name: str, state: int, results: list[Callable[[], Any]]) -> Awaitable[Any]:
        async def give() -> Any:
            await anyio.sleep(self._rng.choice([0, 0, self._slow]))
            return self._give(name, state, results)

        return give()

    def _give(self, name: str, state: int, results: list[Callable[[], Any]]) -> Any:
        """Choose, write down, and return, with nothing between."""
        if self._rng.random() < self._temper.fail and name != "websocket_terminate":
            if self._rng.random() < 0.5:
                self._pen.put(Gave(life=self.life, name=name, result="raise", state=state))
                raise Boom(name)
            self._pen.put(Gave(life=self.life, name=name, result="wrong", state=state))
            return Reconnect(state) if name not in {"init", "ondisconnect"} else Reply(Text("wrong"), state)
        result = self._rng.choice(results)()
        kind = "Ok" if result is None or result is Ok else type(result).__name__
        line = Gave(life=self.life, name=name, result=kind, state=state)
        if isinstance(getattr(result, "state", None), int):
            line.state = result.state
        if isinstance(result, Close):
            line.what = describe(result.reason)
        elif isinstance(result, Reconnect):
            line.delay = result.delay
        self._pen.put(line)
        return result


def describe(one: object) -> str:
    """Put a frame, a message or a reason into words."""
    if isinstance(one, CloseFrame):
        return f"close {one.code} {one.reason}"
    if isinstance(one, Text):
        return f"text {one.data}"
    if isinstance(one, Binary | Ping | Pong):
        return f"{type(one).__name__.lower()} {one.data.decode()}"
    return f"{type(one).__name__}: {one}" if isinstance(one, BaseException) else str(one)
