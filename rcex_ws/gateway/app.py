"""One gateway without sockets: the REST application, the WebSocket handler, and the commands that act on WebSockets.

`server.py` runs it on TCP ports; `rcex_ws.testing` runs it on memory streams in virtual time. Everything here runs in
one event loop; the thread-safe interface for users is `server.Gateway`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

from rcex_ws.errors import ConfigurationError
from rcex_ws.gateway.api import control
from rcex_ws.gateway.api.application import build
from rcex_ws.gateway.commands.calls import CallCommands
from rcex_ws.gateway.commands.command import command, commands_of
from rcex_ws.gateway.commands.faults import FaultCommands
from rcex_ws.gateway.commands.messages import MessageCommands
from rcex_ws.gateway.commands.team import TeamCommands
from rcex_ws.gateway.console import routes as console
from rcex_ws.gateway.console.state import state_of
from rcex_ws.gateway.core import GatewayCore
from rcex_ws.gateway.front import Front
from rcex_ws.gateway.nodes import Nodes
from rcex_ws.gateway.options import GatewayOptions
from rcex_ws.gateway.origin import host_name
from rcex_ws.gateway.upgrade import WS_PATH
from rcex_ws.gateway.websocket import GatewayConnection
from rcex_ws.loop import loop_clock
from rcex_ws.options import CloseCode, Count, Status, checked
from rcex_ws.websocket.server_peer import ServerPeer

__all__ = ["GatewayApp"]

_CLOSE_CODES = frozenset({*range(1000, 1004), *range(1007, 1012), *range(3000, 5000)})
"""The codes allowed in a close frame (RFC 6455, section 7.4)."""
_LONGEST_REASON = 123


class GatewayApp(FaultCommands, MessageCommands, TeamCommands, CallCommands):
    """A gateway without sockets; to be created inside the event loop that runs it.

    Args:
        options: the options, all defaults if None.
        nodes: the addresses that its WebSockets come by; None where they come by other ways, as in memory.

    Attributes:
        app: the ASGI application; it raises `ConnectionResetError` to have the connection reset.
        core: the rules and the state.
        ws_uri: the WebSocket address in wstoken answers if there are no nodes.
    """

    @checked
    def __init__(self, options: GatewayOptions | None = None, nodes: Nodes | None = None) -> None:
        self.core = GatewayCore(options or GatewayOptions(), loop_clock())
        self.ws_uri = self.core.options.public_ws_uri or f"ws://gateway.invalid{WS_PATH}"
        self._nodes = nodes or Nodes()
        self._numbers = count(1)
        self._connections: dict[int, GatewayConnection] = {}
        self.core.ws_uri_for = self._ws_uri_for
        self.core.on_login_ended = self._recheck_logins
        commands = [*commands_of(self)]
        commanded = control.routes(self.log, self.near_misses, commands, console.page(commands))
        self.app: Front = Front(build(self.core, *commanded, *console.routes(self.core, self._state)), self.core)

    async def serve(self, peer: ServerPeer, node: int = 1) -> None:
        """Serve one WebSocket from its upgrade request to its end; a handler for `rcex_ws.websocket.listen.serve`."""
        connection = GatewayConnection(next(self._numbers), node, peer, self.core, self.app.answer)
        self._connections[connection.id] = connection
        try:
            await connection.serve()
        finally:
            del self._connections[connection.id]

    async def run(self) -> None:
        """Do what no request waits for, until cancelled: deliver what goes to webhooks."""
        await self.core.webhooks.run()

    # Commands for the WebSockets and the nodes. Wrong arguments raise `ValueError`, even those of a wrong type.

    @command
    def cut(self, code: CloseCode | None = None, reason: str = "") -> int:
        """Cut every WebSocket, by a RST or, with a code, by a close frame; return how many.

        Raises:
            ConfigurationError: the code or the reason does not fit a close frame.
        """
        if code is not None and code not in _CLOSE_CODES:
            raise ConfigurationError(f"code: not allowed in a close frame: {code}")
        if len(reason.encode()) > _LONGEST_REASON:
            raise ConfigurationError(f"reason: a close frame has room for {_LONGEST_REASON} bytes")
        live = self._live()
        for connection in live:
            connection.cut(code, reason)
        return len(live)

    @command
    def error(self, code: str = "WSG-902", message: str = "Idle timeout expired", status: Status = 408) -> int:
        """Send an Error frame to every WebSocket and close it; return how many."""
        live = self._live()
        for connection in live:
            connection.error(code, message, status)
        return len(live)

    @command
    def freeze(self) -> int:
        """Make every open WebSocket half-open: nothing is read or written; new ones work; return how many."""
        live = self._live()
        for connection in live:
            connection.freeze()
        self.core.journal.add("freeze", connections=[connection.id for connection in live])
        return len(live)

    @command
    def thaw(self) -> None:
        """Unfreeze every WebSocket, and write what was held back."""
        for connection in self._connections.values():
            connection.thaw()
        self.core.journal.add("thaw")

    @command
    def lose_node(self, node: Count) -> int:
        """Lose a node: its WebSockets are cut by a RST, connections to it are refused; return how many were cut.

        As if its machine had been killed. Its sessions can be recovered at another node, or when it is restored, and
        wstoken answers name the other nodes only: 503 if there is none. A node that is lost stays so.

        Args:
            node: its number, counted from 1.

        Raises:
            ConfigurationError: there is no such node.
        """
        self._nodes[node].lose()
        dropped = [connection for connection in self._connections.values() if connection.node == node]
        live = [connection.id for connection in dropped if connection.is_live]
        self.core.journal.add("node_lost", node=node, connections=live)
        for connection in dropped:
            connection.drop()
        return len(live)

    @command
    def restore_node(self, node: Count) -> None:
        """Let a lost node listen again, at the same address.

        Args:
            node: its number, counted from 1.

        Raises:
            ConfigurationError: there is no such node, or another program listens on its port meanwhile.
        """
        self._nodes[node].restore()
        self.core.journal.add("node_restored", node=node)

    @command
    def send_raw(self, data: str | bytes | Sequence[str | bytes], *, binary: bool = False) -> int:
        """Send arbitrary messages to every WebSocket, in one write each; return to how many.

        Args:
            data: one message or several; `str` is sent as text, `bytes` as binary.
            binary: send `str` as binary too.

        Raises:
            ValueError: a message is neither text nor bytes.
        """
        frames = [data] if isinstance(data, str | bytes) else data
        if not isinstance(frames, Sequence) or not all(isinstance(frame, str | bytes) for frame in frames):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ValueError("data: one message or several, each of them text or bytes")
        live = self._live()
        for connection in live:
            connection.send_raw(list(frames), binary=binary)
        return len(live)

    def _state(self) -> dict[str, Any]:
        node_of = {connection.id: connection.node for connection in self._connections.values()}
        return state_of(self.core, self._nodes, node_of)

    def _live(self) -> list[GatewayConnection]:
        return [connection for connection in self._connections.values() if connection.is_live]

    def _recheck_logins(self) -> None:
        for connection in self._live():
            connection.recheck_login()

    def _ws_uri_for(self, server: str) -> str:
        """Return the address of the WebSocket for a client that has used this address of the REST API."""
        if not self._nodes:
            return self.ws_uri
        node = self._nodes.take_turn()
        host = self._nodes.host or host_name(server.partition("://")[2])
        return self.core.options.public_ws_uri or node.uri(host)
