"""The address that a client has used, and protection of the fault control against web pages. Pure functions.

A page on any site can make a browser send a POST to a port of the developer's machine. The browser then sends the
page's origin (Origin, Sec-Fetch-Site) or, after DNS rebinding, the site's name (Host). Accepted are only hosts that
cannot be names on the internet: IP addresses, localhost, and names without a dot, as in containers and local networks.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Mapping

__all__ = ["cross_site_reason", "host_name", "refusal_reason", "server_of"]

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?")


def server_of(host: str) -> str | None:
    """Return the base URL of the REST API for a Host header, None if the header is malformed."""
    return f"http://{host}" if _HOST.fullmatch(host) else None


def host_name(host: str) -> str:
    """Return the host in a Host header or in a URL without its scheme; empty if there is none."""
    found = _HOST.match(host)
    return found[1].lower() if found else ""


def refusal_reason(headers: Mapping[str, str], own_names: Collection[str]) -> str | None:
    """Return why a request may not control faults, None if it may.

    Args:
        headers: the headers of the request, names in lower case.
        own_names: host names of the gateway that are accepted as well.
    """
    host = headers.get("host", "")
    name = host_name(host) if _HOST.fullmatch(host) else ""
    if not _is_local(name) and name not in own_names:
        return "The Host of the request does not name a local machine"
    return cross_site_reason(headers)


def cross_site_reason(headers: Mapping[str, str]) -> str | None:
    """Return why a page of another site has sent this request, None if none has.

    Args:
        headers: the headers of the request, names in lower case.
    """
    host = headers.get("host", "")
    origin = headers.get("origin")
    if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
        return "A web page of another origin may not do this"
    if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return "A web page of another site may not do this"
    return None


def _is_local(name: str) -> bool:
    if not name:
        return False
    if "." not in name.rstrip(".") or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
