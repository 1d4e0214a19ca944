"""Asserting the filters in the background, and what ends it."""

from __future__ import annotations

from rcex_ws import (
    RequestLost,
)

STORE = ["/restapi/v1.0/account/~/extension/~/message-store"]


async def test_filters_that_cannot_be_asserted_before_a_loss_are_left_to_the_next_connection(ext, monkeypatch, caplog):
    await ext.subscribe(STORE, lambda n: None)
    sync = ext._runtime._sync

    async def lose(call):
        ext.ws.abort()
        raise RequestLost("the connection is gone", sent=True)

    monkeypatch.setattr(sync.calls, "make", lose)
    sync._machine.session_ended()
    assert await sync._assert_filters() is None
    assert "which is tried again" not in caplog.text
