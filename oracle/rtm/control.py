"""How the soak speaks to the processes that it has started: lines of JSON over a socket in the file system."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import msgspec
from anyio.abc import ByteStream
from anyio.streams.buffered import BufferedByteReceiveStream

__all__ = ["Desk", "answer_orders"]

Message = dict[str, Any]
_MOST = 2**20


async def answer_orders(path: Path, hello: Message, carry_out: Callable[[Message], Awaitable[Message]]) -> None:
    """Connect to the soak, say hello, and carry out one order after the other, until one of them is "stop".

    Args:
        path: where the soak listens.
        hello: the first message.
        carry_out: gets each order, and returns what to answer.
    """
    async with await anyio.connect_unix(path) as stream:
        await stream.send(_encode(hello))
        async for order in _Messages(stream):
            await stream.send(_encode(await carry_out(order)))
            if order["do"] == "stop":
                return


class Desk:
    """The soak's side.

    Args:
        path: where to listen.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines: dict[str, _Line] = {}
        self._came = anyio.Event()

    async def serve(self, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        """Listen until cancelled."""
        listener = await anyio.create_unix_listener(self.path)
        task_status.started()
        await listener.serve(self._serve_one)

    async def greeted(self, who: str, within: float = 20.0) -> Message:
        """Wait for a process to say hello.

        Raises:
            TimeoutError: it did not in time.
        """
        with anyio.fail_after(within):
            while who not in self._lines:
                await self._came.wait()
        return self._lines[who].hello

    async def order(self, who: str, do: str, within: float = 20.0, **details: Any) -> Message | None:
        """Have a process do something; return its answer, None if it is gone or too slow."""
        line = self._lines.get(who)
        if line is None:
            return None
        with anyio.move_on_after(within):
            async with line.lock:
                try:
                    await line.stream.send(_encode({"do": do, **details}))
                    return await anext(line.messages)
                except (anyio.BrokenResourceError, anyio.ClosedResourceError, StopAsyncIteration):
                    pass
        self._lines.pop(who, None)  # an answer that comes too late would be taken for that to the next order
        line.done.set()
        return None

    async def _serve_one(self, stream: ByteStream) -> None:
        async with stream:
            messages = _Messages(stream)
            hello = await anext(messages)
            line = self._lines[hello["who"]] = _Line(stream, messages, hello)
            self._came.set()
            self._came = anyio.Event()
            await line.done.wait()


class _Line:
    def __init__(self, stream: ByteStream, messages: _Messages, hello: Message) -> None:
        self.stream = stream
        self.messages = messages
        self.hello = hello
        self.lock = anyio.Lock()
        self.done = anyio.Event()


class _Messages:
    """The messages that come over a stream."""

    def __init__(self, stream: ByteStream) -> None:
        self._received = BufferedByteReceiveStream(stream)

    def __aiter__(self) -> _Messages:
        return self

    async def __anext__(self) -> Message:
        try:
            message: Message = msgspec.json.decode(await self._received.receive_until(b"\n", _MOST))
        except (anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError, anyio.ClosedResourceError):
            raise StopAsyncIteration from None
        return message


def _encode(message: Message) -> bytes:
    return msgspec.json.encode(message) + b"\n"
