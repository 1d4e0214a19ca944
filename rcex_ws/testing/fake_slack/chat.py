"""The Web API methods of the fake Slack for messages; called by `methods.py`."""

from __future__ import annotations

from typing import Any

from rcex_ws.gateway.shapes import as_array, decode
from rcex_ws.testing.fake_slack.answers import MethodError, flag, page
from rcex_ws.testing.fake_slack.core import FakeSlackCore
from rcex_ws.testing.fake_slack.workspace import JSONObject

__all__ = ["Chat"]

#: The parts of a message besides its text.
_PARTS = ("blocks", "attachments")


class Chat:
    """The methods chat.*, reactions.add and conversations.history.

    Args:
        core: the rules and the state.
    """

    def __init__(self, core: FakeSlackCore) -> None:
        self._core = core
        self._workspace = core.workspace

    def post_message(self, user_id: str, fields: JSONObject) -> JSONObject:
        """Post a message with text, blocks or attachments."""
        channel = self._room_of(fields)
        text, parts = str(fields.get("text") or ""), _parts_of(fields)
        if not text and not parts:
            raise MethodError("no_text")
        if fields.get("thread_ts"):
            parts["thread_ts"] = str(fields["thread_ts"])
        event = self._workspace.add_message(channel, user_id, text, **parts)
        self._core.publish(event)
        return {"channel": channel, "ts": event["ts"], "message": event}

    def update(self, user_id: str, fields: JSONObject) -> JSONObject:
        """Change a message, and publish an event of subtype message_changed."""
        message = self._message_of(user_id, fields, "cant_update_message")
        changed_at = self._workspace.next_ts()
        message |= {"text": fields.get("text", message["text"]), "edited": {"user": user_id, "ts": changed_at}}
        message |= _parts_of(fields)
        self._publish(message["channel"], "message_changed", changed_at, message=_without_channel(message))
        return {"channel": message["channel"], "ts": message["ts"], "text": message["text"]}

    def delete(self, user_id: str, fields: JSONObject) -> JSONObject:
        """Delete a message, and publish an event of subtype message_deleted."""
        message = self._message_of(user_id, fields, "cant_delete_message")
        self._workspace.messages.remove(message)
        channel, ts = message["channel"], message["ts"]
        before = _without_channel(message)
        self._publish(channel, "message_deleted", self._workspace.next_ts(), deleted_ts=ts, previous_message=before)
        return {"channel": channel, "ts": ts}

    def add_reaction(self, user_id: str, fields: JSONObject) -> JSONObject:
        """Add a reaction to a message, and publish the event."""
        channel, ts, name = self._room_of(fields), str(fields.get("timestamp", "")), str(fields.get("name", ""))
        if not ts:
            raise MethodError("no_item_specified")
        if not name:
            raise MethodError("invalid_name")
        message = self._workspace.message(channel, ts)
        if message is None:
            raise MethodError("message_not_found")
        reactions: list[JSONObject] = message.setdefault("reactions", [])
        reaction = next((one for one in reactions if one["name"] == name), None)
        if reaction is None:
            reactions.append(reaction := JSONObject(name=name, users=[], count=0))
        if user_id in reaction["users"]:
            raise MethodError("already_reacted")
        reaction["users"].append(user_id)
        reaction["count"] += 1
        item = {"type": "message", "channel": channel, "ts": ts}
        event = {"type": "reaction_added", "user": user_id, "reaction": name, "item_user": message["user"]}
        self._core.publish(event | {"item": item, "event_ts": self._workspace.next_ts()})
        return {}

    def history(self, user_id: str, fields: JSONObject) -> JSONObject:
        """Return the messages of a conversation between two time stamps, newest first, without replies in threads."""
        channel = self._room_of(fields)
        oldest, latest = str(fields.get("oldest") or "0"), str(fields.get("latest") or "9999999999.999999")
        inclusive = flag(fields.get("inclusive"))

        def wanted(message: JSONObject) -> bool:
            ts = str(message["ts"])
            if message["channel"] != channel or message.get("thread_ts", ts) != ts:
                return False
            return oldest <= ts <= latest if inclusive else oldest < ts < latest

        messages = [_without_channel(one) for one in reversed(self._workspace.messages) if wanted(one)]
        answer = page(messages, fields, "messages", default=100)
        return answer | {"has_more": bool(answer["response_metadata"]["next_cursor"])}

    def _room_of(self, fields: JSONObject) -> str:
        if not self._workspace.has_room(fields.get("channel")):
            raise MethodError("channel_not_found")
        return str(fields["channel"])

    def _message_of(self, user_id: str, fields: JSONObject, not_mine: str) -> JSONObject:
        message = self._workspace.message(self._room_of(fields), str(fields.get("ts", "")))
        if message is None:
            raise MethodError("message_not_found")
        if message["user"] != user_id:
            raise MethodError(not_mine)
        return message

    def _publish(self, channel: str, subtype: str, ts: str, **facts: Any) -> None:
        event = {"type": "message", "subtype": subtype, "hidden": True, "channel": channel, "ts": ts, "event_ts": ts}
        self._core.publish(event | facts)


def _parts_of(fields: JSONObject) -> JSONObject:
    """Return blocks and attachments; in a form they are JSON."""
    parts: JSONObject = {}
    for name in _PARTS:
        value = fields.get(name)
        if isinstance(value, str) and value:
            try:
                value = decode(value.encode())
            except ValueError:
                raise MethodError("invalid_blocks" if name == "blocks" else "invalid_attachments") from None
        if items := as_array(value):
            parts[name] = items
    return parts


def _without_channel(message: JSONObject) -> JSONObject:
    return {key: value for key, value in message.items() if key != "channel"}
