"""What is written into the log of a user: an event, almost as clients get it, and who waits for how many took it. Pure.

An entry is one line and the event without its closing brace: the position, which is known once the entry is written,
completes it. So no server decodes or encodes what another one has published.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from rcex_ws.broker.interface import Entry
from rcex_ws.readers import read_digits
from rcex_ws.rtm.frames import encode_event
from rcex_ws.rtm.server.session import Outbound

__all__ = ["Publication", "encode_publication"]


def encode_publication(event: str, data: Sequence[Any], node: str = "", number: int = 0) -> bytes:
    """Encode an entry.

    Args:
        event: the name of the event.
        data: its arguments.
        node: who waits for how many connections take it; "" for nobody.
        number: of the publication, among those of the node.

    Raises:
        ConfigurationError: JSON cannot express the arguments.
    """
    head = f"{node} {number}\n" if node else "\n"
    return head.encode() + encode_event(event, data)[:-1]


class Publication(Struct, frozen=True):
    """An entry of the log of a user.

    Attributes:
        node: as for `encode_publication`.
        number: likewise.
        frame: the event, as clients get it.
    """

    node: str
    number: int
    frame: bytes

    @classmethod
    def decode(cls, entry: Entry) -> Publication:
        """Decode an entry."""
        head, _, event = entry.data.partition(b"\n")
        node, _, number = head.decode(errors="replace").partition(" ")
        return cls(node, read_digits(number) or 0, b'%b,"id":"%b"}' % (event, entry.position.encode()))

    def outbound(self) -> Outbound:
        """Return the event, to be sent to any number of clients."""
        return Outbound(self.frame, published=True)
