"""Slack RTM, as far as it is measured: rtm.connect and rtm.start, hello, acknowledgements, pongs, events.

A message with the text "burst COUNT SIZE" is acknowledged, then so many events follow, of so many bytes each, as fast
as they are taken.
"""

from __future__ import annotations

import asyncio
import json

import msgspec

from benchmarks.drain.outlet import Outlet

__all__ = ["API", "BURST", "CHANNEL", "SOCKET", "SlackSession", "start"]

API = "/api/"
SOCKET = "/slack"
BURST = "burst"
CHANNEL = "C0BENCH00"

_ME, _OTHER, _TEAM = "U0BENCH00", "U0ADA0000", "T0BENCH00"


class _Frame(msgspec.Struct, gc=False):
    type: str
    id: int
    text: str = ""


_read = msgspec.json.Decoder(_Frame).decode


def start(host: str) -> bytes:
    """Answer rtm.start; rtm.connect gets the lists, too, which a store then keeps."""
    members = [_ME, _OTHER]
    answer = {
        "ok": True,
        "url": f"ws://{host}{SOCKET}",
        "self": {"id": _ME, "name": "bench"},
        "team": {"id": _TEAM, "name": "Bench", "domain": "bench"},
        "users": [{"id": _ME, "name": "bench"}, {"id": _OTHER, "name": "ada", "real_name": "Ada Lovelace"}],
        "channels": [{"id": CHANNEL, "name": "general", "is_member": True, "members": members}],
        "groups": [],
        "ims": [],
        "bots": [],
    }
    return json.dumps(answer).encode()


class SlackSession:
    """Serve one connection, and greet at once.

    Args:
        transport: open.

    Attributes:
        out: what is written.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self.out = Outlet()
        self._stamps = 0
        self.out.connect(transport)
        self.out.send(b'{"type":"hello"}')
        self.out.flush()

    def disconnected(self) -> None:
        """End."""
        self.out.disconnect()

    def take(self, payload: bytes) -> None:
        """Take one frame; the answer is written by `out.flush`."""
        frame = _read(payload)
        if frame.type == "ping":
            self.out.send(b'{"type":"pong","reply_to":%d}' % frame.id)
        elif frame.type == "message":
            self._stamps += 1
            text = msgspec.json.encode(frame.text)
            self.out.send(b'{"ok":true,"reply_to":%d,"ts":"18%08d.000100","text":%b}' % (frame.id, self._stamps, text))
            match frame.text.split():
                case [word, count, size] if word == BURST:
                    self.out.burst(_message(int(size)), int(count))
                case _:
                    pass


def _message(size: int) -> bytes:
    """Make a template of a message of about `size` bytes, to be filled in with its number, twice."""
    event = {
        "type": "message",
        "channel": CHANNEL,
        "user": _OTHER,
        "text": "",
        "team": _TEAM,
        "client_msg_id": "0b5a1d5e-6e0e-4c53-8a41-7f6f0d1c9a22",
        "ts": "17%08d.000200",
        "event_ts": "17%08d.000200",
    }
    padding = size - len(_compact(event) % (0, 0))
    return _compact({**event, "text": "x" * max(padding, 1)})


def _compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
