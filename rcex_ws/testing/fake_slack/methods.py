"""The Web API of the fake Slack: the methods that clients of the RTM API call, and the failures ordered for them.

Called by `server.py` for each HTTP request. Arguments come as Slack takes them: query, form or JSON body, the token
among them or as a bearer token; POST or GET. Error codes are those of Slack's method pages (api.slack.com/methods).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

from rcex_ws.testing.fake_slack.core import Core
from rcex_ws.testing.fake_slack.http import Answer, Request
from rcex_ws.testing.fake_slack.orders import Failure
from rcex_ws.testing.fake_slack.records import HttpCall
from rcex_ws.testing.fake_slack.workspace import Thing, as_thing

__all__ = ["API_PATH", "WebApi"]

API_PATH = "/api/"

_HEADERS = {
    "Content-Type": "application/json; charset=utf-8",
    # `@slack/client` 3.16.0 copies these two into its answers, as `scopes` and `acceptedScopes`.
    "X-OAuth-Scopes": "identify,client,chat:write:bot",
    "X-Accepted-OAuth-Scopes": "client,chat:write:bot",
}


class _Refused(Exception):
    """Carry Slack's error code."""


class WebApi:
    """Answer the Web API.

    Args:
        core: The rules and the state.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self._methods: dict[str, Callable[[str, Thing], Thing]] = {
            "auth.test": self._auth_test,
            "chat.postMessage": self._post_message,
            "chat.update": self._update,
            "conversations.open": lambda user, fields: self._open(user, str(fields.get("users", ""))),
            "im.open": lambda user, fields: self._open(user, str(fields.get("user", ""))),
            "rtm.connect": lambda _, fields: self._start("rtm.connect", fields),
            "rtm.start": lambda _, fields: self._start("rtm.start", fields),
        }

    def answer(self, request: Request) -> Answer:
        """Answer one request and note it."""
        parts = urlsplit(request.target)
        method = parts.path.removeprefix(API_PATH)
        fields = dict(parse_qsl(parts.query)) | _fields_of(request)
        failure = self._core.orders.take(Failure, method)
        if failure is None:
            answer = Answer(200, json.dumps(self._perform(request, method, fields)).encode(), dict(_HEADERS))
        else:
            answer = Answer(failure.status, failure.body, failure.headers)
        call = HttpCall(self._core.now(), request.verb, method, fields, request.headers, answer.status)
        self._core.calls.append(call)
        self._core.touch()
        return answer

    def _perform(self, request: Request, method: str, fields: Thing) -> Thing:
        if method not in self._methods:
            return {"ok": False, "error": "unknown_method", "req_method": method}
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        token = str(fields.get("token") or (bearer if scheme.lower() == "bearer" else ""))
        if not token:
            return {"ok": False, "error": "not_authed"}
        user = self._core.workspace.tokens.get(token)
        if user is None:
            return {"ok": False, "error": "invalid_auth"}
        try:
            return {"ok": True, **self._methods[method](user, fields | {"token": token})}
        except _Refused as refused:
            return {"ok": False, "error": str(refused)}

    def _start(self, method: Literal["rtm.connect", "rtm.start"], fields: Thing) -> Thing:
        token = fields["token"]
        workspace = self._core.workspace
        return workspace.start_answer(workspace.tokens[token], self._core.issue_url(token), method)

    def _auth_test(self, user_id: str, fields: Thing) -> Thing:
        team, user = self._core.workspace.team, self._core.workspace.user(user_id) or {"name": "", "profile": {}}
        bot = {"bot_id": user["profile"]["bot_id"]} if "bot_id" in user["profile"] else {}
        url = f"https://{team['domain']}.slack.com/"
        return {
            "url": url,
            "team": team["name"],
            "user": user["name"],
            "team_id": team["id"],
            "user_id": user_id,
            **bot,
        }

    def _post_message(self, user_id: str, fields: Thing) -> Thing:
        channel, text = fields.get("channel"), fields.get("text")
        if not self._core.workspace.has_room(channel):
            raise _Refused("channel_not_found")
        if not text:
            raise _Refused("no_text")
        event = self._core.workspace.add_message(str(channel), user_id, text)
        self._core.publish(event)
        return {"channel": channel, "ts": event["ts"], "message": event}

    def _update(self, user_id: str, fields: Thing) -> Thing:
        """Change a message; everybody hears of it by the subtype message_changed."""
        workspace, channel = self._core.workspace, fields.get("channel")
        if not workspace.has_room(channel):
            raise _Refused("channel_not_found")
        names = (channel, fields.get("ts"))
        message = next((item for item in workspace.messages if (item["channel"], item["ts"]) == names), None)
        if message is None:
            raise _Refused("message_not_found")
        if message["user"] != user_id:
            raise _Refused("cant_update_message")
        changed_at = workspace.next_ts()
        message |= {"text": fields.get("text", message["text"]), "edited": {"user": user_id, "ts": changed_at}}
        event = {"type": "message", "subtype": "message_changed", "hidden": True, "channel": channel, "ts": changed_at}
        self._core.publish(event | {"message": {key: value for key, value in message.items() if key != "channel"}})
        return {"channel": channel, "ts": message["ts"], "text": message["text"]}

    def _open(self, user_id: str, wanted: str) -> Thing:
        """Open a direct message; a new one is told to everybody."""
        members = [member for member in wanted.split(",") if member and member != user_id]
        if not members or any(self._core.workspace.user(member) is None for member in members):
            raise _Refused("user_not_found")
        everybody = members if len(members) == 1 else [user_id, *members]
        room, known = self._core.workspace.open_room(everybody)
        if known:
            return {"no_op": True, "already_open": True, "channel": {"id": room["id"]}}
        kind = "im_created" if room["id"].startswith("D") else "group_joined"
        self._core.publish({"type": kind, "user": members[0], "channel": room})
        return {"channel": {"id": room["id"]}}


def _fields_of(request: Request) -> dict[str, Any]:
    text = request.body.decode("utf-8", "replace")
    if "json" not in request.headers.get("content-type", ""):
        return dict(parse_qsl(text, keep_blank_values=True))
    try:
        fields: Any = json.loads(text or "{}")
    except ValueError:
        return {}  # Slack takes it for a call without arguments: it answers what is missing
    return as_thing(fields) or {}
