"""The users, channels and messages of the fake Slack: plain data in the format of Slack's API, no I/O.

Made by `server.py`, used by the methods and by `core.py`. The format is that of the answers that the npm package
`@slack/client` 3.16.0 contains as test input (`test/fixtures/rtm.start.json`, `rtm.connect.json`).
"""

from __future__ import annotations

import time
from typing import Any, Literal

from rcex_ws.gateway.shapes import as_object

__all__ = ["JSONObject", "Workspace"]

JSONObject = dict[str, Any]
"""A user, channel, message and so on, as in Slack's answers."""

_CREATED = 1_500_000_000
_NEVER_READ = "0000000000.000000"


def _user(user_id: str, name: str, *, is_bot: bool = False, **more: Any) -> JSONObject:
    profile = {"real_name": name.title(), "email": f"{name}@fake-slack.test"}
    if is_bot:
        profile = {"real_name": name.title(), "bot_id": "B0000ROBO"}
    return {
        "id": user_id,
        "team_id": "T0000FAKE",
        "name": name,
        "deleted": False,
        "is_bot": is_bot,
        "presence": "active" if is_bot else "away",
        "tz": "Europe/London",
        "profile": profile,
        **more,
    }


def _room(room_id: str, kind: str, **more: Any) -> JSONObject:
    return {
        "id": room_id,
        f"is_{kind}": True,
        "created": _CREATED,
        "is_archived": False,
        "last_read": _NEVER_READ,
        "unread_count": 0,
        **more,
    }


class Workspace:
    """One workspace. Users may change all its lists.

    Attributes:
        team: its id, name and domain.
        self_id: the user id of the bot, which the first token belongs to.
        tokens: the user id for each valid token.
        users: the users, including the bot's own.
        channels: public channels.
        groups: private channels.
        ims: direct messages between the bot and one user.
        mpims: direct messages among several users.
        bots: the bots, by their bot ids.
        messages: every message, oldest first.
    """

    def __init__(self) -> None:
        self.team: JSONObject = {"id": "T0000FAKE", "name": "Fake Slack", "domain": "fake-slack"}
        self.self_id = "U0000ROBO"
        self.tokens = {"xoxb-fake-slack-robot": self.self_id, "xoxp-fake-slack-alice": "U000ALICE"}
        self.users = [
            _user(self.self_id, "robot", is_bot=True),
            _user("U000ALICE", "alice", is_admin=True),
            _user("U0000BOBB", "bob"),
            _user("USLACKBOT", "slackbot"),
        ]
        everybody = [self.self_id, "U000ALICE", "U0000BOBB"]
        self.channels = [
            _room("C0GENERAL", "channel", name="general", is_general=True, is_member=True, members=everybody),
            _room("C00RANDOM", "channel", name="random", is_general=False, is_member=False, members=everybody[1:]),
        ]
        self.groups = [_room("G00SECRET", "group", name="secret", is_open=True, members=everybody[:2])]
        self.ims = [_room("D000ALICE", "im", user="U000ALICE", is_open=True)]
        name = "mpdm-robot--alice--bob-1"
        self.mpims = [_room("G0000MPIM", "mpim", is_group=True, name=name, is_open=True, members=everybody)]
        icons = {"image_48": "https://fake-slack.test/robot_48.png"}
        self.bots: list[JSONObject] = [
            {"id": "B0000ROBO", "deleted": False, "name": "robot", "user_id": self.self_id, "icons": icons}
        ]
        self.messages: list[JSONObject] = []
        self._last_ts = 0

    def next_ts(self) -> str:
        """Return a new time stamp to identify a message, as at Slack: seconds and microseconds, always increasing."""
        self._last_ts = max(self._last_ts + 1, time.time_ns() // 1000)
        return f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06d}"

    def user(self, user_id: str) -> JSONObject | None:
        """Return the user with this id."""
        return next((user for user in self.users if user["id"] == user_id), None)

    def room(self, room_id: object) -> JSONObject | None:
        """Return the channel, group or direct message with this id."""
        rooms = (*self.channels, *self.groups, *self.ims, *self.mpims)
        return next((room for room in rooms if room["id"] == room_id), None)

    def has_room(self, room_id: object) -> bool:
        """Return whether a channel, group or direct message has this id."""
        return self.room(room_id) is not None

    def message(self, room_id: str, ts: str) -> JSONObject | None:
        """Return the message with this time stamp."""
        return next((one for one in self.messages if (one["channel"], one["ts"]) == (room_id, ts)), None)

    def add_message(self, room_id: str, user_id: str, text: str, **more: Any) -> JSONObject:
        """Append a message, with the bot id if the user is a bot; return the event to publish."""
        message = {"type": "message", "channel": room_id, "user": user_id, "text": text, "ts": self.next_ts(), **more}
        bot_id = (as_object((self.user(user_id) or {}).get("profile")) or {}).get("bot_id")
        if bot_id is not None:
            message["bot_id"] = bot_id
        parent = self.message(room_id, str(more.get("thread_ts", "")))
        if parent is not None:
            parent |= {"thread_ts": parent["ts"], "reply_count": parent.get("reply_count", 0) + 1}
        self.messages.append(message)
        return dict(message)

    def open_room(self, members: list[str]) -> tuple[JSONObject, bool]:
        """Return the direct message with these users, and whether it existed before."""
        for room in self.ims if len(members) == 1 else self.mpims:
            if sorted(members) == sorted(room.get("members", [room.get("user")])):
                return room, True
        if len(members) == 1:
            room = _room(f"D{len(self.ims):08d}", "im", user=members[0], is_open=True)
            self.ims.append(room)
        else:
            name = f"mpdm-{len(self.mpims) + 1}"
            room = _room(f"G{len(self.mpims):08d}", "mpim", is_group=True, name=name, is_open=True, members=members)
            self.mpims.append(room)
        return room, False

    def start_answer(self, user_id: str, url: str, method: Literal["rtm.connect", "rtm.start"]) -> JSONObject:
        """Return the answer to rtm.connect, or the full one to rtm.start."""
        user = self.user(user_id)
        me = {"id": user_id, "name": "" if user is None else user["name"]}
        short = {"ok": True, "url": url, "self": me, "team": dict(self.team)}
        if method == "rtm.connect":
            return short
        return short | {
            "self": me | {"prefs": {}, "created": _CREATED, "manual_presence": "active"},
            "team": self.team | {"email_domain": "", "prefs": {}, "plan": ""},
            "users": self.users,
            "channels": self.channels,
            "groups": self.groups,
            "ims": self.ims,
            "mpims": self.mpims,
            "bots": self.bots,
            "cache_ts": int(time.time()),
            "cache_version": "v16-giraffe",
            "latest_event_ts": self.next_ts(),
        }
