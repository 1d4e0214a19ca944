"""The fake Slack on real sockets, in its own thread: what tests use.

The Web API and the WebSockets have a port each, as they have a host each at Slack. Every method runs in the event loop
of that thread, so that it can be called from sync tests, from asyncio and from trio.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from typing import Any, Literal, Self

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup
from anyio.from_thread import start_blocking_portal

from rcex_ws.gateway.http import serve_http
from rcex_ws.options import CloseCode, Count, Name, Status, Wait, checked
from rcex_ws.testing.fake_slack.core import FakeSlackCore
from rcex_ws.testing.fake_slack.faults import Failure, NoHello, Rejection, SwallowedAck
from rcex_ws.testing.fake_slack.http import application
from rcex_ws.testing.fake_slack.methods import API_PATH, FakeWebApi
from rcex_ws.testing.fake_slack.observations import Observations
from rcex_ws.testing.fake_slack.options import FakeSlackOptions
from rcex_ws.testing.fake_slack.rtm import RtmConnection
from rcex_ws.testing.fake_slack.workspace import JSONObject, Workspace
from rcex_ws.websocket.listen import bind, serve
from rcex_ws.websocket.peer import PeerOptions
from rcex_ws.websocket.server_peer import ServerPeer

__all__ = ["FakeSlack"]

_PEER_OPTIONS = PeerOptions(max_size=2**24, max_buffer=2**26, compress=False)


class FakeSlack(Observations):
    """A local Slack with the RTM API: rtm.connect, rtm.start, a few more methods, and the WebSocket.

    A context manager, with `with` or `async with`. Every method may be called from any thread and any event loop.
    Those with a parameter `connection` act on the WebSocket with that number, or on all, and return on how many.

    ::

        async with FakeSlack() as slack:
            client = SomeClient(slack.token, slack.api_url)
            await slack.wait_for_connection()
            slack.push({"type": "message", "channel": "C0GENERAL", "user": "U000ALICE", "text": "hi", "ts": "1.2"})

    Args:
        ssl_context: a TLS context with a certificate for 127.0.0.1; the Web API is then https, the WebSockets wss.
        options: the fields of `FakeSlackOptions`.

    Attributes:
        options: the options, which may be changed while it runs.
        api_url: the base URL of the Web API, with a trailing slash.
        ws_url: scheme, host and port of the WebSockets.
        workspace: the tokens, users, channels and messages, to be changed before a client starts.
    """

    api_url: str
    ws_url: str

    @checked
    def __init__(self, *, ssl_context: ssl.SSLContext | None = None, **options: Any) -> None:
        self._ssl_context = ssl_context
        self.options: FakeSlackOptions = FakeSlackOptions(**options)
        self.workspace: Workspace = Workspace()
        self._connections: set[RtmConnection] = set()
        self._exit = ExitStack()

    def __enter__(self) -> Self:
        """Start listening."""
        with ExitStack() as stack:
            portal = self._portal = stack.enter_context(start_blocking_portal("asyncio", name="fake-slack"))
            stack.callback(setattr, self, "_portal", None)
            self._tasks = stack.enter_context(portal.wrap_async_context_manager(self._run()))
            self._exit = stack.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Cut every connection and end the thread; what was noted stays."""
        self._exit.close()

    async def __aenter__(self) -> Self:
        """Start listening."""
        return await anyio.to_thread.run_sync(self.__enter__)

    async def __aexit__(self, *exc_info: object) -> None:
        """Cut every connection and end the thread; what was noted stays."""
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self._exit.close)

    @property
    def token(self) -> str:
        """The token of the bot; `workspace.tokens` also has that of a user."""
        return next(iter(self.workspace.tokens))

    @property
    def self_id(self) -> str:
        """The user id of the bot."""
        return self.workspace.self_id

    @property
    def team_id(self) -> str:
        """The id of the workspace."""
        return str(self.workspace.team["id"])

    # Faults and events that act immediately

    @checked
    def push(self, *events: JSONObject | str | bytes, connection: Count | None = None) -> int:
        """Send events in one write: a dict as JSON, `str` as text, `bytes` as binary, whatever they contain."""
        messages = [json.dumps(event) if isinstance(event, dict) else event for event in events]
        return self._each(connection, lambda one: one.send(messages))

    @checked
    def push_bytes(self, data: bytes, *, connection: Count | None = None) -> int:
        """Send raw bytes, which need not be a frame of the WebSocket protocol."""
        return self._each(connection, lambda one: one.send_bytes(data))

    @checked
    def ping(self, *, connection: Count | None = None) -> int:
        """Send a ping of the WebSocket protocol; `pongs` records the answers."""
        return self._each(connection, RtmConnection.ping)

    @checked
    def close(self, code: CloseCode = 1000, reason: str = "", *, connection: Count | None = None) -> int:
        """Close with a close frame."""
        return self._each(connection, lambda one: one.close(code, reason))

    @checked
    def cut(self, *, connection: Count | None = None) -> int:
        """End by a RST."""
        return self._each(connection, RtmConnection.cut)

    @checked
    def silence(self, *, connection: Count | None = None) -> int:
        """Ignore everything that open WebSockets send, even pings of either kind; events are still sent."""
        return self._each(connection, RtmConnection.silence)

    @checked
    def migrate(self, *, connection: Count | None = None) -> int:
        """Announce that the workspace moves to another server, then close (Slack's page on team_migration_started)."""
        count = self.push({"type": "team_migration_started"}, connection=connection)
        self.close(connection=connection)
        return count

    @checked
    def goodbye(self, close_after: Wait | None = None, *, connection: Count | None = None) -> int:
        """Announce that the server will close soon (Slack's page on goodbye), and close after a delay, if given."""

        async def close_later(connections: list[RtmConnection], delay: float) -> None:
            await anyio.sleep(delay)
            for one in connections:
                one.close(1000)

        def say_goodbye() -> int:
            chosen = self._chosen(connection)
            for one in chosen:
                one.send([json.dumps({"type": "goodbye"})])
            if close_after is not None:
                self._tasks.start_soon(close_later, chosen, close_after)
            return len(chosen)

        return self._running.call(say_goodbye)

    # Faults for the next few times; `times=None` means until `clear_faults`

    @checked
    def fail(
        self,
        method: Name = "rtm.*",
        error: str | None = None,
        *,
        status: Status | Literal["hang", "rst"] = 200,
        body: str | None = None,
        retry_after: Wait | None = None,
        times: Count | None = 1,
    ) -> None:
        """Make the next calls of a Web API method fail.

        Args:
            method: the method, with `*` for any text.
            error: Slack's error code, for an answer `{"ok": false, "error": ...}`.
            status: the HTTP status, "hang" for no answer at all, "rst" to reset the connection.
            body: a body to send instead of one with an error code; it need not be JSON.
            retry_after: seconds for a Retry-After header; Slack sends it with the status 429.
            times: how often.

        Raises:
            ConfigurationError: an argument is invalid; the same holds for all methods that schedule a fault.
        """
        content = {"ok": False} if error is None else {"ok": False, "error": error}
        headers = {"Content-Type": "application/json; charset=utf-8" if body is None else "text/html"}
        text = json.dumps(content) if body is None else body
        self._add_fault(
            Failure(
                where=method,
                times=times,
                status=status,
                body=text.encode(),
                headers=headers | _retry_header(retry_after),
            )
        )

    @checked
    def refuse_upgrade(
        self,
        status: Status | Literal["hang", "rst"] = 503,
        body: str = "refused on command",
        *,
        retry_after: Wait | None = None,
        times: Count | None = 1,
    ) -> None:
        """Refuse the next upgrades with a status and a body, or by "hang" or "rst"; the URL stays valid."""
        self._add_fault(
            Failure(where="upgrade", times=times, status=status, body=body.encode(), headers=_retry_header(retry_after))
        )

    @checked
    def withhold_hello(self, times: Count | None = 1) -> None:
        """Send no hello to the next WebSockets; what they send is answered."""
        self._add_fault(NoHello(times=times))

    @checked
    def reject_message(self, code: int = 2, msg: str = "message text is missing", *, times: Count | None = 1) -> None:
        """Reject the next messages with `{"ok": false, ..., "error": {"code": ..., "msg": ...}}`."""
        self._add_fault(Rejection(times=times, code=code, msg=msg))

    @checked
    def swallow_acks(self, times: Count | None = 1) -> None:
        """Accept the next messages without answering them."""
        self._add_fault(SwallowedAck(times=times))

    def clear_faults(self) -> None:
        """Cancel every fault that is still pending."""
        self._running.call(self._core.faults.clear)

    # Everything below runs in the thread of the fake, or passes calls to it.

    def _add_fault(self, fault: Failure | NoHello | Rejection | SwallowedAck) -> None:
        self._running.call(self._core.faults.add, fault)

    def _each(self, connection: int | None, act: Callable[[RtmConnection], object]) -> int:
        def act_on_all() -> int:
            chosen = self._chosen(connection)
            for one in chosen:
                act(one)
            return len(chosen)

        return self._running.call(act_on_all)

    def _chosen(self, connection: int | None) -> list[RtmConnection]:
        live = [one for one in self._connections if one.number in self._core.sockets]
        return [one for one in live if connection in (None, one.number)]

    @asynccontextmanager
    async def _run(self) -> AsyncGenerator[TaskGroup]:
        web_listener, rtm_listener = bind(), bind()
        with web_listener, rtm_listener:
            secure = "" if self._ssl_context is None else "s"
            self.api_url = f"http{secure}://127.0.0.1:{web_listener.getsockname()[1]}{API_PATH}"
            self.ws_url = f"ws{secure}://127.0.0.1:{rtm_listener.getsockname()[1]}"
            self._core = FakeSlackCore(self.options, self.workspace, self.ws_url)
            async with anyio.create_task_group() as tasks:
                tls = self._ssl_context
                tasks.start_soon(
                    partial(serve_http, web_listener, application(FakeWebApi(self._core).answer), ssl_context=tls)
                )
                tasks.start_soon(partial(serve, rtm_listener, self._serve, ssl_context=tls, options=_PEER_OPTIONS))
                yield tasks
                tasks.cancel_scope.cancel()

    async def _serve(self, peer: ServerPeer) -> None:
        connection = RtmConnection(peer, self._core)
        self._connections.add(connection)
        try:
            await connection.serve()
        finally:
            self._connections.discard(connection)


def _retry_header(seconds: float | None) -> dict[str, str]:
    return {} if seconds is None else {"Retry-After": f"{seconds:g}"}
