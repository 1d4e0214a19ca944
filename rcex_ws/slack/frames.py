"""The frames of Slack RTM: one JSON object each. Pure.

Shapes as `@slack/client` 3.16.0 and `@slack/rtm-api` 6.2.1 send and take them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import msgspec

from rcex_ws.errors import BadFrame, NotJSON
from rcex_ws.readers import UNREADABLE, read_json

__all__ = ["Event", "decode", "encode"]

#: One frame, decoded.
Event = dict[str, Any]

_decoder = msgspec.json.Decoder(dict[str, Any])


def decode(data: bytes) -> Event:
    """Decode a frame; where msgspec is too strict (a lone surrogate, NaN) the standard json decides.

    Raises:
        BadFrame: it is no JSON object.
    """
    try:
        return _decoder.decode(data)
    except UNREADABLE:
        try:
            event: object = read_json(data)
        except NotJSON as exc:
            raise BadFrame(f"a frame is {exc}") from None
        if not isinstance(event, dict):
            raise BadFrame("a frame is no JSON object") from None
        return cast("Event", event)


def encode(event_type: str, message_id: int, body: Mapping[str, Any]) -> bytes:
    """Encode a message of ours; `message_id` is its id, under which it is answered."""
    return msgspec.json.encode({**body, "type": event_type, "id": message_id})
