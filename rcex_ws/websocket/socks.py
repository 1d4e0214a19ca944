"""Connect through a SOCKS5 proxy with python-socks, on all event loops. Loaded when such a proxy is first used."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Any, Final, Protocol, TypeVar

from python_socks import ProxyConnectionError, ProxyError, ProxyType

from rcex_ws.errors import ConnectFailed
from rcex_ws.websocket.dial import Route, step_failed
from rcex_ws.websocket.eyeballs import AddressInfo, connect_first, resolve
from rcex_ws.websocket.proxies import Proxy

__all__ = ["ProxyClass", "connect_through"]

#: Seconds, a day: the default time-out of python-socks would preempt the caller's.
_NO_TIMEOUT: Final = 86400.0


class _TcpSocket(Protocol):
    def close(self) -> None: ...

    def setsockopt(self, level: int, optname: int, value: int, /) -> None: ...


S = TypeVar("S", bound=_TcpSocket, covariant=True)


class _Connector(Protocol[S]):
    async def connect(self, dest_host: str, dest_port: int, timeout: float) -> S: ...


class ProxyClass(Protocol[S]):
    """The part of python-socks' `Proxy` in use; each event loop has its own class."""

    def create(self, *args: Any, **kwargs: Any) -> _Connector[S]:
        """Return a connector for one proxy."""
        ...


async def connect_through(proxy_class: ProxyClass[S], route: Route, proxy: Proxy) -> S:
    """Connect to the server through a proxy; return the socket.

    python-socks would try only one address of the proxy, so it is called for each of them.

    Raises:
        ConnectFailed: the proxy cannot be reached, or it did not connect.
    """

    async def connect(info: AddressInfo) -> S:
        connector = proxy_class.create(
            proxy_type=ProxyType.SOCKS5,
            host=info[4][0],
            port=proxy.port,
            username=proxy.username,
            password=proxy.password,
            rdns=proxy.scheme == "socks5h",
        )
        try:
            return await connector.connect(route.address.host, route.address.port, timeout=_NO_TIMEOUT)
        except ProxyConnectionError:
            raise  # an OSError: the next address may answer
        except ProxyError as exc:  # its text comes from python-socks, not from the proxy
            raise ConnectFailed(f"the proxy {proxy.name} did not connect to {route.server}: {exc}") from None
        except socket.gaierror as exc:  # socks5 resolves the server's name here
            raise step_failed(f"no connection to {route.server}", exc) from None
        except OSError as exc:
            raise step_failed(f"lost the proxy {proxy.name}", exc) from None
        except ValueError:  # its text may quote the password
            raise ConnectFailed(
                f"the login at the proxy {proxy.name}, or the server's name, cannot be sent by SOCKS", retryable=False
            ) from None

    try:
        connected = await connect_first(await resolve(proxy.host, proxy.port), connect)
    except OSError as exc:
        raise step_failed(f"no connection to the proxy {proxy.name}", exc) from None
    with suppress(OSError):  # it has ended, which the first use will report
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connected
