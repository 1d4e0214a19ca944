"""The Web API of the fake Slack: authentication, rate limits, pending faults, and the dispatch to methods.

Used by `server.py` for each HTTP request. Accepts arguments like Slack: as query, form or JSON body, the token among
them or as a bearer token; by POST or GET. Error codes are those of Slack's method pages
(docs.slack.dev/reference/methods).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

from rcex_ws.gateway.shapes import as_object, decode
from rcex_ws.testing.fake_slack.answers import MethodError
from rcex_ws.testing.fake_slack.chat import Chat
from rcex_ws.testing.fake_slack.core import FakeSlackCore
from rcex_ws.testing.fake_slack.faults import Failure
from rcex_ws.testing.fake_slack.http import HTTPAnswer, HTTPRequest
from rcex_ws.testing.fake_slack.people import People
from rcex_ws.testing.fake_slack.rates import Rates
from rcex_ws.testing.fake_slack.records import HttpCall
from rcex_ws.testing.fake_slack.workspace import JSONObject

__all__ = ["API_PATH", "FakeWebApi"]

API_PATH = "/api/"

_HEADERS = {
    "Content-Type": "application/json; charset=utf-8",
    # `@slack/client` 3.16.0 copies these two into its answers, as `scopes` and `acceptedScopes`.
    "X-OAuth-Scopes": "identify,client,chat:write:bot",
    "X-Accepted-OAuth-Scopes": "client,chat:write:bot",
}
_RATE_LIMITED = json.dumps({"ok": False, "error": "ratelimited"}).encode()


class FakeWebApi:
    """The Web API.

    Args:
        core: the rules and the state.
    """

    def __init__(self, core: FakeSlackCore) -> None:
        self._core = core
        self._rates = Rates(core.options)
        chat, people = Chat(core), People(core)
        self._methods: dict[str, Callable[[str, JSONObject], JSONObject]] = {
            "auth.test": self._auth_test,
            "chat.delete": chat.delete,
            "chat.postMessage": chat.post_message,
            "chat.update": chat.update,
            "conversations.history": chat.history,
            "conversations.info": people.conversations_info,
            "conversations.list": people.conversations_list,
            "conversations.open": people.conversations_open,
            "im.open": people.im_open,
            "reactions.add": chat.add_reaction,
            "rtm.connect": lambda user, fields: self._start("rtm.connect", fields),
            "rtm.start": self._rtm_start,
            "team.info": people.team_info,
            "users.info": people.users_info,
            "users.list": people.users_list,
        }

    def answer(self, request: HTTPRequest) -> HTTPAnswer:
        """Answer one request and record it."""
        parts = urlsplit(request.target)
        method = parts.path.removeprefix(API_PATH)
        fields = dict(parse_qsl(parts.query)) | _fields_of(request)
        failure = self._core.faults.take(Failure, method)
        if failure is not None:
            answer = HTTPAnswer(failure.status, failure.body, failure.headers)
        elif (seconds := self._rates.wait(method, self._core.now())) is not None:
            answer = HTTPAnswer(429, _RATE_LIMITED, _HEADERS | {"Retry-After": f"{seconds:g}"})
        else:
            answer = HTTPAnswer(200, json.dumps(self._perform(request, method, fields)).encode(), dict(_HEADERS))
        call = HttpCall(self._core.now(), request.verb, method, fields, request.headers, answer.status)
        self._core.calls.append(call)
        self._core.touch()
        return answer

    def _perform(self, request: HTTPRequest, method: str, fields: JSONObject) -> JSONObject:
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
        except MethodError as error:
            return {"ok": False, "error": str(error)}

    def _start(self, answered_as: Literal["rtm.connect", "rtm.start"], fields: JSONObject) -> JSONObject:
        token = fields["token"]
        workspace = self._core.workspace
        return workspace.start_answer(workspace.tokens[token], self._core.issue_url(token), answered_as)

    def _rtm_start(self, user_id: str, fields: JSONObject) -> JSONObject:
        match self._core.options.rtm_start:
            case "full":
                return self._start("rtm.start", fields)
            case "connect":
                return self._start("rtm.connect", fields) | {"warning": "method_deprecated"}
            case "refused":
                raise MethodError("rtm_connect_required")

    def _auth_test(self, user_id: str, fields: JSONObject) -> JSONObject:
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


def _fields_of(request: HTTPRequest) -> dict[str, Any]:
    text = request.body.decode("utf-8", "replace")
    if "json" not in request.headers.get("content-type", ""):
        return dict(parse_qsl(text, keep_blank_values=True))
    try:
        fields: Any = decode((text or "{}").encode())
    except ValueError:
        return {}  # Slack treats it as a call without arguments, and answers what is missing
    return as_object(fields) or {}
