"""The messages of both sides, as decoded JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Message = dict[str, Any]

# -- from a client -----------------------------------------------------------------------------------------------------

HANDSHAKE: Message = {"MessageType": "Handshake", "Versions": ["0.1"]}


def action(name: str = "do", args: Any = None, callback_id: str = "1") -> Message:
    return {"MessageType": "Action", "ActionName": name, "ActionArgs": args or {}, "CallbackId": callback_id}


def feed_open(name: str = "feed", **args: str) -> Message:
    return {"MessageType": "FeedOpen", "FeedName": name, "FeedArgs": args}


def feed_close(name: str = "feed", **args: str) -> Message:
    return {"MessageType": "FeedClose", "FeedName": name, "FeedArgs": args}


# -- from a server -----------------------------------------------------------------------------------------------------

WELCOME: Message = {"MessageType": "HandshakeResponse", "Success": True, "Version": "0.1"}
REJECTION: Message = {"MessageType": "HandshakeResponse", "Success": False}


def violation(problem: str, message: str) -> Message:
    return {"MessageType": "ViolationResponse", "Diagnostics": {"Problem": problem, "Message": message}}


def answered(callback_id: str, data: Message | None = None) -> Message:
    return {"MessageType": "ActionResponse", "Success": True, "CallbackId": callback_id, "ActionData": data or {}}


def failed(callback_id: str, code: str = "NO", data: Message | None = None) -> Message:
    error = {"ErrorCode": code, "ErrorData": data or {}}
    return {"MessageType": "ActionResponse", "Success": False, "CallbackId": callback_id, **error}


def opened(data: Message | None = None, args: Mapping[str, str] | None = None, *, feed: str = "Board") -> Message:
    return _of_feed("FeedOpenResponse", feed, args, Success=True, FeedData=data or {})


def refused(
    code: str = "NO", data: Message | None = None, args: Mapping[str, str] | None = None, *, feed: str = "Board"
) -> Message:
    return _of_feed("FeedOpenResponse", feed, args, Success=False, ErrorCode=code, ErrorData=data or {})


def closed(args: Mapping[str, str] | None = None, *, feed: str = "Board") -> Message:
    return _of_feed("FeedCloseResponse", feed, args)


def terminated(
    code: str = "GONE", data: Message | None = None, args: Mapping[str, str] | None = None, *, feed: str = "Board"
) -> Message:
    return _of_feed("FeedTermination", feed, args, ErrorCode=code, ErrorData=data or {})


def notified(
    *deltas: Message,
    name: str = "move",
    data: Message | None = None,
    md5: str | None = None,
    args: Any = None,
    feed: str = "Board",
) -> Message:
    message = _of_feed("FeedAction", feed, args, ActionName=name, ActionData=data or {}, FeedDeltas=list(deltas))
    return message if md5 is None else {**message, "FeedMd5": md5}


def setting(name: str, value: Any) -> Message:
    """Return a delta."""
    return {"Operation": "Set", "Path": [name], "Value": value}


def _of_feed(kind: str, feed: str, args: Mapping[str, str] | None, **members: Any) -> Message:
    return {"MessageType": kind, "FeedName": feed, "FeedArgs": dict(args or {}), **members}
