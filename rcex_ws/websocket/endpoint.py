"""Where and how one attempt connects."""

from __future__ import annotations

import ssl as ssl_module
from collections.abc import Mapping
from typing import Annotated

from msgspec import field

from rcex_ws.secret import SECRET, HiddenFields
from rcex_ws.trace import SILENT, Tracer

__all__ = ["Endpoint"]


class Endpoint(HiddenFields, frozen=True):
    """The target of one attempt to connect, and its options.

    Attributes:
        url: the ws:// or wss:// address; may contain secrets, so it is never shown.
        headers: extra headers of the upgrade request.
        subprotocol: the only one that is offered, which the server must select; None for none.
        proxy: None for the environment's proxy, a URL (http, https, socks5, socks5h) for that one, False for none.
        ssl_context: for wss:// only; None for the system's trust store.
        max_size: the largest message accepted, in bytes.
        trace: receives the steps of connecting.
    """

    url: Annotated[str, SECRET]
    headers: Annotated[Mapping[str, str], SECRET] = field(default_factory=dict[str, str])
    subprotocol: str | None = None
    proxy: Annotated[str | bool | None, SECRET] = None
    ssl_context: ssl_module.SSLContext | None = None
    max_size: int = 16 * 2**20
    trace: Tracer = SILENT
