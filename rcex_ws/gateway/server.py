"""The gateway on real sockets, in its own thread: what tests, demos and the command line use.

REST and each WebSocket address have a port of their own, as they have hosts of their own at RingCentral. All share one
event loop; every public method can be called from any thread and any loop, runs in that loop, and returns soon.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager, ExitStack, closing
from functools import wraps
from pathlib import Path
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, TypeVar

import anyio
from anyio.abc import TaskStatus
from anyio.from_thread import BlockingPortal, start_blocking_portal

from rcex_ws.errors import ConfigurationError, NotConnected
from rcex_ws.gateway.account.people import ExtensionRecord
from rcex_ws.gateway.app import GatewayApp
from rcex_ws.gateway.http import serve_http
from rcex_ws.gateway.nodes import Node, NodeCount, Nodes
from rcex_ws.gateway.options import GatewayOptions
from rcex_ws.gateway.seed import apply_seed, read_seed
from rcex_ws.gateway.state import StateKeeper
from rcex_ws.options import FilePath, Name, Port, checked
from rcex_ws.websocket.listen import bind

__all__ = ["Gateway"]

_OWN_HOSTS = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}  # noqa: S104
"""Wildcard addresses, and the address that reaches them from this machine."""
_HIGHEST_PORT = 65535

_T = TypeVar("_T")
_P = ParamSpec("_P")


def _in_its_thread(method: Callable[Concatenate[GatewayApp, _P], _T]) -> Callable[Concatenate[Gateway, _P], _T]:
    """Return a method of `Gateway` that runs a method of `GatewayApp` in the gateway's thread."""

    @wraps(method)
    def ask(self: Gateway, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return self._call(lambda gateway: method(gateway, *args, **kwargs))  # pyright: ignore[reportPrivateUsage]

    return checked(ask)  # by the types of `method`, and before the call reaches the thread


class Gateway:
    """A local RingCentral, which runs while this context manager is entered.

    Args:
        port: port of the REST API; 0 for any free one.
        ws_port: port of the WebSocket, the first one if there are several `nodes`, which have the ports after it; 0 for
            any free ones.
        host: address to listen on; "0.0.0.0" or "::" listens on all of the machine, for a container. Clients are then
            given the host name that they have used for the REST API, unless there is a `public_ws_uri`.
        nodes: WebSocket addresses over the same sessions, as of so many machines; wstoken answers name them in turn.
            They are counted from 1; `lose_node` takes one away.
        seed: a TOML file with the users, applications and contacts that there are at the first start, see
            docs/gateway.md.
        state: a file in which everything is kept, so that a gateway that starts again goes on where it was; the seed
            counts only while there is none.
        options: the fields of `GatewayOptions`.

    Raises:
        ConfigurationError: an argument is invalid, the seed has a mistake, or there are several nodes and a
            `public_ws_uri`, which is one address; on entering, a port is in use, the host is not this machine's, or
            the state cannot be read.

    Attributes:
        server: base URL of the REST API.
        ws_uri: address of the WebSocket, the first node's if there are several.
        ws_uris: addresses of all nodes.
        client_id: client id of the first application.
        client_secret: its client secret.
        jwt: JWT credential of the first user.
        users: all users, with their credentials.
    """

    server: str
    ws_uri: str
    ws_uris: list[str]
    client_id: str
    client_secret: str
    jwt: str
    users: list[ExtensionRecord]

    @checked
    def __init__(
        self,
        port: Port = 0,
        *,
        ws_port: Port = 0,
        host: Name = "127.0.0.1",
        nodes: NodeCount = 1,
        seed: FilePath | None = None,
        state: FilePath | None = None,
        **options: Any,
    ) -> None:
        self.options: GatewayOptions = GatewayOptions(**options)
        self._seed = None if seed is None else read_seed(Path(seed))
        self._state = None if state is None else Path(state)
        if nodes > 1 and self.options.public_ws_uri:
            raise ConfigurationError("nodes: with a public_ws_uri, which is one address, there can be one only")
        if ws_port and ws_port + nodes - 1 > _HIGHEST_PORT:
            raise ConfigurationError(
                f"ws_port: {nodes} nodes need as many ports, and there is none after {_HIGHEST_PORT}"
            )
        self._node_count = nodes
        self._host = host
        self._port = port
        self._ws_port = ws_port
        self._watcher: Callable[[dict[str, Any]], None] | None = None
        self._gateway: GatewayApp | None = None
        self._portal: BlockingPortal | None = None
        self._portal_context: AbstractContextManager[BlockingPortal] | None = None
        self._main: Future[None] | None = None
        self._stop: anyio.Event | None = None

    def __enter__(self) -> Gateway:
        """Start listening."""
        with ExitStack() as failed:
            rest = failed.enter_context(self._bind("port", self._port))
            nodes = [self._bind_node(number, failed) for number in range(1, self._node_count + 1)]
            failed.pop_all()
        own_host = _OWN_HOSTS.get(self._host, self._host)
        own_host = f"[{own_host}]" if ":" in own_host else own_host
        self.server = f"http://{own_host}:{rest.getsockname()[1]}"
        self.ws_uris = [node.uri(own_host) for node in nodes]
        self.ws_uri = self.ws_uris[0]
        self._portal_context = start_blocking_portal("asyncio")
        self._portal = self._portal_context.__enter__()
        host = None if self._host in _OWN_HOSTS else own_host
        try:
            self._main, gateway = self._portal.start_task(self._run, rest, Nodes(nodes, host))
        except BaseException:
            self._portal = None
            self._portal_context.__exit__(None, None, None)
            raise
        self._gateway = gateway
        self.client_id, self.client_secret = gateway.core.apps.first.client_id, gateway.core.apps.first.client_secret
        self.users = list(gateway.core.people.extensions)
        self.jwt = self.users[0].jwt
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Abort every connection and stop the thread."""
        if self._portal is None or self._portal_context is None or self._stop is None or self._main is None:
            raise NotConnected("the gateway was not started")
        self._portal.call(self._stop.set)
        try:
            self._main.result()
        finally:
            self._portal = None
            self._portal_context.__exit__(None, None, None)

    def __repr__(self) -> str:
        return f"Gateway({getattr(self, 'server', 'not started')!r})"

    # The commands, with the signatures and the docstrings of `GatewayApp`.

    cut = _in_its_thread(GatewayApp.cut)
    error = _in_its_thread(GatewayApp.error)
    freeze = _in_its_thread(GatewayApp.freeze)
    thaw = _in_its_thread(GatewayApp.thaw)
    lose_node = _in_its_thread(GatewayApp.lose_node)
    restore_node = _in_its_thread(GatewayApp.restore_node)
    refuse = _in_its_thread(GatewayApp.refuse)
    fail_recovery = _in_its_thread(GatewayApp.fail_recovery)
    answer_fault = _in_its_thread(GatewayApp.answer_fault)
    clear_faults = _in_its_thread(GatewayApp.clear_faults)
    send_raw = _in_its_thread(GatewayApp.send_raw)
    notify = _in_its_thread(GatewayApp.notify)
    clear_log = _in_its_thread(GatewayApp.clear_log)
    receive_sms = _in_its_thread(GatewayApp.receive_sms)
    receive_fax = _in_its_thread(GatewayApp.receive_fax)
    receive_voicemail = _in_its_thread(GatewayApp.receive_voicemail)
    set_message_status = _in_its_thread(GatewayApp.set_message_status)
    ring = _in_its_thread(GatewayApp.ring)
    answer = _in_its_thread(GatewayApp.answer)
    hold = _in_its_thread(GatewayApp.hold)
    unhold = _in_its_thread(GatewayApp.unhold)
    transfer = _in_its_thread(GatewayApp.transfer)
    park = _in_its_thread(GatewayApp.park)
    record = _in_its_thread(GatewayApp.record)
    pick_up = _in_its_thread(GatewayApp.pick_up)
    miss = _in_its_thread(GatewayApp.miss)
    hang_up = _in_its_thread(GatewayApp.hang_up)
    watch_lines = _in_its_thread(GatewayApp.watch_lines)
    receive_post = _in_its_thread(GatewayApp.receive_post)

    @checked
    def watch(self, watcher: Callable[[dict[str, Any]], None]) -> None:
        """Call a function with each entry of the log, in the gateway's thread; to be set before the gateway starts.

        Raises:
            ConfigurationError: the gateway has started.
        """
        if self._portal is not None:
            raise ConfigurationError("watcher: the gateway has already started; set it before")
        self._watcher = watcher

    def log(self) -> list[dict[str, Any]]:
        """Return the entries of the log, oldest first; also after the gateway has stopped."""
        if self._portal is None and self._gateway is not None:
            return self._gateway.log()  # its thread has ended, so no other one uses it
        return self._call(GatewayApp.log)

    def near_misses(self) -> list[dict[str, Any]]:
        """Return what was asked that is not there, with the closest path that is, and how often; also afterwards."""
        if self._portal is None and self._gateway is not None:
            return self._gateway.near_misses()
        return self._call(GatewayApp.near_misses)

    def _bind_node(self, number: int, failed: ExitStack) -> Node:
        port = self._ws_port and self._ws_port + number - 1
        return Node(number, self._host, failed.enter_context(self._bind("ws_port", port)))

    def _bind(self, argument: str, port: int) -> socket.socket:
        try:
            return bind(self._host, port)
        except OSError as exc:
            if exc.errno in (errno.EADDRINUSE, errno.EACCES):
                why = "is in use" if exc.errno == errno.EADDRINUSE else "may not be used by this user"
                raise ConfigurationError(f"{argument}: {port} {why}; 0 takes any free one") from exc
            raise ConfigurationError(f"host: cannot listen on {self._host!r}: {exc}") from exc

    def _call(self, method: Callable[[GatewayApp], _T]) -> _T:
        if self._portal is None or self._gateway is None:
            raise NotConnected("the gateway is not running; use it under `with`")
        return self._portal.call(method, self._gateway)

    async def _run(
        self,
        rest: socket.socket,
        nodes: Nodes,
        *,
        task_status: TaskStatus[GatewayApp],
    ) -> None:
        self._stop = anyio.Event()
        with rest, closing(nodes):
            gateway = GatewayApp(self.options, nodes)
            gateway.core.server = self.server
            if self._watcher is not None:
                gateway.core.journal.watch(self._watcher)
            keeper = None if self._state is None else StateKeeper(self._state)
            if (keeper is None or not keeper.load(gateway.core)) and self._seed is not None:
                apply_seed(gateway.core, self._seed)
            gateway.core.insist_on_options()
            async with anyio.create_task_group() as group:
                group.start_soon(serve_http, rest, gateway.app)
                nodes.start(group, gateway.serve)
                group.start_soon(gateway.run)
                if keeper is not None:
                    group.start_soon(keeper.run, gateway.core)
                task_status.started(gateway)
                await self._stop.wait()
                group.cancel_scope.cancel()
