"""What the walk has to know beside the signatures: what is right, what to call it on, what is skipped and why."""

from __future__ import annotations

import logging
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import anyio

import rcex_ws.callback as callback
import rcex_ws.gateway as gateway
import rcex_ws.rest as rest
import rcex_ws.slack as slack
import rcex_ws.testing as testing
import rcex_ws.testing.fake_slack as fake_slack
import rcex_ws.wsg as wsg
from rcex_ws.slack.directory import Directory
from rcex_ws.slack.web import StartData, WebApi
from rcex_ws.wsg.stored import ServerHas, StoredGap, StoredSubscription

__all__ = ["INSTANCES", "RIGHT", "TAKEN", "Made", "reason_to_skip"]


class Made(NamedTuple):
    """An example that cannot be made before it is needed."""

    make: Callable[[], Any]


TOKEN = "xoxb-0-0-token"
#: Nobody answers there, so that a call which is not refused fails soon.
NOWHERE = "http://127.0.0.1:9"


def _subscription() -> wsg.Subscription:
    """Make one that belongs to nobody: an argument is looked at before the state is."""

    class Owner:
        def check_home(self) -> None: ...

    return wsg.Subscription(Owner(), ("/a",), None)  # type: ignore[arg-type]


def _bot_slack() -> slack.BotSlack:
    client = testing.WebSocketClientStub()
    store, api, log = slack.MemoryDataStore(), WebApi(TOKEN), logging.getLogger(__name__)
    directory = Directory(api, store, "never", log=log)
    return slack.BotSlack(store, api, client, StartData("", "", "", {}), directory=directory)


def _callback_client() -> callback.WebSocketClient:
    from rcex_ws.callback.settings import WebSocketSettings

    settings = WebSocketSettings(url="ws://127.0.0.1:9", keepalive=None)
    return callback.WebSocketClient(settings, callback.WebSocketHandler(), None)


#: An object of each class that has methods: none of them is started, since nothing is to begin.
INSTANCES: dict[type, Callable[[], Any]] = {
    rest.RingCentral: lambda: rest.RingCentral(server=NOWHERE),
    rest.PathBuilder: lambda: rest.RingCentral(server=NOWHERE).restapi(),
    rest.FileTokenStore: lambda: rest.FileTokenStore("/dev/null/token.json"),
    rest.RootTask: lambda: rest.RootTask("t"),
    rest.DebugExtension: rest.DebugExtension,
    rest.EventsExtension: rest.EventsExtension,
    rest.RateLimitExtension: rest.RateLimitExtension,
    rest.RetryExtension: rest.RetryExtension,
    rest.Token: lambda: rest.Token(access_token="t"),
    wsg.WebSocketExtension: wsg.WebSocketExtension,
    wsg.Subscription: _subscription,
    wsg.FileSessionStore: lambda: wsg.FileSessionStore("/dev/null/session.json"),
    slack.RTMClient: lambda: slack.RTMClient(TOKEN, api_url=NOWHERE),
    slack.Bot: lambda: slack.Bot(slack.BotHandler(), 0, TOKEN, api_url=NOWHERE),
    slack.BotSlack: _bot_slack,
    WebApi: lambda: WebApi(TOKEN, api_url=NOWHERE),
    slack.DataStore: slack.MemoryDataStore,
    slack.MemoryDataStore: slack.MemoryDataStore,
    slack.SQLiteDataStore: lambda: slack.SQLiteDataStore("/dev/null/slack.db"),
    callback.WebSocketClient: _callback_client,
    gateway.Gateway: gateway.Gateway,
    gateway.GatewayApp: gateway.GatewayApp,
    testing.FaultProxy: lambda: testing.FaultProxy("127.0.0.1", 9),
    testing.FakeSlack: testing.FakeSlack,
    testing.WebSocketClientStub: testing.WebSocketClientStub,
    testing.MemoryGateway: testing.MemoryGateway,
    fake_slack.Workspace: fake_slack.Workspace,
}

#: For each required argument a value that is right, by name; a longer key is for one signature.
RIGHT: dict[str, Any] = {
    "url": "ws://127.0.0.1:9",
    "task_group": Made(anyio.create_task_group),
    "handler": callback.WebSocketHandler(),
    "Bot.handler": slack.BotHandler(),
    "state": None,
    "RTMClient.token": TOKEN,
    "Bot.token": TOKEN,
    "WebApi.token": TOKEN,
    "FileTokenStore.save.token": rest.Token(access_token="t"),
    "Wsc.token": "t",
    "frame": callback.Text("a"),
    "where": "wstoken",
    "event": "/a",
    "body": {},
    "data": "a",
    "push_bytes.data": b"a",
    "from_sdk.sdk": SimpleNamespace(platform=lambda: SimpleNamespace(create_url=lambda url, add_server: NOWHERE + url)),
    "endings": ["presence"],
    "event_filter": "/a",
    "subscription": "abc",
    "redirect_uri": "https://example.com",
    "method": "GET",
    "patience": 0,
    "fields": {},
    "records": [("user", {"id": "U1"})],
    "WebApi.call.method": "api.test",
    "path": "/a",
    "to": "/tmp/never-written",
    "version": "v1.0",
    "request": rest.Request("GET", "/a"),
    "extension": rest.Extension(),
    "access_token": "t",
    "now": 0.0,
    "channel": "C1",
    "text": "a",
    "ts": "1.2",
    "ids": ["U1"],
    "event_type": "message",
    "answer": {},
    "DataStore.apply.event": {},
    "rule": lambda change, fields: None,
    "kind": "user",
    "id": "1",
    "id_": "U1",
    "record": {"id": "U1"},
    "conversation_id": "C1",
    "user_id": "U1",
    "bot_id": "B1",
    "name": "a",
    "email": "a@example.com",
    "work": lambda tables: None,
    "condition": lambda: True,
    "what": "nothing",
    "watcher": print,
    "target_host": "127.0.0.1",
    "target_port": 9,
    "n_bytes": 1,
    "direction": "up",
    "seconds": 0.0,
    "event_filters": ["/a"],
    "info": {"id": "1"},
    "SubscriptionInfo.from_dict.info": {"id": "1"},
    "session": wsg.StoredSession(
        wsc=None,
        subscription=StoredSubscription(wanted=(), info=None, certainty=ServerHas.UNSURE),
        unfinished=StoredGap(since=None),
        recovery_timeout=180,
        clean=True,
    ),
    "HasEvents.on.event": "error",
    "message": None,
    "room_id": "C1",
    "members": ["U1"],
    "node": 1,
    "set_message_status.message_id": 1,
    "set_message_status.status": "Sent",
    "watch_lines.extensions": ["102"],
}

_MADE_HERE = "only the library makes one, or calls this"
_WRITTEN_BY_USERS = "a user writes it, and the library calls it"
_PER_FRAME = "one is made for every frame; what it holds is looked at where it is sent"
_RAISES_NOTHING = "its contract is to raise nothing: what is no frame is dropped and logged as an error"
_OF_THE_PACKAGE = "called by the package; the maker of a client makes one and closes it, without arguments"
_A_SEAM = "replaced by tests, and called by the library"
_PER_EVENT = "called by a rule of the store, for each event"

#: Why a signature is not walked, by its name or the beginning of it.
SKIPPED: dict[str, str] = {
    "rcex_ws.callback.client.WebSocketClient": _MADE_HERE,
    "rcex_ws.callback.client.WebSocketClient.cast": _RAISES_NOTHING,
    "rcex_ws.callback.handler.Reply": "a callback gives it, and what it holds is looked at then",
    "rcex_ws.callback.handler.WebSocketHandler.": _WRITTEN_BY_USERS,
    "rcex_ws.connection.link.": _MADE_HERE,
    "rcex_ws.connection.loss.": _MADE_HERE,
    "rcex_ws.connection.status.": _MADE_HERE,
    "rcex_ws.gateway.app.GatewayApp.serve": _MADE_HERE,
    "rcex_ws.rest.batch.BatchResult": _MADE_HERE,
    "rcex_ws.rest.extension.Extension.": _WRITTEN_BY_USERS,
    "rcex_ws.rest.extensions.debug.DebugExtension.handle": _MADE_HERE,
    "rcex_ws.rest.extensions.events.EventsExtension.handle": _MADE_HERE,
    "rcex_ws.rest.extensions.events.EventsExtension.install": _MADE_HERE,
    "rcex_ws.rest.extensions.rate_limit.RateLimitExtension.handle": _MADE_HERE,
    "rcex_ws.rest.extensions.retry.RetryExtension.handle": _MADE_HERE,
    "rcex_ws.rest.extensions.retry.RetryExtension.install": _MADE_HERE,
    "rcex_ws.rest.extensions.retry.default_retry_delay": "a function that users pass on",
    "rcex_ws.rest.gate.RateGate.": _MADE_HERE,
    "rcex_ws.rest.headers.Headers": _MADE_HERE,
    "rcex_ws.rest.headers.Headers.": "a mapping, and answers like one",
    "rcex_ws.rest.message.Request.": "a middleware asks, for each call",
    "rcex_ws.rest.https.StreamedResponse": _MADE_HERE,
    "rcex_ws.rest.https.StreamedResponse.abandon": "`download` calls it, with what `aiter_bytes` has given",
    "rcex_ws.rest.message.Response": _MADE_HERE,
    "rcex_ws.rest.paths.PathBuilder": _MADE_HERE,
    "rcex_ws.rest.stats.": _MADE_HERE,
    "rcex_ws.rest.watchers.": _MADE_HERE,
    "rcex_ws.slack.bot.BotHandler.": _WRITTEN_BY_USERS,
    "rcex_ws.slack.bot_slack.BotSlack": _MADE_HERE,
    "rcex_ws.slack.messages.Sent": _MADE_HERE,
    "rcex_ws.slack.models.MessageReply": _MADE_HERE,
    "rcex_ws.slack.store.change.StoreChange": _PER_EVENT,
    "rcex_ws.slack.store.change.StoreChange.": _PER_EVENT,
    "rcex_ws.slack.store.fields.Fields": _PER_EVENT,
    "rcex_ws.slack.store.fields.Fields.": _PER_EVENT,
    "rcex_ws.slack.store.models.": _MADE_HERE,
    "rcex_ws.slack.web.StartData": _MADE_HERE,
    "rcex_ws.testing.fake_slack.records.": _MADE_HERE,
    "rcex_ws.testing.fake_slack.workspace.": "the model of the fake, which calls it with what clients have sent",
    "rcex_ws.testing.memory.MemoryGateway.open_websocket": _MADE_HERE,
    "rcex_ws.slack.client.RTMClient.open_socket": _A_SEAM,
    "rcex_ws.testing.websocket_client_stub.WebSocketClientStub.cast": _RAISES_NOTHING,
    "rcex_ws.tasks.RootTask.aclose": _OF_THE_PACKAGE,
    "rcex_ws.tasks.RootTask.spawn": _OF_THE_PACKAGE,
    "rcex_ws.trace.TraceEvent": _MADE_HERE,
    "rcex_ws.websocket.frames.": _PER_FRAME,
    "rcex_ws.wsg.extension.WebSocketExtension.install": _MADE_HERE,
    "rcex_ws.wsg.extension.WebSocketExtension.takes": _MADE_HERE,
    "rcex_ws.wsg.extension.WebSocketExtension.transport": _MADE_HERE,
    "rcex_ws.wsg.extension.WebSocketExtension.open_socket": _A_SEAM,
    "rcex_ws.wsg.frames.Wsc": "one comes with many frames; what it holds is looked at where a caller gives it",
    "rcex_ws.wsg.models.ConnectionDetails": _MADE_HERE,
    "rcex_ws.wsg.models.Gap": _MADE_HERE,
    "rcex_ws.wsg.models.Notification": _MADE_HERE,
    "rcex_ws.wsg.models.Recovery": _MADE_HERE,
    "rcex_ws.wsg.stored.StoredSession": _MADE_HERE,
    "rcex_ws.wsg.telemetry.Stats": _MADE_HERE,
    "rcex_ws.wsg.subscription.Subscription": _MADE_HERE,
    "rcex_ws.wsg.subscription.Subscription.activate": _MADE_HERE,
    "rcex_ws.wsg.subscription.Subscription.claim": _MADE_HERE,
    "rcex_ws.wsg.subscription.Subscription.run_callback": _MADE_HERE,
    "rcex_ws.wsg.subscription.Subscription.end": _MADE_HERE,
    "rcex_ws.wsg.subscription.Subscription.ignore": _MADE_HERE,
}

_CALLS = [
    *(f"rcex_ws.rest.methods.ClientMethods.{verb}" for verb in ("request", "get", "post", "put", "patch", "delete")),
    "rcex_ws.rest.methods.ClientMethods.stream",
    "rcex_ws.rest.path_methods.PathMethods.download",
    *(f"rcex_ws.rest.paths.PathBuilder.{verb}" for verb in ("get", "post", "put", "patch", "delete")),
    *(f"rcex_ws.rest.paths.PathBuilder.{name}" for name in ("list_all", "pages", "batch", "download_to")),
    "rcex_ws.wsg.extension.WebSocketExtension.request",
]
_KEYS = "keys are not looked at for each message; JSON takes a number as one"

#: Single values that are taken though their type does not admit them.
TAKEN = {
    **dict.fromkeys(((call, "headers", "None") for call in _CALLS), "as httpx takes it"),
    ("rcex_ws.slack.client.RTMClient.send", "body", "{1: 2}"): _KEYS,
    ("rcex_ws.slack.store.base.DataStore.apply", "event", "{1: 2}"): _KEYS,
}


def reason_to_skip(name: str) -> str | None:
    """Tell why a signature is not walked; None if it is."""
    for key, reason in SKIPPED.items():
        if name == key or (key.endswith(".") and name.startswith(key)):
            return reason
    return None
