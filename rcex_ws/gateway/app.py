"""One gateway without sockets: the REST application, the WebSocket handler, and the faults that act immediately.

`server.py` runs it on TCP ports; `rcex_ws.testing` runs it on memory streams in virtual time. Everything here runs in
one event loop; the thread-safe interface for users is `server.Gateway`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from typing import Any, Literal

from rcex_ws.errors import ConfigurationError
from rcex_ws.gateway import api, api_control, api_messages, api_oauth, api_people, api_subscription
from rcex_ws.gateway.core import GatewayCore
from rcex_ws.gateway.faults import AnswerFault, RecoveryFault, RefusalFault
from rcex_ws.gateway.front import Front
from rcex_ws.gateway.nodes import Nodes
from rcex_ws.gateway.options import GatewayOptions
from rcex_ws.gateway.origin import host_name
from rcex_ws.gateway.upgrade import WS_PATH
from rcex_ws.gateway.websocket import GatewayConnection
from rcex_ws.loop import loop_clock
from rcex_ws.options import CloseCode, Count, EventFilter, Status, Wait, checked
from rcex_ws.websocket.server_peer import ServerPeer

__all__ = ["GatewayApp"]

_CLOSE_CODES = frozenset({*range(1000, 1004), *range(1007, 1012), *range(3000, 5000)})
"""The codes allowed in a close frame (RFC 6455, section 7.4)."""
_LONGEST_REASON = 123


class GatewayApp:
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
        routes = [
            *api_oauth.routes(self.core, self._ws_uri_for, self._recheck_logins),
            *api_subscription.routes(self.core),
            *api_people.routes(self.core),
            *api_messages.routes(self.core),
            *api_control.routes(self.log, self._controls()),
        ]
        self.app = Front(api.build(routes), self.core)

    async def serve(self, peer: ServerPeer, node: int = 1) -> None:
        """Serve one WebSocket from its upgrade request to its end; a handler for `rcex_ws.websocket.listen.serve`."""
        connection = GatewayConnection(next(self._numbers), node, peer, self.core, self.app.answer)
        self._connections[connection.id] = connection
        try:
            await connection.serve()
        finally:
            del self._connections[connection.id]

    # Faults. The names are those of `Gateway` and of `POST /_gateway/<name>`. Wrong arguments raise `ValueError`, even
    # those of a wrong type.

    @checked
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

    @checked
    def error(self, code: str = "WSG-902", message: str = "Idle timeout expired", status: Status = 408) -> int:
        """Send an Error frame to every WebSocket and close it; return how many."""
        live = self._live()
        for connection in live:
            connection.error(code, message, status)
        return len(live)

    def freeze(self) -> int:
        """Make every open WebSocket half-open: nothing is read or written; new ones work; return how many."""
        live = self._live()
        for connection in live:
            connection.freeze()
        self.core.journal.add("freeze", connections=[connection.id for connection in live])
        return len(live)

    def thaw(self) -> None:
        """Unfreeze every WebSocket, and write what was held back."""
        for connection in self._connections.values():
            connection.thaw()
        self.core.journal.add("thaw")

    @checked
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

    @checked
    def restore_node(self, node: Count) -> None:
        """Let a lost node listen again, at the same address.

        Args:
            node: its number, counted from 1.

        Raises:
            ConfigurationError: there is no such node, or another program listens on its port meanwhile.
        """
        self._nodes[node].restore()
        self.core.journal.add("node_restored", node=node)

    @checked
    def refuse(
        self,
        where: str,
        status: Status | Literal["hang", "rst"] = 503,
        *,
        retry_after: Wait | None = None,
        times: Count | None = 1,
        error_code: str | None = None,
        message: str | None = None,
    ) -> None:
        """Refuse the next requests of one kind.

        Args:
            where: "upgrade", "details" (101, but no ConnectionDetails), "wstoken", "token", "subscription", or any
                "METHOD /path", with `*` for any text.
            status: the HTTP status of the refusal, "hang" for no answer at all, "rst" to reset the connection.
            retry_after: seconds for a Retry-After header.
            times: how often; None until `clear_faults`.
            error_code: RingCentral's error code in the body.
            message: the text in the body.

        Raises:
            ConfigurationError: `where` can never match, or an argument is invalid.
        """
        self.core.faults.add(
            RefusalFault(
                where=where, times=times, status=status, retry_after=retry_after, error_code=error_code, message=message
            )
        )

    @checked
    def fail_recovery(self, code: str = "WSG-1003", times: Count | None = 1) -> None:
        """Answer the next recoveries with recoveryState Failed; "WSG-400" sends the Error frame for a malformed wsc."""
        self.core.faults.add(RecoveryFault(where="recovery", times=times, code=code))

    @checked
    def answer_fault(
        self,
        where: str,
        *,
        drop: bool = False,
        strip: Literal["headers", "body"] | None = None,
        delay: Wait = 0.0,
        notify: dict[str, Any] | None = None,
        times: Count | None = 1,
    ) -> None:
        """Process the next requests of one kind, but tamper with their answers.

        Args:
            where: as for `refuse`; "details" can be delayed.
            drop: never send the answer.
            strip: send it without its "headers" or without its "body".
            delay: seconds to wait before sending it.
            notify: `{"event": ..., "body": ...}`, a notification sent before the answer; a `filter` as for `notify`.
            times: how often; None until `clear_faults`.

        Raises:
            ConfigurationError: `where` can never match, or `notify` lacks a member.
        """
        if where == "details" and (drop or strip or notify):
            raise ConfigurationError('where="details" accepts a delay only; use `refuse` to withhold ConnectionDetails')
        if notify is not None and (not {"event", "body"} <= notify.keys() <= {"event", "body", "filter"}):
            raise ConfigurationError("notify: a notification has an event and a body, and perhaps a filter")
        if notify is not None and not _is_notification(**notify):
            raise ConfigurationError("notify: the event and the filter are paths, the body is an object")
        self.core.faults.add(AnswerFault(where=where, times=times, drop=drop, strip=strip, delay=delay, notify=notify))

    def clear_faults(self) -> None:
        """Cancel every fault that is still pending."""
        self.core.faults.clear()

    @checked
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

    @checked
    def notify(self, event: EventFilter, body: dict[str, Any], filter: EventFilter | None = None) -> list[str]:
        """Send a notification to every session whose filters match; return the uuids of the notifications.

        If none matches, the log records that, with the filters that exist.

        Args:
            event: path and query of the event; `~` stands for the first user.
            body: the inner body.
            filter: the filter to deliver it to, for events whose name at RingCentral differs from the filter (filters
                with a query, or for a whole account); the `event` member is then the event itself. Without it the
                event is matched against all filters, and `event` is the matching filter, as mostly at RingCentral.
        """
        return self.core.publish_on_command(event, body, filter)

    def log(self) -> list[dict[str, Any]]:
        """Return the entries of the log, oldest first."""
        return self.core.journal.entries()

    def clear_log(self) -> None:
        """Clear the log."""
        self.core.journal.clear()

    def _controls(self) -> list[Callable[..., Any]]:
        """Return the methods that `POST /_gateway/<name>` offers."""
        return [
            self.cut,
            self.error,
            self.freeze,
            self.thaw,
            self.lose_node,
            self.restore_node,
            self.refuse,
            self.fail_recovery,
            self.answer_fault,
            self.clear_faults,
            self.send_raw,
            self.notify,
            self.clear_log,
        ]

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


def _is_notification(event: object, body: object, filter: object = None) -> bool:
    """Return whether these arguments of `notify` have the right types."""
    return isinstance(event, str) and isinstance(body, dict) and (filter is None or isinstance(filter, str))
