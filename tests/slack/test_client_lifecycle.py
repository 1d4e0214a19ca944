"""The lifecycle events, in exactly the order in which `@slack/client` 3.16.0 emits them."""

from __future__ import annotations

from itertools import pairwise

import anyio
import pytest

from rcex_ws.connection import State
from rcex_ws.errors import ConfigurationError, ConnectFailed, NotConnected
from rcex_ws.slack import RTMClient, SlackApiError

CONNECTING = ["connecting", "authenticated", "ws_opening", "ws_opened", "open"]
UNRECOVERABLE = ["not_authed", "invalid_auth", "account_inactive", "user_removed_from_team", "team_disabled"]


def expected(*names: str) -> list[str]:
    """Give the names; "up" stands for a connection that succeeds."""
    return [name for item in names for name in (CONNECTING if item == "up" else [item])]


async def test_happy_path(make_client, slack, told):
    client = make_client(listen=(*CONNECTING, "raw_message", "slack_event", "hello", "disconnect", "ws_close"))
    assert (client.state, client.connected, client.start_data) == (State.IDLE, False, None)
    assert (client.active_user_id, client.active_team_id) == (None, None)
    await client.start()
    await told.wait("open")
    assert told.names == ["connecting", "authenticated", "ws_opening", "ws_opened", "raw_message", "open"]
    assert told.of("raw_message") == [('{"type": "hello"}',)]
    assert (client.state, client.connected) == (State.READY, True)
    assert (client.active_user_id, client.active_team_id) == (slack.self_id, slack.team_id)
    assert told.of("authenticated") == [(client.start_data,)]
    await client.aclose()
    assert told.names[6:] == ["disconnect"]
    assert told.of("disconnect") == [("closed by the application", None)]
    end = await slack.wait_for_close(1)
    assert (end.code, end.answered) == (1000, False)
    assert (client.state, client.connected) == (State.CLOSED, False)
    await client.aclose()
    assert slack.violations == []


async def test_hello_in_the_segment_of_the_101(make_client, slack, told):
    slack.options.hello_with_upgrade = True
    await make_client().start()
    await told.wait("open")
    assert told.names == CONNECTING


async def test_the_application_says_why_it_closes(client, told):
    await client.aclose("enough", 42)
    assert told.of("disconnect") == [("enough", 42)]


async def test_a_close_by_the_server(client, slack, told):
    slack.close(1001, "restart")
    await told.wait("open", 2)
    assert told.names == expected("up", "ws_close", "attempting_reconnect", "up")
    assert told.of("ws_close") == [(1001, "restart")]


async def test_a_reset(client, slack, told):
    slack.cut()
    await told.wait("open", 2)
    assert told.names == expected("up", "ws_close", "attempting_reconnect", "up")
    assert told.of("ws_close") == [(1006, "")]


async def test_a_refused_upgrade_with_a_body(make_client, slack, told):
    slack.refuse_upgrade(503, "no " * 10_000)
    await make_client().start()
    await told.wait("open")
    lost = ["connecting", "authenticated", "ws_opening", "ws_error", "ws_close", "attempting_reconnect"]
    assert told.names == expected(*lost, "up")
    ((error,),) = told.of("ws_error")
    assert "503" in str(error)
    assert told.of("ws_close") == [(1006, "")]
    assert [call.method for call in slack.calls] == ["rtm.connect"] * 2


async def test_refused_upgrades_are_no_hot_loop(make_client, slack, until, ms):
    waits = []

    def delays(failures):
        waits.append(failures)
        return 100 * ms

    slack.refuse_upgrade(503, times=None)
    client = make_client(reconnect_delays=delays)
    await client.start(wait=False)
    await until(lambda: len(slack.calls) >= 4)
    between = [later.time - call.time for call, later in pairwise(slack.calls)]
    assert min(between) >= 95 * ms
    assert waits[:3] == [1, 2, 3]


async def test_a_server_that_accepts_and_closes_is_no_hot_loop(make_client, slack, told, ms):
    client = make_client(reconnect_delays=lambda failures: failures * 50 * ms)
    client.on("open", lambda: slack.close(1000))
    await client.start(wait=False)
    await told.wait("open", 4)
    times = [call.time for call in slack.calls]
    assert all(later - time >= n * 45 * ms for n, (time, later) in enumerate(pairwise(times), 1))
    assert times[3] - times[0] >= (1 + 2 + 3) * 45 * ms


async def test_a_close_before_hello(make_client, slack, told):
    slack.withhold_hello()
    client = make_client()
    await client.start(wait=False)
    await slack.wait_for_connection(1)
    slack.close(1000, "never mind")
    await told.wait("open")
    assert told.names == expected(*CONNECTING[:-1], "ws_close", "attempting_reconnect", "up")
    assert told.of("ws_close") == [(1000, "never mind")]


async def test_no_hello(make_client, slack, told, ms):
    slack.withhold_hello()
    await make_client(attempt_timeout=600 * ms).start()
    await told.wait("open")
    assert told.names == expected(*CONNECTING[:-1], "ws_error", "ws_close", "attempting_reconnect", "up")
    assert slack.closes[0].code == 1006


async def test_an_address_that_is_used_up(make_client, slack, told):
    slack.options.url_lifetime = -1.0
    client = make_client(listen=(*CONNECTING, "error", "ws_error", "ws_close", "attempting_reconnect"))
    client.on("ws_close", lambda *_: setattr(slack.options, "url_lifetime", 30.0))
    await client.start()
    await told.wait("open")
    assert told.names == expected(*CONNECTING[:-1], "error", "ws_close", "attempting_reconnect", "up")
    ((event,),) = told.of("error")
    assert event["error"]["msg"] == "Socket URL has expired"


async def test_a_team_migration(make_client, slack, told):
    client = make_client(
        listen=(*CONNECTING, "raw_message", "attempting_reconnect", "team_migration_started", "slack_event", "ws_close")
    )
    await client.start()
    await told.wait("open")
    told.clear()
    slack.migrate()
    await told.wait("open", 1)
    assert told.names == [
        "raw_message",
        "attempting_reconnect",
        "connecting",
        "slack_event",
        "team_migration_started",
        "authenticated",
        "ws_opening",
        "ws_opened",
        "raw_message",
        "open",
    ]
    assert told.of("team_migration_started") == [({"type": "team_migration_started"},)]


async def test_a_migration_in_progress_is_waited_for_by_schedule(make_client, slack, told, ms):
    slack.fail(error="migration_in_progress", times=3)
    await make_client(reconnect_delays=lambda n: n * 50 * ms).start()
    await told.wait("open")
    turn = ["connecting", "unable_to_rtm_start", "attempting_reconnect"]
    assert told.names == [*turn * 3, *CONNECTING]
    assert [error.code for (error,) in told.of("unable_to_rtm_start")] == ["migration_in_progress"] * 3
    times = [call.time for call in slack.calls]
    for n in (1, 2, 3):
        assert times[n] - times[n - 1] >= n * 45 * ms


@pytest.mark.parametrize("code", UNRECOVERABLE)
async def test_an_unrecoverable_code_ends_start(make_client, slack, told, code):
    slack.fail(error=code)
    client = make_client()
    with pytest.raises(SlackApiError) as caught:
        await client.start()
    assert (caught.value.code, caught.value.method, caught.value.retryable) == (code, "rtm.connect", False)
    assert told.names == ["connecting", "unable_to_rtm_start", "disconnect"]
    assert told.of("disconnect") == [(f"{code} is not recoverable", caught.value)]
    assert told.of("unable_to_rtm_start") == [(caught.value,)]
    assert len(slack.calls) == 1


async def test_an_unrecoverable_code_after_a_loss(client, slack, told):
    slack.fail(error="account_inactive")
    slack.close()
    with pytest.raises(SlackApiError, match="account_inactive"):
        await client.wait_closed()
    assert told.names == expected(
        "up", "ws_close", "attempting_reconnect", "connecting", "unable_to_rtm_start", "disconnect"
    )
    assert client.state is State.FAILED
    with pytest.raises(NotConnected, match="start"):
        client.send_message("anybody?", "C0GENERAL")
    await client.start()
    assert client.connected


@pytest.mark.parametrize(
    "failure",
    [
        {"error": "fatal_error"},
        {"status": 500},
        {"status": 200, "body": "<html>we are down</html>"},
        {"status": 200, "body": '["ok"]'},
        {"status": 200, "body": '{"ok": true}'},
        {"status": "rst"},
    ],
    ids=str,
)
async def test_a_failed_start_is_tried_again(make_client, slack, told, failure):
    slack.fail(**failure)
    await make_client().start()
    await told.wait("open")
    assert told.names == ["connecting", "unable_to_rtm_start", "attempting_reconnect", *CONNECTING]
    assert told.of("unable_to_rtm_start")[0][0].retryable


async def test_a_start_that_hangs(make_client, slack, told, ms):
    slack.fail(status="hang")
    await make_client(attempt_timeout=600 * ms).start()
    await told.wait("open")
    assert told.names == ["connecting", "unable_to_rtm_start", "attempting_reconnect", *CONNECTING]


async def test_a_rate_limit_is_waited_for(make_client, slack, told, ms):
    slack.fail(status=429, retry_after=300 * ms)
    await make_client().start()
    await told.wait("open")
    assert told.names == ["connecting", "rate_limited", "unable_to_rtm_start", "attempting_reconnect", *CONNECTING]
    assert told.of("rate_limited") == [(300 * ms,)]
    first, second = slack.calls
    assert second.time - first.time >= 290 * ms


async def test_start_gives_up_when_its_time_is_over(make_client, slack, told, ms):
    slack.fail(error="fatal_error", times=None)
    client = make_client(open_timeout=1500 * ms)  # enough for one answer beside busy cores
    with pytest.raises(ConnectFailed, match=r"no connection within .* 'fatal_error'") as caught:
        await client.start()
    assert caught.value.retryable
    assert told.names[-1] == "disconnect"
    assert client.state is State.CLOSED
    slack.clear_faults()
    await client.start()
    assert client.connected


async def test_no_reconnect_where_it_is_switched_off(make_client, slack, told):
    client = make_client(auto_reconnect=False)
    await client.start()
    slack.close(1001, "bye")
    await client.wait_closed()
    assert told.names == expected("up", "ws_close", "disconnect")
    assert told.of("disconnect") == [("websocket closed with auto-reconnect false on the RTM client", 1001)]
    assert client.state is State.CLOSED
    assert len(slack.calls) == 1
    await client.aclose()
    assert len(told.of("disconnect")) == 1


async def test_no_reconnect_after_a_failed_start(make_client, slack, told):
    slack.fail(error="fatal_error")
    client = make_client(auto_reconnect=False)
    with pytest.raises(SlackApiError, match="fatal_error"):
        await client.start()
    assert told.names == ["connecting", "unable_to_rtm_start", "disconnect"]
    assert told.of("disconnect")[0][0] == "auto-reconnect is disabled"


async def test_no_reconnect_after_a_refused_upgrade(make_client, slack, told):
    slack.refuse_upgrade(503)
    client = make_client(auto_reconnect=False)
    with pytest.raises(ConnectFailed, match="503"):
        await client.start()
    assert told.names == [*CONNECTING[:3], "ws_error", "ws_close", "disconnect"]
    assert told.of("disconnect")[0][0] == "websocket closed with auto-reconnect false on the RTM client"


async def test_no_reconnect_after_a_migration(make_client, slack, told):
    client = make_client(auto_reconnect=False)
    told.listen(client, "team_migration_started")
    await client.start()
    slack.migrate()
    await client.wait_closed()
    assert told.names == expected("up", "team_migration_started", "disconnect")


async def test_start_options_are_sent_again_at_each_reconnect(make_client, slack, told):
    client = make_client(start_method="rtm.start")
    await client.start(batch_presence_aware=True, presence_sub="1", nothing=None)
    slack.close()
    await told.wait("open", 2)
    assert [call.method for call in slack.calls] == ["rtm.start"] * 2
    for call in slack.calls:
        assert call.fields == {"batch_presence_aware": "true", "presence_sub": "1"}
        assert call.headers["authorization"] == f"Bearer {slack.token}"


async def test_starting_twice_at_once_is_one_start(make_client, slack):
    client = make_client()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(client.start)
        tasks.start_soon(client.start)
    await client.start()
    assert (slack.connections_total, len(slack.calls)) == (1, 1)
    await client.aclose()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(client.start)
        tasks.start_soon(client.start)
    assert (slack.connections_total, len(slack.calls)) == (2, 2)


async def test_closing_while_it_connects(make_client, slack, told):
    slack.fail(status="hang", times=None)
    client = make_client()
    async with anyio.create_task_group() as tasks:

        @tasks.start_soon
        async def start():
            with pytest.raises(NotConnected):
                await client.start()

        await told.wait("connecting")
        with anyio.fail_after(3):
            await client.aclose()
    assert told.names == ["connecting", "disconnect"]


async def test_a_cancelled_start_leaves_nothing_running(make_client, slack, told, ms):
    slack.fail(status="hang", times=None)
    client = make_client()
    with anyio.move_on_after(50 * ms):
        await client.start()
    assert client.state is State.CLOSED
    assert told.names == ["connecting", "disconnect"]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("api_url", "ftp://slack.com"),
        ("start_method", "rtm.begin"),
        ("fill_store", "all"),
        ("while_disconnected", "drop"),
        ("subtype_events", "none"),
        ("monitor", "hope"),
        ("ping_interval", 0),
        ("pong_timeout", 5.0),
        ("reply_timeout", -1),
        ("replay_window", 0),
        ("reconnect_delays", 1),
        ("auto_reconnect", "no"),
        ("max_pending", 0),
        ("log_level", "LOUD"),
        ("logger", 3),
        ("token", "no\nprint"),
    ],
)
async def test_an_option_that_cannot_work_is_named(slack, option, value):
    options = {"token": slack.token, "api_url": slack.api_url, option: value}
    with pytest.raises(ConfigurationError, match=option):
        RTMClient(**options)
