"""HTTP CONNECT, without I/O: request a tunnel to the server from a proxy, and parse the response.

The response may arrive in any pieces. Data after its head comes out of the tunnel, and is kept.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Final

import h11

from rcex_ws.address import Address
from rcex_ws.errors import ConnectFailed
from rcex_ws.version import __version__
from rcex_ws.websocket.proxies import Proxy

__all__ = ["Tunnel"]

#: Bytes that the proxy may send before the tunnel is open. h11 limits each head; this also limits their number.
_LONGEST_ANSWER: Final = 2**16


class Tunnel:
    """The request for one tunnel.

    Args:
        proxy: an HTTP proxy, for its name and login.
        address: the server at the other end.

    Attributes:
        request: the bytes to send to the proxy.
        early: data received after the head of the response; set when the tunnel is open.
    """

    def __init__(self, proxy: Proxy, address: Address) -> None:
        self._proxy = proxy
        self._received = 0
        self._http = h11.Connection(h11.CLIENT)
        host = f"[{address.host}]" if ":" in address.host else address.host
        target = f"{host}:{address.port}"
        headers = [("Host", target), ("User-Agent", f"rcex_ws/{__version__}")]
        if proxy.username is not None:
            login = b64encode(f"{proxy.username}:{proxy.password or ''}".encode())
            headers.append(("Proxy-Authorization", f"Basic {login.decode()}"))
        request = self._http.send(h11.Request(method="CONNECT", target=target, headers=headers))
        self.request = (request or b"") + (self._http.send(h11.EndOfMessage()) or b"")
        self.early = b""

    def receive(self, data: bytes) -> bool:
        """Parse data from the proxy; return whether the tunnel is open. Not to be called once it is.

        Args:
            data: any piece of the response; b"" if the proxy has closed the connection.

        Raises:
            ConnectFailed: the proxy refused, or its response is not HTTP.
        """
        if not data:
            raise self.ended()
        self._received += len(data)
        try:
            self._http.receive_data(data)
            while True:
                event = self._http.next_event()
                if isinstance(event, h11.Response):
                    break
                if event is h11.NEED_DATA:
                    if self._received > _LONGEST_ANSWER:
                        raise self._failure("sent too long an answer to CONNECT")
                    return False
        except h11.RemoteProtocolError as exc:
            # h11's own text may quote the response.
            what = "too long an answer" if exc.error_status_hint == 431 else "an answer that is not HTTP"
            raise self._failure(f"sent {what} to CONNECT") from None
        if not 200 <= event.status_code < 300:
            raise ConnectFailed(self._proxy.refusal(event.status_code))
        self.early = self._http.trailing_data[0]
        return True

    def ended(self) -> ConnectFailed:
        """Return the error for a proxy that closes the connection instead of opening the tunnel."""
        return self._failure("closed the connection without an answer to CONNECT")

    def _failure(self, what: str) -> ConnectFailed:
        """Return an error that names the proxy; nothing has reached the server."""
        return ConnectFailed(f"the proxy {self._proxy.name} {what}")
