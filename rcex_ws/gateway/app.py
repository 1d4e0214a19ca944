"""One gateway without its sockets: the REST application, the WebSocket handler, and the faults that strike at once.

`server.py` puts it on TCP ports; `rcex_ws.testing` puts it on memory streams in virtual time. Everything here runs in
one event loop; the thread-safe face for users is `server.Gateway`.
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
from rcex_ws.gateway.options import GatewayOptions
from rcex_ws.gateway.origin import host_name
from rcex_ws.gateway.upgrade import WS_PATH
from rcex_ws.gateway.websocket import GatewayConnection
from rcex_ws.loop import loop_clock
from rcex_ws.options import CloseCode, Count, EventFilter, Status, Wait, checked
from rcex_ws.websocket.peer import PeerOptions
from rcex_ws.websocket.server_peer import ServerPeer

__all__ = ["PEER_OPTIONS", "GatewayApp"]

# A frozen connection keeps all it is sent, as a half-open one would seem to; RingCentral's own limits are not known.
PEER_OPTIONS = PeerOptions(max_size=2**24, max_buffer=2**26, compress=False)

_CLOSE_CODES = frozenset({*range(1000, 1004), *range(1007, 1012), *range(3000, 5000)})
"""What a close frame can bear (RFC 6455, section 7.4)."""
_LONGEST_REASON = 123


class GatewayApp:
    """Hold one gateway. Make it inside the event loop that runs it.

    Args:
        options: Its knobs.

    Attributes:
        app: The ASGI application; it raises `ConnectionResetError` for a connection that is to be cut by RST.
        core: The rules and the state.
        ws_uri: The address that wstoken answers give out.
        open_ws_port: The port of the WebSocket where it listens on all addresses of the machine: then clients are told
            the one by which they have come.
    """

    @checked
    def __init__(self, options: GatewayOptions | None = None) -> None:
        self.core = GatewayCore(options or GatewayOptions(), loop_clock())
        self.ws_uri = self.core.options.public_ws_uri or f"ws://gateway.invalid{WS_PATH}"
        self.open_ws_port: int | None = None
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

    async def serve(self, peer: ServerPeer) -> None:
        """Serve one WebSocket from its request to its end; a handler for `rcex_ws.websocket.listen.serve`."""
        connection = GatewayConnection(next(self._numbers), peer, self.core, self.app.answer)
        self._connections[connection.id] = connection
        try:
            await connection.serve()
        finally:
            del self._connections[connection.id]

    # Faults. The names are those of `Gateway` and of `POST /_gateway/<name>`. Wrong arguments are a `ValueError`, those
    # of a wrong type, too.

    @checked
    def cut(self, code: CloseCode | None = None, reason: str = "") -> int:
        """Cut every WebSocket: by RST, or with a close frame when there is a code; return how many.

        Raises:
            ConfigurationError: If no close frame can bear the code or the reason.
        """
        if code is not None and code not in _CLOSE_CODES:
            raise ConfigurationError(
                f"code: a close frame has one from 1000 to 4999, and some of these not: not {code}"
            )
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
        """Make every open WebSocket half-open: nothing is read or written; new ones work. Return how many."""
        live = self._live()
        for connection in live:
            connection.freeze()
        self.core.journal.add("freeze", connections=[connection.id for connection in live])
        return len(live)

    def thaw(self) -> None:
        """End every freeze; what was held back is written."""
        for connection in self._connections.values():
            connection.thaw()
        self.core.journal.add("thaw")

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
        """Refuse what comes next at a place.

        Args:
            where: "upgrade", "details" (101, but no ConnectionDetails), "wstoken", "token", "subscription", or any
                "METHOD /path", with `*` for any text.
            status: The HTTP status of the refusal, "hang" for no answer at all, "rst" to cut the connection.
            retry_after: Seconds for a Retry-After header.
            times: How often; None until `clear_faults`.
            error_code: RingCentral's error code in the body.
            message: The text in the body.

        Raises:
            ConfigurationError: If nothing ever happens at such a place, or an argument cannot be.
        """
        self.core.faults.add(
            RefusalFault(
                where=where, times=times, status=status, retry_after=retry_after, error_code=error_code, message=message
            )
        )

    @checked
    def fail_recovery(self, code: str = "WSG-1003", times: Count | None = 1) -> None:
        """Answer the next recoveries with recoveryState Failed; "WSG-400" gives the Error frame of a bad wsc."""
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
        """Let the next requests at a place be carried out, but spoil their answers.

        Args:
            where: As for `refuse`; "details" can be delayed.
            drop: Never send the answer.
            strip: Send it without its "headers" or without its "body".
            delay: Seconds to wait before it.
            notify: `{"event": ..., "body": ...}`, a notification written before the answer; a `filter` as for `notify`.
            times: How often; None until `clear_faults`.

        Raises:
            ConfigurationError: If nothing is ever answered at such a place, or `notify` lacks a member.
        """
        if where == "details" and (drop or strip or notify):
            raise ConfigurationError('where="details" takes a delay only; `refuse` can keep ConnectionDetails back')
        if notify is not None and (not {"event", "body"} <= notify.keys() <= {"event", "body", "filter"}):
            raise ConfigurationError("notify: a notification has an event and a body, and perhaps a filter")
        if notify is not None and not _is_notification(**notify):
            raise ConfigurationError("notify: the event and the filter are paths, the body is an object")
        self.core.faults.add(AnswerFault(where=where, times=times, drop=drop, strip=strip, delay=delay, notify=notify))

    def clear_faults(self) -> None:
        """Forget every fault that was ordered and has not struck yet."""
        self.core.faults.clear()

    @checked
    def send_raw(self, data: str | bytes | Sequence[str | bytes], *, binary: bool = False) -> int:
        """Send messages of any content to every WebSocket, several of them in one write; return to how many.

        Args:
            data: One message or several; `str` goes as text, `bytes` as binary.
            binary: Send `str` as binary too.

        Raises:
            ValueError: If it is neither text nor bytes.
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
        """Send a notification to every session whose filters match; return their uuids.

        When there is none, the log says so, and which filters there are.

        Args:
            event: Path and query of the event; `~` stands for the first user.
            body: The inner body.
            filter: The filter that gets it, where RingCentral names an event otherwise than the filter that asked for
                it: with a query, for a whole account. The notification names the event, then. Without it the event
                finds its filters by itself, and the notification names the filter, as it mostly does at RingCentral.
        """
        return self.core.publish_on_command(event, body, filter)

    def log(self) -> list[dict[str, Any]]:
        """Return what happened, oldest first."""
        return self.core.journal.entries()

    def clear_log(self) -> None:
        """Forget what happened."""
        self.core.journal.clear()

    def _controls(self) -> list[Callable[..., Any]]:
        """What `POST /_gateway/<name>` offers."""
        return [
            self.cut,
            self.error,
            self.freeze,
            self.thaw,
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
        """Give the address of the WebSocket to a client that came to the REST API by this one."""
        if self.open_ws_port is None:
            return self.ws_uri
        return f"ws://{host_name(server.partition('://')[2])}:{self.open_ws_port}{WS_PATH}"


def _is_notification(event: object, body: object, filter: object = None) -> bool:
    """Tell whether these can be sent."""
    return isinstance(event, str) and isinstance(body, dict) and (filter is None or isinstance(filter, str))
