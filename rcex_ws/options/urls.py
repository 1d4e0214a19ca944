"""Find faults in server URLs that a caller passed; the faults never quote the URL. Pure."""

from __future__ import annotations

from urllib.parse import urlsplit

from rcex_ws import address

__all__ = ["server_fault", "url_fault"]


def server_fault(url: str) -> str | None:
    """Return what is wrong with the base URL of a REST API, or None."""
    fault = address.server_fault(url)
    if fault is None and urlsplit(url).path.startswith("/restapi"):
        return "it has a path; /restapi belongs to the calls"
    return fault


def url_fault(url: str) -> str | None:
    """Return what is wrong with the URL of a REST API or a WebSocket server, or None."""
    return address.websocket_fault(url) if url[:2].lower() == "ws" else server_fault(url)
