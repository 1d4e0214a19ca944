"""Failures found by a server whose words look like lines of the log."""

from __future__ import annotations

import logging

import pytest

from rcex_ws import (
    Events,
    NotJSON,
)
from tests.found.lost import until
from tests.found.peer import MESSAGES, PRESENCE
from tests.found.test_answers import GET, client, extension, http

EVIL = "evil\nforged line \x1b[31m\u2028"


async def test_no_line_of_the_log_is_the_servers(peer, told, caplog, monkeypatch):
    caplog.set_level(logging.DEBUG, "rcex_ws")
    answer = peer._answer

    def answer_evilly(method, path, body):
        status, info = answer(method, path, body)
        if isinstance(info, dict) and "eventFilters" in info:
            info |= {"eventFilters": [EVIL], "disabledFilters": [{"filter": EVIL, "reason": EVIL, "message": EVIL}]}
        return status, info

    monkeypatch.setattr(peer, "_answer", answer_evilly)
    async with client(peer) as rc:
        await rc.authorize(jwt="jwt")
        ext = extension()
        told.listen(ext)
        await rc.install_extension(ext)

        def fail(_):
            told.add("called")
            raise ValueError

        subscription = await ext.subscribe([MESSAGES], fail)
        peer.notify(1, event=EVIL, uuid=EVIL)
        await told.wait("called")
        peer.refuse_recovery = EVIL
        peer.reset()
        await told.wait(Events.AUTO_RECOVER_FAILED)
        await subscription.update([PRESENCE])
        peer.scripted[GET] = [http(200, b"x", kind="a\x1b[31mb")]
        with pytest.raises(NotJSON) as caught:
            (await rc.get(GET)).json()
    told_texts = [str(caught.value), *(gap.reason for gap in told.gaps)]
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("rcex_ws")]
    assert [line for line in [*told_texts, *lines] if not line.isprintable()] == []


async def test_nor_is_one_of_a_notification_that_nobody_wants(peer, told, caplog):
    caplog.set_level(logging.INFO, "rcex_ws")
    async with client(peer) as rc:
        await rc.authorize(jwt="jwt")
        ext = extension()
        await rc.install_extension(ext)
        peer.send_raw('[{"type":"ServerNotification","messageId":"x"},{"event":"a\\nforged","uuid":"u"}]')
        await until(lambda: ext.stats.dropped)
    (line,) = [text for record in caplog.records if "forged" in (text := record.getMessage())]
    assert line.isprintable()


async def test_nor_one_of_debug_mode(peer, capfd):
    async with client(peer) as rc:
        await rc.authorize(jwt="jwt")
        ext = extension(debug_mode=True)
        await rc.install_extension(ext)
        peer.send_raw('[{"type":"ServerNotification","messageId":"x"},\nforged \x1b[31m{"event":"a","uuid":"u"}]')
        peer.send_raw('[{"type":"ServerNotification","messageId":"x"},{"event":"a","uuid":"u"}]')
        await until(lambda: ext.stats.dropped)
    (line,) = [line for line in capfd.readouterr().err.splitlines() if "forged" in line]
    assert line.startswith(f"rcex_ws {ext.name!r} <")
    assert line.isprintable()
