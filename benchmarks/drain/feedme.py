"""A Feedme server of dialect A, as far as it is measured: the handshake, feeds that open, revelations with their hash.

A feed has the document that its name begins with. The action "burst" with a document and a count is answered, then so
many changes of the first feed of this document are revealed, as fast as they are taken; a client that has this feed
open, and no other of this document, finds each of them right.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from typing import Any

import msgspec

from benchmarks.common.feeds import compact, document, revelations
from benchmarks.drain.outlet import Outlet, head

__all__ = ["BURST", "SOCKET", "FeedmeSession"]

SOCKET = "/feedme"
BURST = "burst"


class _Message(msgspec.Struct, rename="pascal", gc=False):
    message_type: str
    callback_id: str = ""
    action_args: dict[str, Any] = {}
    feed_name: str = ""


_read = msgspec.json.Decoder(_Message).decode


class FeedmeSession:
    """Serve one connection.

    Args:
        transport: open.

    Attributes:
        out: what is written.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self.out = _Outlet()
        self.out.connect(transport)

    def disconnected(self) -> None:
        """End."""
        self.out.disconnect()

    def take(self, payload: bytes) -> None:
        """Take one message; the answer is written by `out.flush`."""
        message = _read(payload)
        match message.message_type:
            case "Handshake":
                self.out.send(b'{"MessageType":"HandshakeResponse","Success":true,"Version":"0.1","ClientId":"one"}')
            case "FeedOpen":
                self.out.send(
                    b'{"MessageType":"FeedOpenResponse","Success":true,"FeedName":%b,"FeedArgs":{},"FeedData":%b}'
                    % (compact(message.feed_name), _document(message.feed_name.partition(" ")[0]))
                )
            case "Action":
                self.out.send(
                    b'{"MessageType":"ActionResponse","Success":true,"CallbackId":%b,"ActionData":{}}'
                    % compact(message.callback_id)
                )
                self.out.reveal(message.action_args["document"], message.action_args["count"])
            case other:
                raise ValueError(f"nobody measures a {other}")


class _Outlet(Outlet):
    """Write frames that were made before, round and round."""

    def __init__(self) -> None:
        super().__init__()
        self._documents: dict[bytes, str] = {}
        self._revealed: dict[str, int] = {}

    def reveal(self, name: str, count: int) -> None:
        """Go on changing a document where the last burst ended."""
        first = revelations(name)[0]
        self._documents[first] = name
        self.burst(first, count)

    def filled(self, template: bytes) -> Callable[[int, int], bytes]:
        """Give what takes so many frames out of the circle that begins with this one."""
        name = self._documents[template]
        frames = _frames(name)

        def take(_: int, count: int) -> bytes:
            start = self._revealed.get(name, 0)
            self._revealed[name] = (start + count) % len(frames)
            rounds = (start + count) // len(frames) + 1
            return b"".join((frames * rounds)[start : start + count])

        return take


@functools.cache
def _document(name: str) -> bytes:
    return compact(document(name))


@functools.cache
def _frames(name: str) -> list[bytes]:
    return [head(len(message)) + message for message in revelations(name)]
