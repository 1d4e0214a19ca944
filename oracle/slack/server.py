"""The fake Slack: its Web API over HTTP/1.1 and its RTM WebSockets on one port, faults included."""

from __future__ import annotations

import json
import math
import secrets
from collections.abc import Callable
from typing import Any

import trio

from oracle.dice import Dice
from oracle.lines import Pen
from oracle.slack import faults
from oracle.slack.life import Life
from oracle.slack.records import Broken, Called, Calm, Opened, Struck
from oracle.slack.rtm import RTM
from oracle.wire import BadRequest, FaultyStream, HTTPConnection, Request

URL_LIFETIME = 30.0
STORM = 0.6


class Slack:
    """Serve until cancelled.

    Args:
        pen: writes the journal.
        dice: decide about faults.

    Attributes:
        port: where it listens.
    """

    def __init__(self, pen: Pen, dice: Dice) -> None:
        self.port = 0
        self._pen = pen
        self._dice = dice
        self._lives: dict[int, Life] = {}
        self._urls: dict[str, tuple[int, float]] = {}
        self._connections = 0
        self._storm_until = -math.inf
        self._nursery: trio.Nursery
        self._listening: trio.CancelScope

    async def serve(self, calm_at: float, task_status: trio.TaskStatus[int]) -> None:
        """Listen on the loopback; faults end at `calm_at`, on trio's clock."""
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.port = listener.socket.getsockname()[1]
        async with trio.open_nursery() as self._nursery:
            self._nursery.start_soon(self._push_events)
            self._nursery.start_soon(self._strike)
            self._nursery.start_soon(self._calm_down, calm_at)
            task_status.started(self.port)
            while True:
                async with listener:
                    with trio.CancelScope() as self._listening:
                        while True:
                            self._nursery.start_soon(self._accept, await listener.accept())
                await trio.sleep(self._dice.random.uniform(0.1, 1.0))
                (listener,) = await trio.open_tcp_listeners(self.port, host="127.0.0.1")

    async def _accept(self, accepted: trio.SocketStream) -> None:
        stream = FaultyStream(accepted)
        http = HTTPConnection(stream)
        try:
            while (request := await http.read_request()) is not None:
                if request.is_upgrade:
                    await self._upgrade(http, request, stream)
                    return
                if not await self._answer(http, request, stream) or not request.keep_alive:
                    return
        except BadRequest as error:
            if not self._cut_by_the_end_of_an_attempt(error):
                self._pen.put(Broken(conn=0, rule=str(error)))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            await trio.aclose_forcefully(stream)

    @staticmethod
    def _cut_by_the_end_of_an_attempt(error: BadRequest) -> bool:
        """A client that gives up in the middle of a request breaks no rule."""
        return "in the middle" in str(error)

    # The Web API.

    async def _answer(self, http: HTTPConnection, request: Request, stream: FaultyStream) -> bool:
        """Answer one call; return whether the connection can take another."""
        method = request.path.rpartition("/")[2]
        fields = _fields(request)
        life = int(fields.get("life") or 0)
        if not request.path.startswith("/api/") or not self._token(request, fields).startswith("xoxb-"):
            self._pen.put(Broken(conn=0, rule=f"{request.method} {request.path} without a token"))
        if method in {"rtm.connect", "rtm.start"}:
            fault = self._dice.first(faults.OF_A_CALL, 0.06)
            if not fault and "last" not in fields and self._dice.strikes("rtm-final", 0.03):
                fault = "rtm-final"
            self._pen.put(Called(method=method, life=life, how=fault or "ok"))
            return await self._spoil(fault, http, self._start(life), stream)
        if method == "chat.update":
            fault = self._dice.first(faults.OF_AN_UPDATE, 0.05)
            self._pen.put(Called(method=method, life=life, how=fault or "ok", key=str(fields.get("text", ""))))
            update = {name: fields.get(name) for name in ("channel", "ts", "text")}
            return await self._spoil(fault, http, json.dumps({"ok": True, **update}).encode(), stream)
        await http.respond(200, b'{"ok":false,"error":"unknown_method"}', JSON)
        return True

    async def _spoil(self, fault: str, http: HTTPConnection, good: bytes, stream: FaultyStream) -> bool:
        rng = self._dice.random
        chunk = rng.choice([None, None, 7, 1000])
        fault = fault.replace("update-", "rtm-")  # they fail in the same ways
        if fault == "rtm-429":
            await http.respond(429, b"slow down", [("Retry-After", "1")])
        elif fault == "rtm-5xx":
            await http.respond(rng.choice([500, 502, 503, 504]), b"<html>down</html>", [("Content-Type", "text/html")])
        elif fault == "rtm-garbage":
            await http.respond(200, rng.choice([b"", b"<html>", b"[]", b"null", b'{"ok":true}', b"\xff\xfe{"]), JSON)
        elif fault == "rtm-error":
            code = rng.choice(["fatal_error", "migration_in_progress", "internal_error", "ratelimited"])
            await http.respond(200, json.dumps({"ok": False, "error": code}).encode(), JSON)
        elif fault == "rtm-final":
            code = rng.choice(["not_authed", "invalid_auth", "account_inactive", "user_removed_from_team"])
            await http.respond(200, json.dumps({"ok": False, "error": code}).encode(), JSON)
        elif fault == "rtm-rst":
            stream.reset()
        elif fault == "rtm-cut":
            stream.cut_after(rng.randint(0, len(good)), rng.choice(["reset", "fin"]))
            await http.respond(200, good, JSON)
        elif fault == "rtm-hang":
            await trio.sleep(5)  # longer than an attempt may take
        else:
            await http.respond(200, good, JSON, chunk=chunk)
            return True
        return fault in {"rtm-429", "rtm-5xx", "rtm-garbage", "rtm-error", "rtm-final"}

    def _start(self, life: int) -> bytes:
        ticket = secrets.token_hex(8)
        self._urls[ticket] = life, trio.current_time() + URL_LIFETIME
        return json.dumps(
            {
                "ok": True,
                "url": f"ws://127.0.0.1:{self.port}/rtm/{ticket}?a=b",
                "self": {"id": "U0BOT", "name": "bot"},
                "team": {"id": "T0", "name": "team", "domain": "team"},
                **{name: [] for name in ("users", "channels", "groups", "ims", "mpims", "bots")},
            }
        ).encode()

    @staticmethod
    def _token(request: Request, fields: dict[str, Any]) -> str:
        bearer = request.header("authorization").removeprefix("Bearer ")
        return bearer or str(fields.get("token", ""))

    # The WebSocket.

    async def _upgrade(self, http: HTTPConnection, request: Request, stream: FaultyStream) -> None:
        life, expires = self._urls.pop(request.path.rpartition("/")[2], (0, -math.inf))
        if expires < trio.current_time():
            self._pen.put(Broken(conn=0, rule="a URL that is not valid, or was used before"))
            await http.respond(404)
            return
        fault = self._dice.first(faults.OF_AN_UPGRADE, 0.04)
        if fault:
            self._pen.put(Struck(fault=fault))
        if fault == "refuse":
            await http.respond(self._dice.random.choice([403, 429, 503]), b"no", [("Retry-After", "1")])
            return
        if fault == "upgrade-rst":
            stream.reset()
            return
        if fault == "upgrade-hang":
            await trio.sleep(3)
            return
        self._connections += 1
        if life not in self._lives:
            self._lives[life] = Life(life)
        rtm = RTM(self._connections, self._lives[life], stream, self._pen, self._dice, self._later)
        self._pen.put(Opened(conn=rtm.number, life=life))
        delay = None if fault else self._dice.random.choice([0.0, 0.0, 0.05])
        first = b""
        if delay == 0 and self._dice.random.random() < 0.3:
            first, delay = rtm.greet_at_once(), None
        peer = await http.upgrade(request, first=first)
        if fault == "early-close":
            rtm.close(1011)
        if trio.current_time() < self._storm_until:
            self._later(self._dice.random.uniform(0, 0.05), stream.reset)
        await rtm.serve(peer, delay)

    async def _push_events(self) -> None:
        """Make an event every now and then, for every connection that was greeted."""
        n = 0
        while True:
            await trio.sleep(self._dice.random.expovariate(1 / 0.02))
            for _ in range(self._dice.random.choice([1, 1, 1, 5])):
                n += 1
                event = make_event(n)
                for life in self._lives.values():
                    for rtm in life.connections:
                        if rtm.greeted:
                            rtm.push(n, event)

    async def _strike(self) -> None:
        while True:
            await trio.sleep(self._dice.random.expovariate(1 / 0.3))
            open_ones = [rtm for life in self._lives.values() for rtm in life.connections if not rtm.given_up]
            fault = self._dice.one_of(faults.OF_A_CONNECTION)
            if not fault or not open_ones:
                continue
            if fault == "down":
                self._pen.put(Struck(fault="down"))
                self._listening.cancel()
                for rtm in open_ones:
                    rtm.strike("rst")
                continue
            if fault == "storm":
                self._pen.put(Struck(fault="storm"))
                self._storm_until = trio.current_time() + STORM
                fault = "rst"
            self._dice.random.choice(open_ones[-1:] * 3 + open_ones[-2:]).strike(fault)

    async def _calm_down(self, at: float) -> None:
        await trio.sleep_until(at)
        self._dice.calm = True
        self._storm_until = -math.inf
        for life in self._lives.values():
            for rtm in life.connections:
                rtm.thaw()  # what goes only one way is never found out, because any frame is a sign of life
        self._pen.put(Calm())

    def _later(self, seconds: float, what: Callable[[], None]) -> None:
        async def wait() -> None:
            await trio.sleep(seconds)
            what()

        self._nursery.start_soon(wait)


JSON = [("Content-Type", "application/json; charset=utf-8")]


def make_event(n: int) -> dict[str, Any]:
    """Make event `n`: of those that Slack sends the kinds with and without a time stamp."""
    channel, user, stamp = "C0GENERAL", "U000ALICE", f"{1_000_000 + n}.{n % 1000:06d}"
    kinds: list[dict[str, Any]] = [
        {"type": "message", "channel": channel, "user": user, "text": f"event {n}", "ts": stamp},
        {"type": "user_typing", "channel": channel, "user": user},
        {
            "type": "message",
            "subtype": "message_changed",
            "channel": channel,
            "ts": stamp,
            "message": {"type": "message", "user": user, "text": f"event {n}", "ts": "1000001.000001"},
        },
        {"type": "presence_change", "user": user, "presence": "away"},
        {
            "type": "reaction_added",
            "user": user,
            "reaction": "tada",
            "item": {"type": "message", "channel": channel, "ts": "1000001.000001"},
            "event_ts": stamp,
        },
    ]
    return {**kinds[n % len(kinds)], "n": n}


def _fields(request: Request) -> dict[str, Any]:
    """Read the arguments of a call: from the query, a form, or JSON."""
    fields: dict[str, Any] = dict(request.query)
    if "json" in request.header("content-type"):
        fields |= json.loads(request.body or b"{}")
    elif request.body:
        fields |= request.form
    return fields
