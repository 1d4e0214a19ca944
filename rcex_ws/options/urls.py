"""What is wrong with the URL of a server that a caller gave; nothing of it is ever quoted. Pure."""

from __future__ import annotations

from urllib.parse import urlsplit

from rcex_ws.address import check_server, check_websocket
from rcex_ws.errors import ConfigurationError

__all__ = ["server_fault", "url_fault", "websocket_fault"]


def server_fault(url: str) -> str | None:
    """Tell what is wrong with the base URL of a REST API; None if nothing is."""
    try:
        check_server(url, name="")
    except ConfigurationError as exc:
        return str(exc).removeprefix(": expected an http(s) URL: ").partition(", such as ")[0].removeprefix(": ")
    if urlsplit(url).path.startswith("/restapi"):
        return "it has a path; /restapi belongs to the calls"
    return None


def websocket_fault(url: str) -> str | None:
    """Tell what is wrong with the URL of a WebSocket server; None if nothing is."""
    try:
        check_websocket(url, name="")
    except ConfigurationError as exc:
        return str(exc).removeprefix(": not a valid ws:// or wss:// URI: ")
    return None


def url_fault(url: str) -> str | None:
    """Tell what is wrong with the URL of a server of either kind; None if nothing is."""
    return websocket_fault(url) if url[:2].lower() == "ws" else server_fault(url)
