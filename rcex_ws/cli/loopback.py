"""The server on this machine to which a login page sends the browser back with a code (RFC 8252, 7.3).

Used by `rcex-ws login`. Anything on this machine can ask it something, and pages of other sites can have the browser
do so: only an answer with the state of our page counts (RFC 6749, 10.12), and everything else is refused and survived.
"""

from __future__ import annotations

import errno
import secrets
from collections.abc import Awaitable, Callable
from html import escape
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs

import anyio
import h11
from anyio.abc import ByteStream, Listener, SocketAttribute, SocketStream
from msgspec import Struct

from rcex_ws.errors import ConfigurationError, RcexError
from rcex_ws.readers import printable

__all__ = ["LoginUnfinished", "Loopback", "Redirect", "read_redirect"]

_PATH = "/callback"

#: Seconds for one request: browsers open connections in advance and never use them.
_REQUEST_TIMEOUT = 10.0


class LoginUnfinished(RcexError):
    """No code came from the login page: the user denied the access, or did not come back."""


Redeem = Callable[[str], Awaitable[object]]
"""Logs in with a code."""


class Redirect(Struct, frozen=True):
    """What a request to the loopback server is.

    Attributes:
        code: the code of the login page, or "".
        denied: why the login page gave none, or "".
        refusal: the HTTP status and the text for a request that did not come from the login page, or None.
    """

    code: str = ""
    denied: str = ""
    refusal: tuple[int, str] | None = None


def read_redirect(target: str, *, state: str) -> Redirect:
    """Return what a request is. Pure.

    Args:
        target: path and query as in the request line.
        state: that of our login page.
    """
    path, _, fields = target.partition("?")  # `urlsplit` raises for some targets
    if path != _PATH:
        return Redirect(refusal=(404, "There is nothing here."))
    query = {name: values[0] for name, values in parse_qs(fields).items()}
    if not secrets.compare_digest(query.get("state", "").encode(), state.encode()):
        return Redirect(refusal=(400, "This is not the answer of the login page that was opened. It was ignored."))
    if "code" in query:
        return Redirect(code=query["code"])
    if "error" in query:
        reason = ": ".join(query[name] for name in ("error", "error_description") if name in query)
        return Redirect(denied=printable(reason))
    return Redirect(refusal=(400, "The login page sent neither a code nor an error. Please log in again."))


class Loopback:
    """A server for one login; closes under `async with`.

    Args:
        listener: listens on 127.0.0.1.

    Attributes:
        redirect_uri: the address for the login page.
        state: the random text for the login page.
        failure: why nobody is logged in although the browser has come back, or None.
    """

    def __init__(self, listener: Listener[SocketStream]) -> None:
        port = listener.extra(SocketAttribute.local_port)  # noqa: S610 - anyio's, not Django's
        self.redirect_uri = f"http://127.0.0.1:{port}{_PATH}"
        self.state = secrets.token_urlsafe(32)
        self.failure: RcexError | None = None
        self._listener = listener
        self._ended = anyio.Event()
        self._result: tuple[int, str] | None = None
        self._redeeming = anyio.Lock()

    @classmethod
    async def listen(cls, port: int) -> Self:
        """Listen on a port of 127.0.0.1; 0 for any free one.

        Raises:
            ConfigurationError: the port cannot be used.
        """
        try:
            multi = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=port)
        except OSError as exc:
            why = "is in use" if exc.errno == errno.EADDRINUSE else f"cannot be used: {exc.strerror}"
            raise ConfigurationError(
                f"port: {port} {why}; choose one whose address is registered for the application"
            ) from exc
        return cls(multi.listeners[0])

    async def serve(self, redeem: Redeem) -> None:
        """Serve until the browser has come back with a code or a denial.

        Args:
            redeem: logs in with the code, before the browser is answered; an `RcexError` of it becomes `failure`.
        """

        async def serve_one(stream: SocketStream) -> None:
            await self._serve_one(stream, redeem)

        async with anyio.create_task_group() as group:
            group.start_soon(self._listener.serve, serve_one)
            await self._ended.wait()
            group.cancel_scope.cancel()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._listener.aclose()

    async def _serve_one(self, stream: SocketStream, redeem: Redeem) -> None:
        http = h11.Connection(h11.SERVER)
        async with stream:
            try:
                request = None
                with anyio.move_on_after(_REQUEST_TIMEOUT):
                    request = await _read_request(http, stream)
                if request is not None:
                    status, text = await self._answer(request, redeem)
                    with anyio.move_on_after(_REQUEST_TIMEOUT):
                        await _write_page(http, stream, status, text)
            except (h11.RemoteProtocolError, anyio.BrokenResourceError):
                pass  # not a browser, or one that has gone; it may come again
        if self._result is not None:
            self._ended.set()

    async def _answer(self, request: h11.Request, redeem: Redeem) -> tuple[int, str]:
        """Return the status and text for the browser."""
        if request.method != b"GET":
            return 405, "Only GET is served here."
        found = read_redirect(request.target.decode("ascii"), state=self.state)
        if found.refusal is not None:
            return found.refusal
        async with self._redeeming:  # a page that is loaded twice comes twice, and a code works once
            if self._result is None:
                self._result = await self._end(found, redeem)
        return self._result

    async def _end(self, found: Redirect, redeem: Redeem) -> tuple[int, str]:
        if found.denied:
            self.failure = LoginUnfinished(f"the login page answered: {found.denied}")
            return 200, "Access was denied. You can close this window."
        try:
            await redeem(found.code)
        except RcexError as exc:
            self.failure = exc
            return 502, f"The login failed: {exc}"
        return 200, "You are logged in. You can close this window."


async def _read_request(http: h11.Connection, stream: ByteStream) -> h11.Request | None:
    """Return the head of a request; None if the client has gone without one."""
    while True:
        event = http.next_event()
        if isinstance(event, h11.Request):
            return event
        if event is not h11.NEED_DATA:
            return None
        try:
            http.receive_data(await stream.receive())
        except anyio.EndOfStream:
            http.receive_data(b"")


async def _write_page(http: h11.Connection, stream: ByteStream, status: int, text: str) -> None:
    page = f"<!doctype html><meta charset=utf-8><title>rcex-ws login</title><p>{escape(text)}</p>".encode()
    headers = [
        ("Content-Type", "text/html; charset=utf-8"),
        ("Content-Length", str(len(page))),
        ("Content-Security-Policy", "default-src 'none'"),
        ("Referrer-Policy", "no-referrer"),
        ("Cache-Control", "no-store"),
        ("Connection", "close"),
    ]
    head = http.send(h11.Response(status_code=status, headers=headers)) or b""
    await stream.send(head + (http.send(h11.Data(page)) or b"") + (http.send(h11.EndOfMessage()) or b""))
