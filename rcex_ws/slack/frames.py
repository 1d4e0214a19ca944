"""The frames of Slack RTM, each one JSON object. Pure.

Their shapes are those that `@slack/client` 3.16.0 and `@slack/rtm-api` 6.2.1 send and accept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import msgspec

from rcex_ws.errors import BadFrame, NotJSON
from rcex_ws.readers import UNREADABLE, read_json

__all__ = ["Event", "decode", "encode"]

#: A decoded frame.
Event = dict[str, Any]

_decoder = msgspec.json.Decoder(dict[str, Any])


def decode(data: bytes) -> Event:
    """Decode a frame; where msgspec is too strict (lone surrogates, NaN) the standard json module decides.

    Raises:
        BadFrame: the frame is not a JSON object.
    """
    try:
        return _decoder.decode(data)
    except UNREADABLE:
        try:
            event: object = read_json(data)
        except NotJSON as exc:
            raise BadFrame(f"a frame is {exc}") from None
        if not isinstance(event, dict):
            raise BadFrame("a frame is not a JSON object") from None
        return cast("Event", event)


def encode(event_type: str, message_id: int, body: Mapping[str, Any]) -> bytes:
    """Encode an outbound message; Slack's reply names its `message_id`."""
    return msgspec.json.encode({**body, "type": event_type, "id": message_id})
