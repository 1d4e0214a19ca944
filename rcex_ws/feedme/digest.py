"""The hash of feed data. Pure."""

from __future__ import annotations

import hashlib
from binascii import b2a_base64

from rcex_ws.feedme.canonical import canonical
from rcex_ws.feedme.values import FrozenDict

__all__ = ["FeedDigest", "canonical", "feed_md5"]


def feed_md5(data: FrozenDict) -> str:
    """Return the FeedMd5 of feed data: 24 characters."""
    return b2a_base64(hashlib.md5(canonical(data), usedforsecurity=False).digest(), newline=False).decode()


class FeedDigest:
    """The hash of a document that changes in small steps."""

    def md5(self, data: FrozenDict) -> str:
        """Return the FeedMd5 of feed data; quick if most of its parts are those of the previous call."""
        return feed_md5(data)
