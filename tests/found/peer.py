"""A small RingCentral made by hand, for what the local gateway cannot do: a clock and stamps of its own, a cut replay.

It shares no code with the library or the gateway. It has one login, one session and one subscription at a time. Each
connection is served by a thread with a plain socket, so that it also goes on while the client's event loop is blocked;
what a test asks of it happens in the test's own thread, and has happened when the call returns.
"""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.found.peer_link import Link, has_ended

__all__ = ["MESSAGES", "PRESENCE", "Peer"]

MESSAGES = "/restapi/v1.0/account/~/extension/~/message-store"
PRESENCE = "/restapi/v1.0/account/~/extension/~/presence"

_REASONS = {200: "OK", 204: "No Content", 404: "Not Found"}


class Peer:
    """Be a RingCentral; a context manager.

    Args:
        ahead: seconds by which its clock is ahead of this machine's.
        buffer_size: most notifications kept for a lost session; the oldest go first.
        tls: its certificate, to be an https server.

    Attributes:
        ahead: as above; its clock can be set while it runs. Whoever sets this machine's clock does not change it.
        server: the base URL of its REST API.
        client_id: credentials of an application; all are good.
        client_secret: likewise.
        jwt: likewise, of a user.
        ws_uri: where its WebSockets are.
        told_uri: what it tells clients of that, for a proxy in between.
        buffer: the bodies of the notifications kept for the lost session; a test may put its own.
        replay_only: how many of them reach the client, the next time; the others are lost on the way.
        replay_ends_in_reset: whether the connection is reset then; else it stays.
        refuse_recovery: an error code to refuse recoveries with.
        creation_time: what ConnectionDetails say instead of the time.
        answer_delay: seconds from a call over the WebSocket to its answer.
        scripted: raw HTTP answers by path, each to be given once before the usual ones. None closes the connection.
        details: members of ConnectionDetails to be set.
        seen: the head of each HTTP request, upgrades included.
        wsc_prefix: begins each recovery token.
        calls: method, path and event filters of each call, over HTTP or the WebSocket.
        upgrades: how many connections have become WebSockets.
        recovered: how many of them have recovered the session.
        given_up: how many upgrades that were kept waiting had gone when they were let in.
        heartbeats: how many were answered.
    """

    client_id, client_secret, jwt = "id", "secret", "jwt"

    def __init__(self, *, ahead: float = 0.0, buffer_size: int = 100, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.ahead = ahead
        self.replay_only: int | None = None
        self._cut: Link | None = None  # on which a part of the replay is lost
        self.replay_ends_in_reset = True
        self.refuse_recovery: str | None = None
        self.creation_time: float | None = None
        self.answer_delay = 0.0
        self.scripted: dict[str, list[bytes | None]] = {}
        self.details: dict[str, Any] = {}
        self.seen: list[str] = []
        self.wsc_prefix = "wsc"
        self.calls: list[tuple[str, str, list[str]]] = []
        self.upgrades = self.recovered = self.given_up = self.heartbeats = 0
        self._epoch = time.time() - time.monotonic()
        self._buffer_size = buffer_size
        self.buffer: deque[dict[str, Any]] = deque(maxlen=buffer_size)
        self._wscs: set[str] = set()  # all that name the session
        self._subscription: str | None = None
        self._filters: list[str] = []
        self._numbers = 0
        self._link: Link | None = None
        self._open = threading.Event()
        self._open.set()
        self._waiting = 0
        self._lock = threading.RLock()
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Peer:
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        s, host = ("", "127.0.0.1") if self._tls is None else ("s", "localhost")
        self.server = f"http{s}://{host}:{port}"
        self.ws_uri = self.told_uri = f"ws{s}://{host}:{port}/ws"
        self._begin(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._open.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join(10)
        for sock in self._sockets:
            with suppress(OSError):  # closed already
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()

    # -- what it knows ---------------------------------------------------------------------------------------------

    def now(self) -> float:
        """Tell its time, in seconds since the epoch."""
        return self._epoch + time.monotonic() + self.ahead

    def date(self) -> datetime:
        """Tell its time as it would stand in a notification."""
        return datetime.fromtimestamp(int(self.now() * 1000) / 1000, UTC)

    @property
    def connected(self) -> bool:
        """Whether the session has a connection, as far as it knows."""
        return self._link is not None

    @property
    def waiting(self) -> int:
        """How many upgrades wait because of `hold`."""
        return self._waiting

    @property
    def filters(self) -> list[str]:
        """What is subscribed, as it was asked for."""
        return self._filters

    # -- what it does ----------------------------------------------------------------------------------------------

    def notify(self, number: int, *, event: str | None = MESSAGES, **changes: Any) -> datetime:
        """Send a notification, or keep it for the lost session; return its stamp.

        Args:
            number: its body is `{"i": number}`.
            event: the filter it is for; None makes a notification that nobody can read.
            **changes: members of the envelope to be set; None takes one out.
        """
        with self._lock:
            made = self.date()
            body = self.made(number, made.timestamp(), event=event, **changes)
            if self._link is not None:
                self._link.send(_notification(body))
            else:
                self.buffer.append(body)
            return made

    def send_raw(self, text: str) -> None:
        """Send a frame as it is."""
        with self._lock:
            assert self._link is not None
            self._link.send(text)

    def lose(self) -> datetime:
        """Write a notification that the network drops; return its stamp."""
        self._numbers += 1
        return self.date()

    def made(self, number: int, stamp: float, *, event: str | None = MESSAGES, **changes: Any) -> dict[str, Any]:
        """Make a notification with a stamp, as it can stand in `buffer`; arguments as for `notify`."""
        self._numbers += 1
        made = datetime.fromtimestamp(stamp, UTC)
        body: dict[str, Any] = {
            "uuid": f"uuid-{self._numbers}",
            "event": event and _resolved(event),
            "timestamp": made.strftime("%Y-%m-%dT%H:%M:%S.") + f"{made.microsecond // 1000:03d}Z",
            "subscriptionId": self._subscription,
            "ownerId": "7",
            "body": {"i": number},
        } | changes
        return {name: value for name, value in body.items() if value is not None}

    def close(self, code: int = 1001) -> None:
        """Close the connection by a close frame; the session is lost from here on."""
        with self._lock:
            link, self._link = self._link, None
        assert link is not None
        link.close(code)

    def reset(self) -> None:
        """Cut the connection by RST; the session is lost from here on."""
        with self._lock:
            link, self._link = self._link, None
        assert link is not None
        link.reset()
        assert link.ended.wait(5)

    def hold(self) -> None:
        """Keep every upgrade waiting from now on."""
        self._open.clear()

    def let_in(self) -> None:
        """Answer the upgrades that wait, but for those that have gone, and keep none waiting any more."""
        self._open.set()

    # -- connections -----------------------------------------------------------------------------------------------

    def _begin(self, serve: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=serve, args=args, name="peer")
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return  # the test is over
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sockets.append(sock)
            self._begin(self._serve, sock)

    def _serve(self, raw: socket.socket) -> None:
        with ExitStack() as stack, suppress(OSError):  # a client may leave or be killed at any time
            sock = stack.enter_context(raw)
            if self._tls is not None:
                sock = stack.enter_context(self._tls.wrap_socket(raw, server_side=True))
                self._sockets.append(sock)
            data = b""
            while True:
                while b"\r\n\r\n" not in data:
                    more = sock.recv(65536)
                    if not more:
                        return
                    data += more
                self.seen.append(data.partition(b"\r\n\r\n")[0].decode("latin-1"))
                if data.startswith(b"GET /ws?"):
                    if scripted := self.scripted.get("/ws"):
                        sock.sendall(scripted.pop(0) or b"")
                        return
                    self._serve_websocket(sock, data)
                    return
                data = self._answer_http(sock, data)

    def _answer_http(self, sock: socket.socket, data: bytes) -> bytes:
        """Answer one HTTP request; give what came after it."""
        head, _, rest = data.partition(b"\r\n\r\n")
        request, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", 0))
        while len(rest) < length:
            rest += sock.recv(65536)
        method, path, _ = request.split()
        if scripted := self.scripted.get(path.partition("?")[0]):
            raw = scripted.pop(0)
            if raw is None:
                raise OSError
            sock.sendall(raw)
            return rest[length:]
        with self._lock:
            status, body = self._answer(method, path, None)
        content = b"" if status == 204 else json.dumps(body).encode()
        answer = f"HTTP/1.1 {status} {_REASONS[status]}\r\nDate: {formatdate(self.now(), usegmt=True)}\r\n"
        answer += "Content-Type: application/json\r\n"
        if status != 204:
            answer += f"Content-Length: {len(content)}\r\n"
        sock.sendall(answer.encode() + b"\r\n" + content)
        return rest[length:]

    def _answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        """Answer one call, over whichever way it came; the caller holds the lock."""
        path = path.partition("?")[0].rstrip("/")
        filters: list[str] = (body or {}).get("eventFilters", [])
        self.calls.append((method, path, filters))
        if path == "/restapi/oauth/wstoken":
            return 200, {"ws_access_token": "wstoken", "uri": self.told_uri, "expires_in": 60}
        if path.startswith("/restapi/oauth/"):
            return 200, {"access_token": "token", "token_type": "bearer", "expires_in": 36000, "owner_id": "7"}
        place, _, subscription = path.partition("/subscription/")
        if path == "/restapi/v1.0/subscription" and method == "POST":
            self._numbers += 1
            self._subscription = f"subscription-{self._numbers}"
        elif path.startswith("/restapi/v1.0/subscription"):
            if place != "/restapi/v1.0" or subscription != self._subscription:
                return 404, {"errorCode": "CMN-102", "message": "Resource is not found"}
            if method == "DELETE":
                self._subscription, self._filters = None, []
                return 204, None
        else:
            return 200, {"path": path}
        self._filters = filters or self._filters
        return 200, {
            "id": self._subscription,
            "uri": f"/restapi/v1.0/subscription/{self._subscription}",
            "status": "Active",
            "eventFilters": [_resolved(text) for text in self._filters],
            "expiresIn": 86399,
            "deliveryMode": {"transportType": "WebSocket", "encryption": False},
        }

    # -- the WebSocket ---------------------------------------------------------------------------------------------

    def _serve_websocket(self, sock: socket.socket, data: bytes) -> None:
        if not self._open.is_set():
            with self._lock:
                self._waiting += 1
            self._open.wait()
            gone = has_ended(sock)
            with self._lock:
                self._waiting -= 1
                self.given_up += gone
            if gone:
                return
        link = Link(sock)
        try:
            request = link.upgrade(data)
            self._greet(link, parse_qs(urlsplit(request.path).query).get("wsc", [""])[0])
            for meta, body in link.messages():
                self._take(link, meta, body)
        finally:
            with self._lock:
                if self._link is link:
                    self._link = None
            sock.close()
            link.ended.set()

    def _greet(self, link: Link, wsc: str) -> None:
        """Send ConnectionDetails and what was missed, in one write."""
        with self._lock:
            self.upgrades += 1
            recovery: dict[str, str] = {}
            replay: list[dict[str, Any]] = []
            if wsc in self._wscs and self._subscription is not None and self.refuse_recovery is None:
                recovery = {"recoveryState": "Successful"}
                replay = list(self.buffer)
                self.recovered += 1
            else:
                self._subscription, self._filters = None, []
                self._wscs.clear()
                if wsc:
                    recovery = {"recoveryState": "Failed", "recoveryErrorCode": self.refuse_recovery or "WSG-1005"}
            self.buffer.clear()
            self._numbers += 1
            self._wscs.add(wsc := f"{self.wsc_prefix}-{self._numbers}")
            created = datetime.fromtimestamp(self.creation_time or self.now(), UTC)
            details = {
                "creationTime": f"{created:%Y-%m-%dT%H:%M:%S}.{created.microsecond // 1000:03d}+0000",
                "maxConnectionsPerSession": 50,
                "recoveryBufferSize": self._buffer_size,
                "recoveryTimeout": 180,
                "idleTimeout": 1800,
                "absoluteTimeout": 86400,
                "maxActiveRequests": 10,
            }
            meta = {
                "type": "ConnectionDetails",
                "messageId": f"details-{self._numbers}",
                "status": 200,
                "wsc": {"token": wsc, "sequence": 1},
                "headers": {},
            }
            only, self.replay_only = self.replay_only, None
            link.send([meta, details | recovery | self.details], *(_notification(body) for body in replay[:only]))
            if only is not None and self.replay_ends_in_reset:
                link.reset()  # the session is lost anew, and the rest of the replay with it
                return
            former, self._link = self._link, link
            self._cut = None if only is None else link
        if former is not None:
            former.reset()  # the newest connection has the session

    def _take(self, link: Link, meta: dict[str, Any], body: Any) -> None:
        if link is self._cut:
            return  # behind the rest of the replay no answer can come
        if meta["type"] == "Heartbeat":
            link.send([{"type": "Heartbeat", "messageId": meta["messageId"]}])
            self.heartbeats += 1
        if meta["type"] != "ClientRequest":
            return
        with self._lock:
            status, answer = self._answer(meta["method"], meta["path"], body)
            headers = {"Date": formatdate(self.now(), usegmt=True), "Content-Type": "application/json"}
            meta = {"type": "ClientRequest", "messageId": meta["messageId"], "status": status, "headers": headers}
        time.sleep(self.answer_delay)
        link.send([meta] if answer is None else [meta, answer])


def _notification(body: dict[str, Any]) -> list[Any]:
    return [{"type": "ServerNotification", "messageId": body.get("uuid"), "status": 200}, body]


def _resolved(text: str) -> str:
    return text.replace("/account/~", "/account/1").replace("/extension/~", "/extension/7")
