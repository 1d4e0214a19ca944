"""The hash of feed data: MD5 over the canonical JSON text, which is the same in every implementation of Feedme. Pure."""

from __future__ import annotations

import hashlib
from binascii import b2a_base64
from typing import Any

import msgspec

from rcex_ws.feedme.values import FrozenDict, FrozenList, js_text

__all__ = ["FeedDigest", "canonical", "feed_md5"]

_encode = msgspec.json.Encoder(order="sorted", enc_hook=js_text).encode


def canonical(value: Any) -> bytes:
    """Write a frozen value as JSON text without whitespace, members sorted by the UTF-16 units of their names."""
    try:
        encoded = _encode(value)
    except UnicodeEncodeError:  # half a surrogate pair in the name of a member
        return _canonical(value)
    # UTF-8 and UTF-16 sort alike but for characters beyond U+FFFF beside those of U+E000 to U+FFFF.
    if encoded.isascii() or not _has_both(encoded):
        return encoded
    return _canonical(value)


def feed_md5(data: FrozenDict) -> str:
    """Return the FeedMd5 of feed data: 24 characters."""
    return b2a_base64(hashlib.md5(canonical(data), usedforsecurity=False).digest(), newline=False).decode()


class FeedDigest:
    """The hash of a document that changes in small steps."""

    def md5(self, data: FrozenDict) -> str:
        """Return the FeedMd5 of feed data; quick if most of its parts are those of the previous call."""
        return feed_md5(data)


def _has_both(encoded: bytes) -> bool:
    return any(lead in encoded for lead in (b"\xf0", b"\xf1", b"\xf2", b"\xf3", b"\xf4")) and (
        b"\xee" in encoded or b"\xef" in encoded
    )


def _canonical(value: Any) -> bytes:
    if type(value) is FrozenDict:
        names = sorted(value, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
        return b"{" + b",".join(_name(name) + b":" + _canonical(value[name]) for name in names) + b"}"
    if type(value) is FrozenList:
        return b"[" + b",".join(map(_canonical, value)) + b"]"
    return _encode(value)


def _name(name: str) -> bytes:
    try:
        return _encode(name)
    except UnicodeEncodeError:
        from rcex_ws.feedme.values import JSText

        return bytes(js_text(JSText(name)))
