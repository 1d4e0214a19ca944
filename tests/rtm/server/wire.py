"""RTM servers of one service without a network: the test is each client's connection, frame by frame."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import anyio
import anyio.lowlevel
from anyio.abc import TaskGroup

from rcex_ws.broker import MemoryBroker, MemoryHub
from rcex_ws.rtm.resumption import HEADER
from rcex_ws.rtm.server import RtmServer
from rcex_ws.websocket.frames import Sendable
from rcex_ws.websocket.peer import PeerOptions, Shared
from rcex_ws.websocket.server_handshake import UpgradeRequest
from rcex_ws.websocket.socket import Ending

__all__ = ["Frame", "Node", "Service", "Wire", "running", "service", "settle", "user"]

Frame = dict[str, Any]


def user(client: Any, name: Any = None) -> Any:
    """Authenticate anyone by the name that is sent."""
    return name


async def settle(turns: int = 40) -> None:
    """Let all tasks do what they can do now; nothing here waits for anything else."""
    for _ in range(turns):
        await anyio.lowlevel.checkpoint()


async def settle_until(condition: Callable[[], object]) -> None:
    """Let all tasks do what they can do now, or until something holds."""
    for _ in range(100):
        if condition():
            break
        await anyio.lowlevel.checkpoint()


class Wire:
    """One connection of a client; a `Peer`.

    Attributes:
        received: all frames that the client has got.
        pings: the payloads of the pings that it has not answered.
        code: the close code from the server; None while it is open, or if it was lost.
        status: of a refused upgrade.
        lost: whether the network is gone, though the server does not know it: nothing arrives.
        stalled: whether the client does not read: what is sent waits.
        deaf: whether the client does not answer a close frame.
    """

    def __init__(self, headers: Mapping[str, str], options: PeerOptions) -> None:
        self.request = UpgradeRequest("/", dict(headers))
        self.received: list[Frame] = []
        self.pings: list[bytes] = []
        self.code: int | None = None
        self.reason = ""
        self.status: int | None = None
        self.accepted = self.is_open = self.overflowed = False
        self.lost = self.stalled = self.deaf = False
        self.ended: Ending | None = None
        self._options = options
        self._waiting: list[bytes] = []
        self._changed = anyio.Event()
        self._on_closing: Callable[[], object] = lambda: None
        self._on_message: Callable[[bytes, bool], object] = lambda data, binary: None
        self._on_pong: Callable[[bytes], object] = lambda data: None
        self._on_heard: Callable[[], object] = lambda: None

    # -- the client ----------------------------------------------------------------------------------------------------

    def say(self, *messages: Any) -> None:
        """Send messages: JSON of a dict, bytes as they are, binary of a bytearray."""
        for message in messages:
            if self.is_open and not self.lost:
                data = message if isinstance(message, bytes | bytearray) else json.dumps(message).encode()
                self._on_heard()
                self._on_message(bytes(data), isinstance(message, bytearray))

    async def ask(self, message: Any) -> Any:
        """Send a message; return the next frame."""
        count = len(self.received)
        self.say(message)
        await self.until(lambda: len(self.received) > count)
        return self.received[-1]

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until something holds, which may be only after a while."""
        with anyio.fail_after(10):
            await settle_until(condition)
            while not condition():
                await anyio.sleep(0.01)

    async def call(self, function: str, *data: Any, id_: Any = "c") -> Any:
        """Call a function; return the data of its reply."""
        count = len(self.replies(id_))
        self.say({"id": id_, "type": "invoke", "function": function, "data": data})
        await self.until(lambda: len(self.replies(id_)) > count)
        return self.replies(id_)[-1].get("data")

    def replies(self, id_: Any) -> list[Frame]:
        return [frame for frame in self.received if "event" not in frame and frame["id"] == id_]

    @property
    def session(self) -> Frame:
        """The argument of the first event."""
        assert self.received[0]["event"] == "rtm:session"
        (argument,) = self.received[0]["data"]
        return dict(argument)

    @property
    def events(self) -> list[Frame]:
        """The events, but for the reserved ones."""
        return [one for one in self.received if not one.get("event", "rtm:").startswith("rtm:")]

    @property
    def data(self) -> list[Any]:
        """The first argument of each event."""
        return [event["data"][0] for event in self.events]

    @property
    def gaps(self) -> list[Frame]:
        """What was told to be missing: in the session, and later."""
        later = [one["data"][0] for one in self.received if one.get("event") == "rtm:gap"]
        first = [one["data"][0].get("gap") for one in self.received if one.get("event") == "rtm:session"]
        return [gap for gap in first if gap] + later

    def header(self, session: Frame | None = None, received: int | None = None, position: str | None = None) -> str:
        """Return what to ask for in order to go on after this connection."""
        session = self.session if session is None else session
        at = [event["id"] for event in self.events if "id" in event]
        at += [gap["position"] for gap in self.gaps[-1:] if self.received[-1].get("event") == "rtm:gap"]
        if position is None:
            position = at[-1] if at else session.get("position", "")
        return f"{session['session']};{len(self.events) if received is None else received};{position}"

    def pong(self) -> None:
        """Answer all pings."""
        pings, self.pings = self.pings, []
        for payload in pings:
            self.answer(payload)

    def answer(self, payload: bytes) -> None:
        if not self.lost and self.ended is None:
            self._on_heard()
            self._on_pong(payload)

    def leave(self, code: int = 1000, reason: str = "") -> None:
        """Close the connection."""
        self._stop()
        self._end(Ending(code, reason, by_peer=True))

    def drop(self) -> None:
        """Let both sides notice that the connection is lost."""
        self._stop()
        self._end(Ending(None, "", by_peer=False))

    def break_rules(self, code: int) -> None:
        """Send what the server's WebSocket refuses."""
        self._stop()
        self._end(Ending(code, "", by_peer=False, unreadable=True))

    def read_all(self) -> None:
        """Read what has waited, and go on reading."""
        self.stalled = False
        waiting, self._waiting = self._waiting, []
        self._deliver(waiting)
        self._change()

    # -- the server's side ---------------------------------------------------------------------------------------------

    async def accept(self, *_: Any) -> None:
        self.accepted = self.is_open = True
        await anyio.lowlevel.checkpoint()

    async def refuse(self, status: int, headers: Any = None, body: bytes | str = b"") -> None:
        self.status = status
        await anyio.lowlevel.checkpoint()

    async def read(self, on_message: Any, on_pong: Any = None, on_closing: Any = None, on_heard: Any = None) -> Ending:
        self._on_message, self._on_pong, self._on_closing = on_message, on_pong, on_closing
        self._on_heard = on_heard
        if not self.is_open:
            on_closing()
        while self.ended is None:
            await self._wait()
        return self.ended

    def send(self, messages: Iterable[bytes | Sendable]) -> bool:
        if not self.is_open:
            return False
        frames = [message for message in messages if isinstance(message, bytes)]
        if self.lost:
            return True
        if not self.stalled:
            self._deliver(frames)
            return True
        self._waiting += frames
        if sum(map(len, self._waiting)) > self._options.max_buffer and self._options.overflow_code is not None:
            self._waiting.clear()
            self.overflowed = True
            self.close(self._options.overflow_code, "too slow")
        return self.is_open

    def send_shared(self, shared: Shared) -> bool:
        return self.send(bytes(message) for message in shared.messages)  # type: ignore[arg-type]

    async def drain(self) -> None:
        while self._waiting and self.is_open:
            await self._wait()

    def ping(self, data: bytes = b"") -> None:
        if self.is_open and not self.lost:
            self.pings.append(data)

    def close(self, code: int = 1000, reason: str = "") -> None:
        if self.is_open:
            if not self.lost:
                self.code, self.reason = code, reason
            self._stop()
            if not (self.deaf or self.lost):
                self._end(Ending(code, reason, by_peer=True, answered=True))

    def abort(self) -> None:
        self.drop()

    def _deliver(self, frames: Iterable[bytes]) -> None:
        self.received += [json.loads(frame) for frame in frames]

    def _stop(self) -> None:
        if self.is_open:
            self.is_open = False
            self._on_closing()
            self._change()

    def _end(self, ending: Ending) -> None:
        self.ended = self.ended or ending
        self._change()

    def _change(self) -> None:
        changed, self._changed = self._changed, anyio.Event()
        changed.set()

    async def _wait(self) -> None:
        await self._changed.wait()


class Node:
    """One server, and the clients that connect to it."""

    def __init__(self, server: RtmServer, group: TaskGroup) -> None:
        self.server = server
        self.core = server._core
        self.events: list[tuple[Any, ...]] = []  # what its handlers were told, but for the broker
        for event in ("connect", "resume", "disconnect", "error"):
            server.on(event, lambda *args, event=event: self.events.append((event, *args)))
        self._group = group

    @property
    def names(self) -> list[str]:
        """The names of the events of the server."""
        return [event[0] for event in self.events]

    @property
    def errors(self) -> list[Exception]:
        return [event[1] for event in self.events if event[0] == "error"]

    def wire(self, resume: str | None = None, **headers: str) -> Wire:
        """Connect a client, without waiting.

        Args:
            resume: the header that asks for a session; None for a client that does not.
            headers: others.
        """
        fields = dict(headers) if resume is None else {**headers, HEADER.lower(): resume}
        wire = Wire(fields, self.server._settings.peer_options)
        self._group.start_soon(lambda: self.server._runtime._serve(wire, heartbeat=True))
        return wire

    async def connect(self, name: Any = None, *, resume: str | None = "new", **headers: str) -> Wire:
        """Connect a client, and authenticate it if it has a name."""
        wire = self.wire(resume, **headers)
        await wire.until(lambda: wire.accepted or wire.status)
        await settle(5)
        if name is not None:
            wire.say({"id": "a", "type": "auth", "data": [name]})
            await wire.until(lambda: wire.replies("a") or not wire.is_open)
        return wire

    async def leftovers(self) -> list[Any]:
        """Return all that it remembers of clients: nothing once all have left and their time is over."""
        await settle()
        core = self.core
        sessions, channels, broker = core.sessions, core.channels, core.broker
        remains = [*sessions, *sessions._by_key, *channels._channels, *core.pushes._by_event, *core.publisher._counting]
        if isinstance(broker, MemoryBroker):
            remains += [*broker._following, *broker._memberships]
        return [*remains, *self.server._runtime._services]


class Service:
    """Servers that share a hub."""

    def __init__(self, hub: MemoryHub, group: TaskGroup, stack: AsyncExitStack) -> None:
        self.hub = hub
        self.nodes: list[Node] = []
        self._group = group
        self._stack = stack

    async def node(self, **options: Any) -> Node:
        """Start one more server."""
        options.setdefault("authenticate", user)
        if options["authenticate"] is not None:
            options.setdefault("broker", MemoryBroker(self.hub))
        server = await self._stack.enter_async_context(RtmServer(**options).mounted())
        self.nodes.append(Node(server, self._group))
        return self.nodes[-1]


@asynccontextmanager
async def service(**options: Any) -> AsyncGenerator[Service]:
    """Run servers; what their handlers raise fails the test unless it is expected."""
    async with anyio.create_task_group() as group:
        async with AsyncExitStack() as stack:
            yield Service(MemoryHub(**options), group, stack)
        group.cancel_scope.cancel()


@asynccontextmanager
async def running(**options: Any) -> AsyncGenerator[Node]:
    """Run one server."""
    async with service() as one:
        yield await one.node(**options)
