"""By which address a client came, and who may order faults: no web page may. Pure functions.

A page on any site can make a browser send a POST to a port of the developer's machine. It then says where it comes
from (Origin, Sec-Fetch-Site); and if its own name was bound to this machine's address meanwhile, it says that name
(Host). Names that nobody on the internet can have are taken: addresses, localhost, and names without a dot, which
containers and machines of a local network have.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Mapping

__all__ = ["host_name", "refusal_reason", "server_of"]

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?")


def server_of(host: str) -> str | None:
    """Return the address of the REST API that a Host header names, None for one that is none."""
    return f"http://{host}" if _HOST.fullmatch(host) else None


def host_name(host: str) -> str:
    """Return the name or the address in a Host header, or in an address without its scheme; empty for none."""
    found = _HOST.match(host)
    return found[1].lower() if found else ""


def refusal_reason(headers: Mapping[str, str], own_names: Collection[str]) -> str | None:
    """Say why a request may not order faults, None when it may.

    Args:
        headers: Of the request, names in lower case.
        own_names: What else the gateway is called.
    """
    host = headers.get("host", "")
    name = host_name(host) if _HOST.fullmatch(host) else ""
    if not _is_local(name) and name not in own_names:
        return "The Host of the request is no name of a local machine"
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
