"""Encoding and decoding of frames: `[meta]`, `[meta, body]`, and the special frame of a multipart answer. Pure.

Used only by `websocket.py`.
"""

from __future__ import annotations

import json
import uuid
from datetime import datetime
from typing import Any

from rcex_ws.gateway.call import RestAnswer
from rcex_ws.gateway.options import GatewayOptions
from rcex_ws.gateway.sessions import Opening, ServerFrame
from rcex_ws.gateway.shapes import as_array, as_object, decode

__all__ = ["answer_frame", "connection_details", "error_frame", "parse", "text_of"]


def text_of(frame: ServerFrame) -> str:
    """Return the JSON text of a frame."""
    return _dump([frame.meta] if frame.body is None else [frame.meta, frame.body])


def connection_details(opening: Opening, options: GatewayOptions, now: datetime) -> ServerFrame:
    """Return ConnectionDetails, the first frame of every connection."""
    message_id = str(uuid.uuid1())
    meta = {
        "type": "ConnectionDetails",
        "messageId": message_id,
        "status": 200,
        "wsc": opening.session.wsc,
        "headers": {"RCRequestId": message_id},
    }
    body = {
        "creationTime": f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}+0000",
        "maxConnectionsPerSession": options.max_connections_per_session,
        "recoveryBufferSize": options.recovery_buffer_size,
        "recoveryTimeout": options.recovery_timeout,
        "idleTimeout": options.idle_timeout,
        "absoluteTimeout": options.absolute_timeout,
        "maxActiveRequests": options.max_active_requests,
    }
    return ServerFrame(meta, body | opening.recovery)


def error_frame(code: str, message: str, status: int, message_id: object = None) -> ServerFrame:
    """Return an Error frame; it belongs to no request unless the request's message id is passed."""
    number = str(uuid.uuid4()) if message_id is None else message_id
    meta: dict[str, Any] = {"type": "Error", "messageId": number, "status": status, "headers": {}}
    return ServerFrame(meta, {"errorCode": code, "message": message})


def answer_frame(meta: dict[str, Any], answer: RestAnswer) -> str:
    """Return the text of the answer to a ClientRequest.

    A multipart body is embedded verbatim, so the frame as a whole is not JSON (seen in RingCentral's SDKs, which split
    it at its boundary).

    Args:
        meta: type, messageId and other members of the frame's meta.
        answer: status, headers and body.
    """
    meta = {**meta, "status": answer.status}
    if answer.headers:
        meta["headers"] = {_http_case(name): value for name, value in answer.headers.items()}
    if not answer.body:
        return _dump([meta])
    body = answer.body.decode()
    return f"[{_dump(meta)},{body if body.startswith('--') else _dump(json.loads(body))}]"


def parse(message: bytes) -> tuple[dict[str, Any], list[Any]]:
    """Split a client frame into its meta and the elements after it.

    Raises:
        ValueError: the message is not a JSON array that begins with an object.
    """
    frame = as_array(decode(message))
    meta = as_object(frame[0]) if frame else None
    if frame is None or meta is None:
        raise ValueError("not a frame")
    return meta, frame[1:]


def _dump(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def _http_case(name: str) -> str:
    """Return a header name as RingCentral writes it in frames: `X-Rate-Limit-Window`, not in lower case."""
    return "RCRequestId" if name == "rcrequestid" else "-".join(part.capitalize() for part in name.split("-"))
