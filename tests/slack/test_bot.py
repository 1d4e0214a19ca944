"""The small callback form: over the fake Slack, and with the stub instead of a connection."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl

import anyio
import httpx
import pytest

from rcex_ws.callback import KEEPALIVE_TIMEOUT, REMOTE, Close, Ping, Reconnect, Text
from rcex_ws.errors import ConfigurationError, TransportError, UpgradeRefused
from rcex_ws.slack import MemoryDataStore, SlackApiError
from rcex_ws.slack.bot import Bot, BotHandler
from rcex_ws.testing import WebSocketClientStub

START = {
    "ok": True,
    "url": "wss://nowhere/1",
    "self": {"id": "U0ME", "name": "robot"},
    "team": {"id": "T0", "name": "Team", "domain": "team"},
    "channels": [{"id": "C0GENERAL", "name": "general", "is_channel": True}],
    "users": [{"id": "U0ANN", "name": "ann"}],
    "ims": [{"id": "D0ANN", "user": "U0ANN", "is_im": True}],
}


class Noting(BotHandler[list[str]]):
    """Note each call in the state, and in `calls` with its arguments; `closes` are the results of handle_close."""

    def __init__(self, *closes: Any) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.closes = list(closes)
        self.slack: Any = None

    async def handle_connect(self, slack: Any, state: list[str]) -> list[str]:
        self.slack = slack
        self.calls.append(("connect",))
        return [*state, "connect"]

    def handle_event(self, event: Any, slack: Any, state: list[str]) -> list[str]:
        self.calls.append(("event", event))
        return [*state, event["type"]]

    def handle_close(self, reason: object, slack: Any, state: list[str]) -> Any:
        self.calls.append(("close", reason))
        return self.closes.pop(0) if self.closes else state

    async def handle_info(self, message: object, slack: Any, state: list[str]) -> list[str]:
        self.calls.append(("info", message))
        return [*state, "info"]

    def of(self, name: str) -> list[Any]:
        return [call[1] for call in self.calls if call[0] == name]


class FakeApi:
    """Answer without a network, as `http`."""

    def __init__(self) -> None:
        self.starts = 0
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.refusal = ""

    def answer(self, request: httpx.Request) -> httpx.Response:
        method = request.url.path.removeprefix("/api/")
        if not method.startswith("rtm."):
            self.calls.append((method, dict(parse_qsl(request.content.decode()))))
            return httpx.Response(200, json={"ok": True, "channel": {"id": "D0NEW"}})
        if self.refusal:
            return httpx.Response(200, json={"ok": False, "error": self.refusal})
        self.starts += 1
        return httpx.Response(200, json={**START, "url": f"wss://nowhere/{self.starts}"})


@pytest.fixture
def api() -> FakeApi:
    return FakeApi()


@pytest.fixture
async def http(api: FakeApi) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.MockTransport(api.answer)) as client:
        yield client


@pytest.fixture
def stubbed(http: httpx.AsyncClient) -> Callable[..., AbstractAsyncContextManager[WebSocketClientStub]]:
    """Run a handler with a stub, connected."""

    @asynccontextmanager
    async def stubbed(handler: Any, state: Any = ()) -> AsyncIterator[WebSocketClientStub]:
        stub = WebSocketClientStub()
        async with anyio.create_task_group() as tasks:
            await tasks.start(Bot(handler, list(state), "xoxb-x", client=stub, http=http).run)
            await stub.connect()
            yield stub
            await stub.stop()

    return stubbed


def sent(stub: WebSocketClientStub) -> list[dict[str, Any]]:
    return [json.loads(frame.data) for frame in stub.sent if isinstance(frame, Text)]


# -- with the stub -------------------------------------------------------------------------------------------------


async def test_each_callback_gives_the_next_state(stubbed: Any) -> None:
    handler = Noting()
    async with stubbed(handler, ["init"]) as stub:
        await stub.receive(Text('{"type":"hello"}'))
        stub.info("x")
        await stub.settle()
        assert stub.state == ["init", "connect", "hello", "info"]
        assert stub.settings.keepalive == 10.0
        assert handler.slack.me["name"] == "robot"
        assert handler.slack.team["domain"] == "team"
        await stub.disconnect()
        assert handler.calls[-1] == ("close", REMOTE)


@pytest.mark.parametrize(
    "frame", [Text('{"ok":true,"reply_to":1}'), Text("no JSON"), Text("[1]"), Ping(), Text('{"type":3}'), Text("")]
)
async def test_what_is_no_event_is_ignored(stubbed: Any, frame: Any) -> None:
    handler = Noting()
    async with stubbed(handler) as stub:
        await stub.receive(frame)
        await stub.receive(Text('{"type":"hello"}'))
    assert handler.of("event") == [{"type": "hello"}]


async def test_a_frame_ends_at_its_first_nul(stubbed: Any) -> None:
    handler = Noting()
    async with stubbed(handler) as stub:
        await stub.receive(Text('{"type":"hello"}\0rubbish'))
    assert handler.of("event") == [{"type": "hello"}]


async def test_an_event_is_seen_after_the_store_has_it(stubbed: Any) -> None:
    class Looking(Noting):
        async def handle_event(self, event: Any, slack: Any, state: Any) -> Any:
            channel = await slack.store.channel("C0GENERAL")
            return [channel.name]

    async with stubbed(Looking()) as stub:
        await stub.receive(Text('{"type":"channel_rename","channel":{"id":"C0GENERAL","name":"plaza"}}'))
        assert stub.state == ["plaza"]


async def test_an_event_that_does_not_fit_into_the_store_is_handled(stubbed: Any, caplog: Any) -> None:
    handler = Noting()
    async with stubbed(handler) as stub:
        await stub.receive(Text('{"type":"channel_rename","channel":7}'))
    assert handler.of("event") == [{"type": "channel_rename", "channel": 7}]
    assert "the store rejected an event" in caplog.text


async def test_sends(stubbed: Any, api: FakeApi) -> None:
    handler = Noting()
    async with stubbed(handler) as stub:
        slack = handler.slack
        await slack.send_message("hi", "C123", thread_ts="1.2")
        await slack.send_message("hi", "#general")
        await slack.send_message("hi", "@ann")
        await slack.send_message("hi", "U0ANN")
        await slack.send_message("hi", "U0NEW")
        await slack.send_message("hi", "U0NEW")
        slack.indicate_typing("C123")
        slack.send_ping(note="x")
        slack.subscribe_presence(["U0ANN"])
        slack.subscribe_presence()
        slack.send_raw("raw")
        assert stub.sent.pop() == Text("raw")
        frames = sent(stub)
    assert [frame.pop("id") for frame in frames] == list(range(1, 11))
    assert frames == [
        {"type": "message", "text": "hi", "channel": "C123", "thread_ts": "1.2"},
        {"type": "message", "text": "hi", "channel": "C0GENERAL"},
        {"type": "message", "text": "hi", "channel": "D0ANN"},
        {"type": "message", "text": "hi", "channel": "D0ANN"},
        {"type": "message", "text": "hi", "channel": "D0NEW"},
        {"type": "message", "text": "hi", "channel": "D0NEW"},
        {"type": "typing", "channel": "C123"},
        {"type": "ping", "note": "x"},
        {"type": "presence_sub", "ids": ["U0ANN"]},
        {"type": "presence_sub", "ids": []},
    ]
    assert api.calls == [("conversations.open", {"users": "U0NEW"})], "once: then the model knows it"


@pytest.mark.parametrize("name", ["#nowhere", "@nobody"])
async def test_a_name_that_is_unknown(stubbed: Any, name: str) -> None:
    handler = Noting()
    async with stubbed(handler) as stub:
        with pytest.raises(ConfigurationError, match=name):
            await handler.slack.send_message("hi", name)
        assert stub.sent == []


async def test_a_keepalive_timeout_connects_again_without_asking(stubbed: Any, api: FakeApi) -> None:
    handler = Noting()
    async with stubbed(handler) as stub:
        assert await stub.disconnect(KEEPALIVE_TIMEOUT, delay=3.0) == 3.0
        await stub.connect()
        assert [call[0] for call in handler.calls] == ["connect", "connect"]
        assert stub.url == "wss://nowhere/2"
        assert api.starts == 2


async def test_the_result_of_handle_close_counts(stubbed: Any, api: FakeApi) -> None:
    handler = Noting(Reconnect(["again"], delay=7.0), Close("done", ["done"]))
    async with stubbed(handler) as stub:
        assert await stub.disconnect() == 7.0
        await stub.connect()
        assert stub.state == ["again", "connect"]
        assert await stub.disconnect(UpgradeRefused(503)) is None
        assert stub.state == ["done"]


async def test_a_refusal_that_is_final_ends_the_bot(api: FakeApi, http: httpx.AsyncClient) -> None:
    handler = Noting(Reconnect([]), Reconnect([]))
    stub = WebSocketClientStub()
    errors: list[SlackApiError] = []

    async def own(*, task_status: Any) -> None:
        try:
            await Bot(handler, [], "xoxb-x", client=stub, http=http).run(task_status=task_status)
        except SlackApiError as exc:
            errors.append(exc)

    async with anyio.create_task_group() as tasks:
        await tasks.start(own)
        await stub.connect()
        await stub.disconnect()
        api.refusal = "account_inactive"
        await stub.connect()
    (error,) = errors
    assert (error.method, error.code) == ("rtm.connect", "account_inactive")
    assert handler.of("close") == [REMOTE, error]


async def test_a_start_that_fails_raises_before_anything_runs(api: FakeApi, http: httpx.AsyncClient) -> None:
    handler = Noting()
    api.refusal = "invalid_auth"
    with pytest.raises(SlackApiError, match="invalid_auth"):
        await Bot(handler, [], "xoxb-x", client=WebSocketClientStub(), http=http).run()
    assert handler.calls == []
    assert not http.is_closed


async def test_an_exception_of_the_handler_reaches_the_owner(http: httpx.AsyncClient) -> None:
    class Buggy(Noting):
        def handle_event(self, event: Any, slack: Any, state: Any) -> Any:
            raise LookupError("a bug")

    stub = WebSocketClientStub()
    errors: list[Exception] = []

    async def own(*, task_status: Any) -> None:
        try:
            await Bot(Buggy(), [], "xoxb-x", client=stub, http=http).run(task_status=task_status)
        except LookupError as exc:
            errors.append(exc)

    async with anyio.create_task_group() as tasks:
        await tasks.start(own)
        await stub.connect()
        await stub.receive(Text('{"type":"hello"}'))
    assert [str(error) for error in errors] == ["a bug"]


def test_options_that_cannot_work() -> None:
    with pytest.raises(ConfigurationError, match=r"^start_method: "):
        Bot(Noting(), [], "xoxb-x", start_method="rtm")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=r"^fill_store: "):
        Bot(Noting(), [], "xoxb-x", fill_store="all")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=r"^next_url: "):
        Bot(Noting(), [], "xoxb-x", next_url=None)
    with pytest.raises(ConfigurationError, match=r"^token: "):
        Bot(Noting(), [], "")


# -- over the fake Slack -------------------------------------------------------------------------------------------


class Echo(Noting):
    async def handle_event(self, event: Any, slack: Any, state: Any) -> Any:
        state = super().handle_event(event, slack, state)
        if event["type"] == "message" and event.get("user") != slack.me["id"]:
            await slack.send_message(f"echo {event['text']}", event["channel"])
        return state


def message(text: str) -> dict[str, str]:
    return {"type": "message", "channel": "C0GENERAL", "user": "U000ALICE", "text": text, "ts": "1.2"}


@asynccontextmanager
async def running(fake_slack: Any, handler: Any, **options: Any) -> AsyncIterator[Any]:
    bot = Bot(handler, [], fake_slack.token, api_url=fake_slack.api_url, reconnect_delays=lambda _: 0.01, **options)
    async with anyio.create_task_group() as tasks:
        client = await tasks.start(bot.run)
        await fake_slack.wait_for_connection()
        yield client
        await client.stop()


async def test_a_bot_answers_loses_its_connection_and_goes_on(fake_slack: Any) -> None:
    handler = Echo(Reconnect([]), Reconnect([]))
    async with running(fake_slack, handler):
        await wait_for(lambda: handler.of("event"))
        fake_slack.push(message("one"))
        await fake_slack.wait_for_message("echo one")
        fake_slack.cut()
        await fake_slack.wait_for_connection(2)
        await wait_for(lambda: len([c for c in handler.calls if c == ("connect",)]) == 2)
        fake_slack.push(message("two"))
        await fake_slack.wait_for_message("echo two")
        fake_slack.close(1001)
        await fake_slack.wait_for_connection(3)
        await wait_for(lambda: len([c for c in handler.calls if c == ("connect",)]) == 3)
        await handler.slack.send_message("hello", "#general")
        await handler.slack.send_message("hello bob", "U0000BOBB")
        handler.slack.subscribe_presence(["U0000BOBB"])
        await fake_slack.wait_for_message("hello bob")
        await fake_slack.wait_for_frame("presence_sub")
    first, second = handler.of("close")
    assert isinstance(first, TransportError)
    assert second == REMOTE
    assert fake_slack.violations == []
    assert [call.method for call in fake_slack.calls].count("rtm.connect") == 3


async def test_k6_a_bot_notices_that_slack_answers_no_ping(fake_slack: Any, ms: float) -> None:
    handler = Noting()
    async with running(fake_slack, handler, keepalive=100 * ms):
        fake_slack.silence()
        await fake_slack.wait_for_connection(2)
        await wait_for(lambda: [call[0] for call in handler.calls].count("connect") == 2)
    assert handler.of("close") == []


async def test_a_store_of_the_users_own(fake_slack: Any) -> None:
    handler, store = Echo(), MemoryDataStore()
    async with running(fake_slack, handler, data_store=store):
        await wait_for(lambda: handler.of("event"))
        assert handler.slack.store is store
        assert (await store.user(fake_slack.self_id)) is not None


async def test_k2_whoever_an_event_names_is_known_to_the_handler(fake_slack: Any) -> None:
    class Greeting(Noting):
        async def handle_event(self, event: Any, slack: Any, state: Any) -> Any:
            if event["type"] == "message":
                user, channel = await slack.store.user(event["user"]), await slack.store.channel(event["channel"])
                await slack.send_message(f"{user.name} in {channel.name}: {event['text']}", event["channel"])
            return state

    async with running(fake_slack, Greeting()):
        fake_slack.push(message("hi"))
        await fake_slack.wait_for_message("alice in general: hi")
    assert [call.method for call in fake_slack.calls] == ["rtm.connect", "users.info", "conversations.info"]


async def test_k2_a_bot_may_have_the_lists_before_it_is_connected(fake_slack: Any) -> None:
    class Looking(Noting):
        async def handle_connect(self, slack: Any, state: Any) -> Any:
            self.calls.append(("known", len(await slack.store.users()), len(await slack.store.channels())))
            return state

    handler = Looking()
    async with running(fake_slack, handler, fill_store="lists"):
        await wait_for(lambda: handler.calls)
    assert handler.calls[0] == ("known", 4, 2)


async def test_k2_names_are_looked_for_in_the_lists_and_not_for_each_message(fake_slack: Any) -> None:
    handler = Noting()
    fake_slack.workspace.users += [{"id": f"U1{n:04}", "name": f"user-{n}", "profile": {}} for n in range(450)]
    async with running(fake_slack, handler):
        await wait_for(lambda: handler.slack)
        for _ in range(2):
            await handler.slack.send_message("in a channel", "#random")
            await handler.slack.send_message("in a group", "#secret")
            await handler.slack.send_message("to somebody", "@alice")
            for name in ("#nowhere", "@nobody"):
                with pytest.raises(ConfigurationError, match=name):
                    await handler.slack.send_message("x", name)
        await wait_for(lambda: len(fake_slack.accepted) == 6)
    assert [sent.channel for sent in fake_slack.accepted] == ["C00RANDOM", "G00SECRET", "D000ALICE"] * 2
    listed = [call.method for call in fake_slack.calls if call.method.endswith(".list")]
    # alice stands on the first of three pages
    assert (listed.count("conversations.list"), listed.count("users.list")) == (2, 1 + 3)


async def test_k2_a_list_that_is_refused_is_told_to_who_wants_a_name(fake_slack: Any) -> None:
    handler = Noting()
    async with running(fake_slack, handler):
        await wait_for(lambda: handler.slack)
        fake_slack.fail("conversations.list", "missing_scope")
        with pytest.raises(SlackApiError, match=r"conversations\.list: Slack answered 'missing_scope'"):
            await handler.slack.send_message("x", "#random")


async def test_k2_who_wants_no_calls_makes_none(fake_slack: Any) -> None:
    handler = Echo()
    async with running(fake_slack, handler, fill_store="never"):
        fake_slack.push(message("hi"))
        await fake_slack.wait_for_message("echo hi")
        with pytest.raises(ConfigurationError, match="#random"):
            await handler.slack.send_message("x", "#random")
    assert [call.method for call in fake_slack.calls] == ["rtm.connect"]


@pytest.mark.parametrize("code", ["token_revoked", "not_allowed_token_type", "missing_scope", "method_deprecated"])
async def test_k1_a_final_refusal_ends_a_bot_that_wants_to_go_on(fake_slack: Any, code: str) -> None:
    handler = Echo(*[Reconnect([])] * 5)
    bot = Bot(handler, [], fake_slack.token, api_url=fake_slack.api_url, reconnect_delays=lambda _: 0.01)
    errors: list[SlackApiError] = []

    async def own() -> None:
        try:
            await bot.run()
        except SlackApiError as exc:
            errors.append(exc)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(own)
        await wait_for(lambda: handler.of("event"))
        fake_slack.fail("rtm.*", code, times=None)
        fake_slack.cut()
    assert [(error.code, error.retryable) for error in errors] == [(code, False)]
    assert len(fake_slack.calls) == 2


async def test_slack_refuses_for_good_while_the_bot_reconnects(fake_slack: Any) -> None:
    handler = Echo(*[Reconnect([])] * 5)
    bot = Bot(handler, [], fake_slack.token, api_url=fake_slack.api_url, reconnect_delays=lambda _: 0.01)
    errors: list[SlackApiError] = []

    async def own() -> None:
        try:
            await bot.run()
        except SlackApiError as exc:
            errors.append(exc)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(own)
        await wait_for(lambda: handler.of("event"))
        fake_slack.fail("rtm.*", "fatal_error", times=2)
        fake_slack.fail("rtm.*", "invalid_auth", times=None)
        fake_slack.cut()
    assert [error.code for error in errors] == ["invalid_auth"]
    assert len(handler.of("close")) == 4


async def wait_for(condition: Callable[[], object]) -> None:
    with anyio.fail_after(10):
        while not condition():
            await anyio.sleep(0.002)


@pytest.fixture(autouse=True)
def see_warnings(caplog: Any) -> None:
    caplog.set_level(logging.WARNING, "rcex_ws")
