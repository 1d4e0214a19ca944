"""The fake Slack decodes JSON as the gateway does: it rejects what is too large or cannot be encoded again."""

from __future__ import annotations

import json
import logging

import httpx
import pytest
from websockets.sync.client import connect

from rcex_ws.testing import FakeSlack

ROOM = "C0GENERAL"
DEEP = "[" * 100_000 + "]" * 100_000


@pytest.mark.parametrize("bad", [DEEP, '{"text": "\\ud800"}', "NaN", "1" * 5000], ids=["deep", "half", "nan", "digits"])
def test_g7_bad_json_is_none_for_the_fake_slack(
    fake_slack: FakeSlack, bad: str, caplog: pytest.LogCaptureFixture
) -> None:
    bearer = {"Authorization": f"Bearer {fake_slack.token}", "Content-Type": "application/json; charset=utf-8"}
    with httpx.Client(base_url=fake_slack.api_url, headers=bearer) as http:
        answer = http.post("chat.postMessage", content=bad)
        assert answer.json() == {"ok": False, "error": "channel_not_found"}
        answer = http.post("chat.postMessage", json={"channel": ROOM, "text": "x", "blocks": bad})
        assert answer.json() == {"ok": False, "error": "invalid_blocks"}
        url = http.post("rtm.connect").json()["url"]
    with connect(url, proxy=None) as ws:
        assert json.loads(ws.recv(5)) == {"type": "hello"}
        ws.send(bad)
        ws.send(json.dumps({"type": "ping", "id": 1}))
        while json.loads(ws.recv(5)).get("reply_to") != 1:
            pass
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []
