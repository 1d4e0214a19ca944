"""The nodes of a gateway: WebSocket addresses over one core, each of which can be lost, like a machine that is killed.

Bound by `server.py`; `app.py` names them in turn in wstoken answers, and loses and restores them on command. They know
nothing of sessions, which are in the core and outlive each node.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Annotated, Protocol

import anyio
from anyio.abc import TaskGroup
from msgspec import Meta

from rcex_ws.errors import ConfigurationError
from rcex_ws.gateway.problem import Problem
from rcex_ws.gateway.upgrade import WS_PATH
from rcex_ws.websocket.listen import bind, serve
from rcex_ws.websocket.peer import PeerOptions
from rcex_ws.websocket.server_peer import Handler, ServerPeer

__all__ = ["PEER_OPTIONS", "Node", "NodeCount", "Nodes"]

# A frozen connection buffers all it is sent, so that it looks half-open; RingCentral's own limits are not known.
PEER_OPTIONS = PeerOptions(max_size=2**24, max_buffer=2**26, compress=False)

NodeCount = Annotated[int, Meta(ge=1, le=100, description="a number of nodes, 1 to 100")]


class NodeHandler(Protocol):
    """What serves a WebSocket of a node: `GatewayApp.serve`."""

    async def __call__(self, peer: ServerPeer, node: int) -> None:
        """Serve one WebSocket, from its upgrade request to its end."""
        ...


class Node:
    """One WebSocket address; to be used in the event loop that serves it.

    Args:
        number: identifies it, counted from 1.
        host: the address that it listens on.
        listener: a listening socket.

    Attributes:
        port: its port, the same before a loss, during it and after.
    """

    def __init__(self, number: int, host: str, listener: socket.socket) -> None:
        self.number = number
        self.port: int = listener.getsockname()[1]
        self._host = host
        self._socket = listener
        self._serving: anyio.CancelScope | None = None

    @property
    def is_alive(self) -> bool:
        """Whether it serves WebSockets."""
        return self._serving is not None

    def uri(self, host: str) -> str:
        """Return its WebSocket address for clients that reach it under this host name."""
        return f"ws://{host}:{self.port}{WS_PATH}"

    def start(self, group: TaskGroup, handler: Handler) -> None:
        """Serve WebSockets in a task of this group, until lost."""
        self._group, self._handler = group, handler
        self._serve()

    def lose(self) -> None:
        """Stop listening, and drop what is still being opened; does nothing if it is lost already."""
        if self._serving is None:
            return
        self._serving.cancel()
        self._serving = None
        address = self._socket.getsockname()
        anyio.notify_closing(self._socket)
        self._socket.close()
        self._socket = _held(self._socket.family, address)

    def restore(self) -> None:
        """Listen again; does nothing if it is not lost.

        Raises:
            ConfigurationError: another program listens on its port meanwhile.
        """
        if self._serving is not None:
            return
        self._socket.close()
        try:
            self._socket = bind(self._host, self.port)
        except OSError as exc:
            raise ConfigurationError(f"node: cannot listen on port {self.port} again: {exc.strerror}") from exc
        self._serve()

    def close(self) -> None:
        """Close its socket."""
        self._socket.close()

    def _serve(self) -> None:
        scope = self._serving = anyio.CancelScope()
        listener = self._socket

        async def run() -> None:
            with scope:
                await serve(listener, self._handler, options=PEER_OPTIONS)

        self._group.start_soon(run)


class Nodes:
    """All nodes of one gateway.

    Args:
        nodes: the nodes, numbered from 1.
        host: the host name for clients; None for the one by which each has reached the REST API.
    """

    def __init__(self, nodes: Sequence[Node] = (), host: str | None = None) -> None:
        self.host = host
        self._nodes = nodes
        self._last = 0  # the number of the node whose turn was last

    def __len__(self) -> int:
        return len(self._nodes)

    def __getitem__(self, number: int) -> Node:
        """Return a node by its number.

        Raises:
            ConfigurationError: there is no such node.
        """
        if not 1 <= number <= len(self):
            raise ConfigurationError(
                f"node: expected the number of a node, of which there are {len(self)}, not {number}"
            )
        return self._nodes[number - 1]

    def __iter__(self) -> Iterator[Node]:
        return iter(self._nodes)

    def take_turn(self) -> Node:
        """Return the next node, skipping those that are lost.

        Raises:
            Problem: 503 if all are lost.
        """
        for node in (*self._nodes[self._last :], *self._nodes[: self._last]):
            if node.is_alive:
                self._last = node.number
                return node
        raise Problem(503, "CMN-211", "Service is temporarily unavailable")

    def start(self, group: TaskGroup, handler: NodeHandler) -> None:
        """Serve the WebSockets of all nodes in tasks of this group."""
        for node in self._nodes:
            node.start(group, partial(handler, node=node.number))

    def close(self) -> None:
        """Close all sockets."""
        for node in self._nodes:
            node.close()


def _held(family: int, address: tuple[str, int]) -> socket.socket:
    """Return a socket that occupies a port without listening, so that connections to it are refused.

    A port that is free could become that of another program, or of the very client that connects to it: to itself.
    """
    held = socket.socket(family)
    if sys.platform != "win32":  # there it would mean sharing the port
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    with suppress(OSError):
        held.bind(address)
    return held
