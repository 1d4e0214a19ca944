"""A handler that follows a script, and the owner of its client."""

from __future__ import annotations

from typing import Any

import anyio

from rcex_ws.callback import Ok, WebSocketHandler

CALLBACKS = ("init", "onconnect", "ondisconnect", "websocket_handle", "websocket_info", "websocket_terminate")


class Scripted(WebSocketHandler[Any]):
    """Note every call; a script says what each callback gives: a result, an exception to raise, a function, or a list
    of these, of which the last one stays.
    """

    def __init__(self, **script: Any) -> None:
        assert set(script) <= set(CALLBACKS)
        self.script = script
        self.calls: list[tuple[Any, ...]] = []

    def _play(self, callback: str, *args: Any) -> Any:
        self.calls.append((callback, *args))
        step = self.script.get(callback, Ok)
        if isinstance(step, list):
            step = step.pop(0) if len(step) > 1 else step[0]
        if callable(step) and step is not Ok:
            step = step(*args)
        if isinstance(step, Exception):
            raise step
        return step

    def init(self, *args: Any) -> Any:
        return self._play("init", *args)

    async def onconnect(self, *args: Any) -> Any:
        return self._play("onconnect", *args)

    def ondisconnect(self, *args: Any) -> Any:
        return self._play("ondisconnect", *args)

    async def websocket_handle(self, *args: Any) -> Any:
        await anyio.lowlevel.checkpoint()
        return self._play("websocket_handle", *args)

    def websocket_info(self, *args: Any) -> Any:
        return self._play("websocket_info", *args)

    async def websocket_terminate(self, *args: Any) -> Any:
        return self._play("websocket_terminate", *args)

    def of(self, callback: str) -> list[Any]:
        """Give the first argument of each call of a callback."""
        return [call[1] for call in self.calls if call[0] == callback]

    @property
    def names(self) -> list[str]:
        return [call[0] for call in self.calls]

    async def saw(self, callback: str, times: int = 1) -> None:
        """Wait until a callback was called so often."""
        with anyio.fail_after(10):
            while self.names.count(callback) < times:
                await anyio.sleep(0.002)


class Owner:
    """Own one run of a client."""

    client: Any

    def __init__(self) -> None:
        self.reason: object = "not ended"
        self.error: Exception | None = None
        self.over = anyio.Event()

    async def ended(self) -> object:
        """Wait for the end; give the reason or raise the error."""
        with anyio.fail_after(10):
            await self.over.wait()
        if self.error is not None:
            raise self.error
        return self.reason
