"""A stored session is continued for whom it was made, as a stored login is (F9): its token is a secret, too."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from rcex_ws import FileSessionStore, Outcome, RingCentral, WebSocketExtension
from rcex_ws.gateway import Gateway
from tests.told import Told

MESSAGES = "/restapi/v1.0/account/~/extension/~/message-store"


@asynccontextmanager
async def process(
    gateway: Gateway, folder: Path, told: Told, jwt: str | None = None, client_id: str | None = None
) -> AsyncIterator[WebSocketExtension]:
    """Be a process with a session file, which logs in anew."""
    async with RingCentral(
        server=gateway.server, client_id=client_id or gateway.client_id, client_secret=gateway.client_secret
    ) as rc:
        await rc.authorize(jwt=jwt or gateway.jwt)
        ext = WebSocketExtension(session_store=FileSessionStore(folder / "session.json"))
        told.listen(ext)
        await rc.install_extension(ext)
        yield ext


def offered(gateway: Gateway) -> list[bool]:
    """Tell for each connection whether the gateway was offered a recovery token."""
    return [entry["recovering"] for entry in gateway.log() if entry["kind"] == "connect"]


async def life(gateway: Gateway, folder: Path, told: Told, jwt: str | None = None) -> str:
    """Subscribe and leave it to the next; give the id of the subscription."""
    told.items.clear()
    async with process(gateway, folder, told, jwt) as ext:
        subscription = await ext.subscribe([MESSAGES], told.on_notification)
        assert subscription.info is not None
        return subscription.info.id


async def test_f9_the_session_of_another_server_is_not_offered(
    gateway: Gateway, tmp_path: Path, told: Told, caplog: pytest.LogCaptureFixture
) -> None:
    old = await life(gateway, tmp_path, told)
    assert told.gaps == []
    with Gateway(client_id=gateway.client_id, client_secret=gateway.client_secret, jwt=gateway.jwt) as other:
        await life(other, tmp_path, told)
        assert offered(other) == [False]
        assert not [entry for entry in other.log() if old in str(entry)]
        (gap,) = told.gaps
        assert gap.certain
        assert gap.since is not None
        assert "another server" in gap.reason
        assert "another server" in caplog.text
        await life(other, tmp_path, told)  # the file is its own now
        assert told.gaps[0].reason != gap.reason


async def test_f9_the_session_of_another_user_is_not_offered(
    gateway: Gateway, tmp_path: Path, told: Told, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = gateway.users[:2]
    old = await life(gateway, tmp_path, told, first.jwt)
    gateway.clear_log()
    await life(gateway, tmp_path, told, second.jwt)
    assert offered(gateway) == [False]
    assert not [entry for entry in gateway.log() if entry["kind"] == "request" and old in entry["path"]]
    assert "another user" in caplog.text
    assert [gap.certain for gap in told.gaps] == [True]
    for secret in (first.jwt, second.jwt):
        assert secret not in caplog.text
        assert secret not in (tmp_path / "session.json").read_text()


async def test_f9_what_another_user_had_not_subscribed_to_is_no_gap(
    gateway: Gateway, tmp_path: Path, told: Told
) -> None:
    first, second = gateway.users[:2]
    await life(gateway, tmp_path, told, first.jwt)
    async with process(gateway, tmp_path, told, first.jwt) as ext:
        await (await ext.subscribe([MESSAGES])).revoke()
    await life(gateway, tmp_path, told, second.jwt)
    assert told.gaps == []


async def test_f9_a_session_file_from_before_matches(gateway: Gateway, tmp_path: Path, told: Told) -> None:
    file = tmp_path / "session.json"
    async with RingCentral(
        server=gateway.server, client_id=gateway.client_id, client_secret=gateway.client_secret
    ) as rc:
        await rc.authorize(jwt=gateway.jwt)
        for number in range(2):
            ext = WebSocketExtension(session_store=FileSessionStore(file))
            told.listen(ext)
            await rc.install_extension(ext)
            await ext.subscribe([MESSAGES])
            await ext.detach()
            content = json.loads(file.read_bytes())
            assert content.pop("owner")["server"] == gateway.server
            file.write_text(json.dumps(content))
            assert (ext.last_recovery is not None) == (number == 1)
        assert ext.last_recovery is not None
        assert ext.last_recovery.outcome is Outcome.RECOVERED
    assert told.gaps == []
