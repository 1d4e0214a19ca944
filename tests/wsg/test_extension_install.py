"""Installing: ready when it returns, fatal refusals at once, nothing left behind by a failure."""

from __future__ import annotations

import logging

import anyio
import pytest

from rcex_ws import (
    ConfigurationError,
    ConnectFailed,
    LoginRefused,
    NotConnected,
    RestError,
    RingCentral,
    State,
    WebSocketExtension,
)
from rcex_ws.wsg.models import Events

INFO = "/restapi/v1.0/account/~/extension/~"
STORE = f"{INFO}/message-store"


async def test_install_returns_when_the_connection_is_ready(rc, ext, told):
    assert ext.state is State.READY
    assert ext.ws is not None
    assert ext.ws.opened_at.tzinfo is not None
    assert ext.wsc.sequence == 1
    assert ext.connection_details.max_active_requests == 10
    await told.wait(Events.CONNECTION_READY)
    assert told.names == ["newWebSocketObject", "newWsc", "connectionReady"]


async def test_a_missing_permission_raises_at_once_and_leaves_nothing_running(rc, gateway, make_ext):
    gateway.refuse("wstoken", 403, times=None)
    ext = make_ext()
    with anyio.fail_after(5), pytest.raises(RestError) as caught:
        await rc.install_extension(ext)
    assert caught.value.status_code == 403
    assert not caught.value.retryable
    assert not rc.tasks.running
    assert sum(entry["kind"] == "wstoken" for entry in gateway.log()) <= 1


async def test_an_unreachable_server_raises_after_open_timeout(gateway, make_ext, rc, told):
    gateway.refuse("upgrade", 503, times=None)
    ext = make_ext(open_timeout=0.3)
    with pytest.raises(ConnectFailed, match="trying again can help") as caught:
        await rc.install_extension(ext)
    assert caught.value.retryable
    assert not rc.tasks.running
    assert "autoRecoverError" in told.names
    gateway.clear_faults()
    second = make_ext()
    await rc.install_extension(second)
    assert second.state is State.READY


async def test_install_survives_failed_attempts(gateway, make_ext, rc, told):
    gateway.refuse("upgrade", 503)
    gateway.refuse("upgrade", "rst")
    await rc.install_extension(make_ext())
    assert told.names.count("autoRecoverError") == 2


async def test_a_hung_upgrade_ends_with_the_attempt(gateway, make_ext, rc):
    gateway.refuse("upgrade", "hang")
    ext = make_ext(attempt_timeout=0.3)
    await rc.install_extension(ext)
    assert ext.state is State.READY


async def test_install_in_the_background(gateway, make_ext, rc, told, send):
    gateway.refuse("upgrade", 503, times=3)
    ext = make_ext(start_in_background=True)
    await rc.install_extension(ext)
    subscription = await ext.subscribe(["/restapi/v1.0/account/~/extension/~/message-store"], told.on_notification)
    assert subscription.info is not None
    send(1)
    await told.wait("notification")


async def test_without_login_the_error_says_what_to_do(gateway, make_ext):
    async with RingCentral(server=gateway.server, client_id=gateway.client_id) as rc:
        with pytest.raises(ConfigurationError, match="authorize"):
            await rc.install_extension(make_ext())


async def test_a_client_that_does_not_know_the_extension_is_refused(rc, make_ext):
    ext = make_ext()
    with pytest.raises(ConfigurationError, match=r"rc\.install_extension"):
        await ext.install(rc)
    assert ext.state is State.IDLE
    await rc.install_extension(ext)
    assert ext.state is State.READY


async def test_using_it_before_install_says_what_to_do():
    ext = WebSocketExtension()
    assert ext.state is State.IDLE
    assert ext.ws is None
    with pytest.raises(NotConnected, match="install_extension"):
        await ext.subscribe(["/restapi/v1.0/x"])


async def test_several_extensions_on_one_client(rc, make_ext, told, send, gateway):
    one, two = make_ext(), make_ext()
    await rc.install_extension(one)
    await rc.install_extension(two)
    got: dict[str, list[str]] = {"one": [], "two": []}
    first = await one.subscribe(
        ["/restapi/v1.0/account/~/extension/~/message-store"], lambda n: got["one"].append(n.uuid)
    )
    second = await two.subscribe(["/restapi/v1.0/account/~/extension/~/presence"], lambda n: got["two"].append(n.uuid))
    assert first.info.id != second.info.id
    store = gateway.notify("/restapi/v1.0/account/~/extension/~/message-store", {"i": 1})
    presence = gateway.notify("/restapi/v1.0/account/~/extension/~/presence", {"i": 2})
    with anyio.fail_after(5):
        while not (got["one"] and got["two"]):
            await anyio.lowlevel.checkpoint()
    assert got == {"one": store, "two": presence}


async def test_no_token_in_logs_or_reprs(rc, ext, caplog, gateway, told):
    caplog.set_level(logging.DEBUG)
    gateway.cut()
    await told.wait(Events.CONNECTION_READY, 2)
    logged = "\n".join(record.getMessage() for record in caplog.records if record.name != "websockets.server")
    assert ext.wsc.token not in logged + repr(ext) + repr(ext.wsc) + repr(ext.ws)
    assert "access_token=" not in logged


async def test_debug_mode_writes_both_directions_without_tokens(rc, make_ext, capsys):
    ext = make_ext(debug_mode=True, rest_over_websocket=True)
    await rc.install_extension(ext)
    await rc.get(INFO)
    written = capsys.readouterr().err
    assert f"rcex_ws {ext.name!r} > " in written
    assert f"rcex_ws {ext.name!r} < " in written
    assert '"ClientRequest"' in written
    assert ext.wsc.token not in written


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("heartbeat_interval", 0),
        ("heartbeat_timeout", "a"),
        ("open_timeout", None),
        ("close_timeout", -1),
        ("gap_timeout", float("nan")),
        ("attempt_timeout", True),
        ("max_pending", 0),
        ("max_size", 1.5),
        ("reconnect_delays", 1.0),
        ("on_gap", "hook"),
        ("auto_recover", 1),
        ("heartbeat_interval", 60_000),
        ("open_timeout", 30_000),
        ("request_timeout", 60_000.0),
        ("session_store", "session.json"),
    ],
)
def test_a_wrong_option_is_named(option, value):
    with pytest.raises(ConfigurationError, match=f"{option}: expected"):
        WebSocketExtension(**{option: value})


def test_a_time_in_milliseconds_is_told_the_unit():
    with pytest.raises(ConfigurationError, match=r"^heartbeat_interval: expected seconds above 0, at most 1800"):
        WebSocketExtension(heartbeat_interval=60_000)
    with pytest.raises(ConfigurationError, match=r"^request_timeout: expected seconds above 0, at most 7200, got int"):
        WebSocketExtension(request_timeout=60_000)
    WebSocketExtension(heartbeat_interval=1800, request_timeout=7200)


def test_the_object_of_the_original_is_told_the_two_arguments_of_today():
    with pytest.raises(ConfigurationError, match=r"^auto_recover: .*reconnect_delays=.*heartbeat_interval="):
        WebSocketExtension(auto_recover={"checkInterval": 2000})


async def test_a_bot_installs_and_subscribes_with_its_static_token(gateway, rc, make_ext, told, send):
    async with RingCentral(server=gateway.server, bot_token=rc.token.access_token) as bot:
        ext = make_ext(rest_over_websocket=True)
        await bot.install_extension(ext)
        await ext.subscribe([STORE], told.on_notification)
        send(1)
        await told.until(lambda: told.numbers == [1])
        assert (await bot.get(INFO)).via == "websocket"


async def test_a_bot_whose_token_is_refused_fails_at_once_and_says_so(gateway, make_ext):
    async with RingCentral(server=gateway.server, bot_token="REMOVED") as bot:
        ext = make_ext()
        with pytest.raises(LoginRefused, match="the token of the bot is not valid"):
            await bot.install_extension(ext)
