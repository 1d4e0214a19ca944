"""What names the application in User-Agent and X-User-Agent. Pure."""

from __future__ import annotations

from urllib.parse import quote

__all__ = ["as_product"]

# All of printable ASCII: what is not can stand in no header.
_PLAIN = "".join(map(chr, range(0x20, 0x7F)))


def as_product(name: str) -> str:
    """Encode what is not ASCII by percent signs, as in a URL: "Büro" becomes "B%C3%BCro"."""
    return name if name.isascii() else quote(name, safe=_PLAIN)
