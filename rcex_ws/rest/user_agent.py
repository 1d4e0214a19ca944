"""The value of User-Agent and X-User-Agent, which names the application. Pure.

Used by `rcex_ws.rest.client` and `rcex_ws.slack`.
"""

from __future__ import annotations

import platform
from urllib.parse import quote

from rcex_ws.version import __version__

__all__ = ["user_agent"]

# Any other character cannot be sent in a header.
_PRINTABLE_ASCII = "".join(map(chr, range(0x20, 0x7F)))


def user_agent(app_name: str, app_version: str) -> str:
    """Return the value of both headers; non-ASCII text is percent-encoded: "Büro" becomes "B%C3%BCro"."""
    product = quote(f"{app_name}/{app_version}", safe=_PRINTABLE_ASCII)
    return f"{product} rcex_ws/{__version__} python/{platform.python_version()}"
