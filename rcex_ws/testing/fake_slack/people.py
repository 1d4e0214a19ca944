"""The Web API methods of the fake Slack for users, conversations and the team; called by `methods.py`."""

from __future__ import annotations

from rcex_ws.gateway.shapes import as_array
from rcex_ws.testing.fake_slack.answers import MethodError, flag, page
from rcex_ws.testing.fake_slack.core import FakeSlackCore
from rcex_ws.testing.fake_slack.workspace import JSONObject

__all__ = ["People"]

_TYPES = ("public_channel", "private_channel", "mpim", "im")


class People:
    """The methods users.*, conversations.* except conversations.history, im.open and team.info.

    Args:
        core: the rules and the state.
    """

    def __init__(self, core: FakeSlackCore) -> None:
        self._core = core
        self._workspace = core.workspace

    def users_list(self, user_id: str, fields: JSONObject) -> JSONObject:
        """Return all users."""
        return page(self._workspace.users, fields, "members", default=None)

    def users_info(self, user_id: str, fields: JSONObject) -> JSONObject:
        """Return one user."""
        user = self._workspace.user(str(fields.get("user", "")))
        if user is None:
            raise MethodError("user_not_found")
        return {"user": user}

    def conversations_list(self, user_id: str, fields: JSONObject) -> JSONObject:
        """Return the conversations of some types, by default public channels."""
        types = str(fields.get("types") or _TYPES[0]).replace(" ", "").split(",")
        if not set(types) <= set(_TYPES):
            raise MethodError("invalid_types")
        workspace = self._workspace
        kinds = zip(_TYPES, (workspace.channels, workspace.groups, workspace.mpims, workspace.ims), strict=True)
        rooms = [room for kind, rooms in kinds if kind in types for room in rooms]
        if flag(fields.get("exclude_archived")):
            rooms = [room for room in rooms if not room.get("is_archived")]
        return page([_conversation(room) for room in rooms], fields, "channels", default=100)

    def conversations_info(self, user_id: str, fields: JSONObject) -> JSONObject:
        """Return one conversation."""
        room = self._workspace.room(fields.get("channel"))
        if room is None:
            raise MethodError("channel_not_found")
        return {"channel": _conversation(room)}

    def conversations_open(self, user_id: str, fields: JSONObject) -> JSONObject:
        """Open a direct message with some users."""
        return self._open(user_id, str(fields.get("users", "")))

    def im_open(self, user_id: str, fields: JSONObject) -> JSONObject:
        """Open a direct message with a user."""
        return self._open(user_id, str(fields.get("user", "")))

    def team_info(self, user_id: str, fields: JSONObject) -> JSONObject:
        """Return the team."""
        return {"team": dict(self._workspace.team)}

    def _open(self, user_id: str, wanted: str) -> JSONObject:
        """Open a direct message, and publish an event if it is new."""
        members = [member for member in wanted.split(",") if member and member != user_id]
        if not members or any(self._workspace.user(member) is None for member in members):
            raise MethodError("user_not_found")
        everybody = members if len(members) == 1 else [user_id, *members]
        room, known = self._workspace.open_room(everybody)
        if known:
            return {"no_op": True, "already_open": True, "channel": {"id": room["id"]}}
        kind = "im_created" if room["id"].startswith("D") else "group_joined"
        self._core.publish({"type": kind, "user": members[0], "channel": room})
        return {"channel": {"id": room["id"]}}


def _conversation(room: JSONObject) -> JSONObject:
    """Return a room in the format of conversations.*: with all flags, and with num_members instead of members."""
    shown = {key: value for key, value in room.items() if key != "members"}
    flags = {f"is_{kind}": bool(room.get(f"is_{kind}")) for kind in ("channel", "group", "im", "mpim")}
    flags["is_private"] = not flags["is_channel"]
    if flags["is_im"]:
        return shown | flags
    return shown | flags | {"num_members": len(as_array(room.get("members")) or ())}
