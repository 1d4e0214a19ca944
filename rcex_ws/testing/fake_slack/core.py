"""The rules and the state of the fake Slack: single-use URLs, the handling of frames, publishing events.

No I/O: `rtm.py` sends and receives the frames, `methods.py` answers the Web API, `server.py` owns everything. The
protocol is documented on Slack's page on the RTM API (api.slack.com/rtm); it was compared with what the npm packages
`@slack/client` 3.16.0 and `@slack/rtm-api` 6.2.1 send and accept.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Protocol
from urllib.parse import urlsplit

from rcex_ws.gateway.shapes import as_array, as_object, decode
from rcex_ws.loop import Signal, loop_clock
from rcex_ws.testing.fake_slack.faults import NoHello, Rejection, SlackFaults, SwallowedAck
from rcex_ws.testing.fake_slack.options import FakeSlackOptions
from rcex_ws.testing.fake_slack.records import Accepted, ClientClose, HttpCall, Received
from rcex_ws.testing.fake_slack.workspace import JSONObject, Workspace

__all__ = ["WS_PATH", "FakeSlackCore", "RtmSocket"]

WS_PATH = "/websocket/"
"""Path prefix of the single-use URLs."""


class RtmSocket(Protocol):
    """One WebSocket, as far as the rules need it.

    Attributes:
        number: its number; the first is 1.
        token: the token that it was opened with.
        silent: whether it answers nothing any more.
        presence_ids: the users whose presence the client has subscribed to.
    """

    number: int
    token: str
    silent: bool
    presence_ids: list[str] | None

    def send(self, messages: Iterable[str | bytes]) -> None:
        """Queue messages to be written together."""
        ...


class FakeSlackCore:
    """The state of one fake Slack. Only the records may be read from outside its event loop.

    Args:
        options: the options.
        workspace: the users, rooms and messages.
        ws_url: scheme, host and port of the WebSockets.

    Attributes:
        options: the options.
        workspace: the users, rooms and messages.
        faults: the pending faults.
        sockets: the open WebSockets, by number.
        opened: how many WebSockets have been opened so far.
        changed: set, and replaced, after each change, for tasks that wait for one.
    """

    def __init__(self, options: FakeSlackOptions, workspace: Workspace, ws_url: str) -> None:
        self.options = options
        self.workspace = workspace
        self.faults = SlackFaults()
        self.sockets: dict[int, RtmSocket] = {}
        self.opened = 0
        self.calls: list[HttpCall] = []
        self.frames: list[Received] = []
        self.accepted: list[Accepted] = []
        self.closes: list[ClientClose] = []
        self.pongs: list[int] = []
        self.violations: list[str] = []
        self.changed = Signal()
        self._ws_url = ws_url
        self._clock = loop_clock()
        self._started = self._clock()
        self._tickets: dict[str, tuple[str, float]] = {}
        self._issued = 0
        self._last_accepted: dict[str, Accepted] = {}
        self._ids: dict[int, set[int]] = {}

    def now(self) -> float:
        """Return the seconds since the fake Slack was started."""
        return self._clock() - self._started

    def touch(self) -> None:
        """Wake the tasks that wait for a change."""
        self.changed.set()
        self.changed = Signal()

    # Opening a WebSocket

    def issue_url(self, token: str) -> str:
        """Return a URL that opens one WebSocket before it expires."""
        self._issued += 1
        ticket = f"ticket-{self._issued}"
        self._tickets[ticket] = (token, self.now() + self.options.url_lifetime)
        return f"{self.options.public_ws_url or self._ws_url}{WS_PATH}{ticket}"

    def redeem(self, target: str) -> str | None:
        """Return the token for the path of an upgrade; None if the path was used before, is too old or was not issued.

        A client may append a query or a bare `?` to the path.
        """
        token, good_until = self._tickets.pop(urlsplit(target).path.removeprefix(WS_PATH), ("", 0.0))
        return token if token and self.now() <= good_until else None

    def first_frames(self, token: str) -> list[str]:
        """Return the first frames of a new WebSocket: hello and perhaps the last reply, or none.

        After a reconnect Slack may repeat its last reply, as a message with `reply_to` (Slack's page: "the last message
        sent before the connection was dropped"; `@slack/client` 3.16.0 settles its pending messages by it).
        """
        if self.faults.take(NoHello) is not None:
            return []
        frames: list[JSONObject] = [{"type": "hello"}]
        last = self._last_accepted.get(token)
        if self.options.replay_last_reply and last is not None:
            user = self.workspace.tokens[token]
            facts = {"channel": last.channel, "user": user, "text": last.text, "ts": last.ts}
            frames.append({"reply_to": last.id, "type": "message", **facts})
        return [json.dumps(frame) for frame in frames]

    # Frames

    def publish(self, event: JSONObject, *, besides: RtmSocket | None = None) -> None:
        """Send an event to every WebSocket, except one if given."""
        text = json.dumps(event)
        for socket in list(self.sockets.values()):
            if socket is not besides:
                socket.send([text])

    def on_frame(self, socket: RtmSocket, raw: bytes) -> None:
        """Handle a frame from a client: record it, answer it, and publish its event."""
        try:
            data: Any = decode(raw)
        except ValueError:
            data = raw
        self.frames.append(Received(self.now(), socket.number, data))
        frame = as_object(data)
        if frame is None:
            self._record_violation(socket, "a frame that is not a JSON object")
        else:
            self._check_id(socket, frame)
            if not socket.silent:
                self._act(socket, frame)
        self.touch()

    def on_pong(self, socket: RtmSocket) -> None:
        """Record the answer to a ping of the WebSocket protocol."""
        self.pongs.append(socket.number)
        self.touch()

    def _act(self, socket: RtmSocket, frame: JSONObject) -> None:
        kind = frame.get("type")
        if kind == "message":
            self._on_message(socket, frame)
        elif kind == "ping":
            # Slack's page: all fields of the ping are returned, the id as reply_to.
            pong = {key: value for key, value in frame.items() if key not in ("id", "type")}
            self._send(socket, {**pong, "type": "pong", "reply_to": frame.get("id")})
        elif kind == "typing":
            user = self.workspace.tokens[socket.token]
            self.publish({"type": "user_typing", "channel": frame.get("channel"), "user": user}, besides=socket)
        elif kind == "presence_sub":
            socket.presence_ids = [str(user) for user in as_array(frame.get("ids")) or ()]

    def _on_message(self, socket: RtmSocket, frame: JSONObject) -> None:
        rejection = self.faults.take(Rejection)
        if rejection is None and not (frame.get("text") and isinstance(frame["text"], str)):
            rejection = Rejection(times=1, code=2, msg="message text is missing")  # the example of Slack's page
        elif rejection is None and not self.workspace.has_room(frame.get("channel")):
            rejection = Rejection(times=1, code=3, msg="channel not found")  # undocumented; ours
        number: Any = frame.get("id")
        if rejection is not None:
            error = {"code": rejection.code, "msg": rejection.msg}
            self._send(socket, {"ok": False, "reply_to": number, "error": error})
            return
        user = self.workspace.tokens[socket.token]
        thread = {"thread_ts": frame["thread_ts"]} if isinstance(frame.get("thread_ts"), str) else {}
        event = self.workspace.add_message(frame["channel"], user, frame["text"], **thread)
        taken = Accepted(socket.number, number, event["channel"], event["text"], event["ts"])
        self.accepted.append(taken)
        self._last_accepted[socket.token] = taken
        if self.faults.take(SwallowedAck) is None:
            # A reply has no `type`, by which clients distinguish it from an event.
            self._send(socket, {"ok": True, "reply_to": number, "ts": event["ts"], "text": event["text"]})
        self.publish(event, besides=None if self.options.echo_to_sender else socket)

    def _check_id(self, socket: RtmSocket, frame: JSONObject) -> None:
        """Record a violation unless the id is a positive integer, unique on its connection (Slack's page)."""
        number = frame.get("id")
        if not isinstance(number, int) or isinstance(number, bool) or number < 1:
            self._record_violation(socket, f"the id {number!r}")
        elif number in self._ids.setdefault(socket.number, set()):
            self._record_violation(socket, f"the id {number} again")
        else:
            self._ids[socket.number].add(number)

    def _record_violation(self, socket: RtmSocket, what: str) -> None:
        self.violations.append(f"connection {socket.number} sent {what}")

    def _send(self, socket: RtmSocket, frame: JSONObject) -> None:
        socket.send([json.dumps(frame)])
