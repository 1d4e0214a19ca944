"""The hash of feed data, and of feed data that changes. Pure."""

from __future__ import annotations

import hashlib
from binascii import b2a_base64
from collections.abc import Mapping
from itertools import compress, count
from operator import is_not
from typing import Any

from rcex_ws.feedme.canonical import canonical
from rcex_ws.feedme.text import CanonicalText
from rcex_ws.feedme.values import FrozenDict, freeze

__all__ = ["FeedDigest", "feed_md5"]

#: Below this size, in bytes, to write and hash all of it is faster than to find out what has changed.
_SMALL = 32768

#: After how many pieces of text the state of MD5 is kept.
_GROUP = 4


def feed_md5(data: Mapping[str, Any]) -> str:
    """Return the FeedMd5 of feed data: 24 characters. An infinite number counts as null, as in JavaScript.

    Raises:
        NotExpressible: JSON cannot express it.
    """
    return _base64(hashlib.md5(canonical(freeze(data, infinite=True)), usedforsecurity=False).digest())


class FeedDigest:
    """The FeedMd5 of a document that changes by small steps, as `rcex_ws.feedme.deltas` makes them.

    What MD5 allows: it reads the text from front to back, in which members stand in the order of their names. Of what
    stands before the first change its state is kept; all that follows has to be hashed again. The text is written
    again only near the changes. Against `feed_md5`, a change of one row of {"rows": [...], "version": 1} takes 37 % of
    the time in a document of 1 MB, 60 % in one of 50 kB, and one of "version", which stands last, 2 % and 7 %. A
    document of which nothing stays the same takes 190 %. The text of a document is kept if that is longer than 32 kB;
    shorter ones are written and hashed whole, which is faster.
    """

    __slots__ = ("_large",)

    def __init__(self) -> None:
        self._large: tuple[CanonicalText, _Hash] | None = None

    def md5(self, data: FrozenDict) -> str:
        """Return the FeedMd5 of the document as it is now; its unchanged parts are recognized by their identity."""
        if self._large is None:
            text = canonical(data)
            if len(text) < _SMALL:
                return _base64(hashlib.md5(text, usedforsecurity=False).digest())
            self._large = CanonicalText(), _Hash()
        pieces, digest = self._large
        return _base64(digest.update(pieces.update(data)))


class _Hash:
    """The MD5 of a text in pieces, and its states on the way: one before each group of pieces."""

    __slots__ = ("_pieces", "_states")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._states = [hashlib.md5(usedforsecurity=False)]

    def update(self, pieces: list[bytes]) -> bytes:
        """Return the MD5; the leading pieces that are those of the last time are not hashed again."""
        changed = compress(count(), map(is_not, pieces, self._pieces))
        first = next(changed, min(len(pieces), len(self._pieces))) // _GROUP
        del self._states[first + 1 :]
        for start in range(first * _GROUP, len(pieces), _GROUP):
            state = self._states[-1].copy()
            state.update(b"".join(pieces[start : start + _GROUP]))
            self._states.append(state)
        self._pieces = pieces
        return self._states[-1].digest()


def _base64(digest: bytes) -> str:
    return b2a_base64(digest, newline=False).decode()
