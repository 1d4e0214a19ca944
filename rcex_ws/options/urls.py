"""What is wrong with the URL of a server that a caller gave; nothing of it is ever quoted. Pure."""

from __future__ import annotations

from urllib.parse import urlsplit

from rcex_ws import address

__all__ = ["server_fault", "url_fault"]


def server_fault(url: str) -> str | None:
    """Tell what is wrong with the base URL of a REST API; None if nothing is."""
    fault = address.server_fault(url)
    if fault is None and urlsplit(url).path.startswith("/restapi"):
        return "it has a path; /restapi belongs to the calls"
    return fault


def url_fault(url: str) -> str | None:
    """Tell what is wrong with the URL of a server of either kind; None if nothing is."""
    return address.websocket_fault(url) if url[:2].lower() == "ws" else server_fault(url)
