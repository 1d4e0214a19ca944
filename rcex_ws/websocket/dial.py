"""Temporary."""
import asyncio, socket
from urllib.parse import urlsplit
from rcex_ws.errors import ConnectFailed
async def dial_asyncio(endpoint, factory):
    u = urlsplit(endpoint.url); secure = u.scheme.lower()=="wss"
    try:
        t, p = await asyncio.get_running_loop().create_connection(factory, u.hostname, u.port or (443 if secure else 80), ssl=(endpoint.ssl_context or True) if secure else None)
    except OSError as exc:
        raise ConnectFailed(f"no connection to the server: {type(exc).__name__}: {exc.strerror or exc}") from None
    t.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return t, p
async def dial_trio(endpoint):
    import trio, ssl
    u = urlsplit(endpoint.url); secure = u.scheme.lower()=="wss"
    try:
        s = await trio.open_tcp_stream(u.hostname, u.port or (443 if secure else 80))
    except OSError as exc:
        raise ConnectFailed(f"no connection to the server: {type(exc).__name__}: {exc.strerror or exc}") from None
    if secure:
        s = trio.SSLStream(s, endpoint.ssl_context or ssl.create_default_context(), server_hostname=u.hostname, https_compatible=True)
        try:
            await s.do_handshake()
        except trio.BrokenResourceError as exc:
            raise ConnectFailed(f"no connection to the server: {exc.__cause__}") from None
    return s
