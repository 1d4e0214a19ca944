"""A chat of three users over two servers, one of which is killed while they talk: python demo/chat.py.

Each server is a process of its own, and a Redis connects the two; this program starts all of them, on free ports of
this machine. The Redis is Debian's `redis-server`, and needs the extra `redis`. Where there is none, one server runs
alone, and a connection is cut instead. The exit code is 1 if anything did not hold. demo/chat_web is a chat to type in.
"""

from __future__ import annotations

import importlib.util
import logging
import shutil
import socket
import sys
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from subprocess import DEVNULL
from typing import NamedTuple

import anyio
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from rcex_ws import RcexError
from rcex_ws.rtm import RtmClient, RtmEvents, RtmGap
from rcex_ws.rtm.server import RemoteClient, RtmServer
from rcex_ws.testing import FaultProxy

USERS = ("ann", "ben", "cleo")
TOKENS = {f"token of {user}": user for user in USERS}  # yours will be secret

began = time.monotonic()


# -- a server ----------------------------------------------------------------------------------------------------------


async def serve(redis: str | None) -> None:
    """Run one server, until the program that has started it ends."""
    server = RtmServer(authenticate=lambda client, token: TOKENS.get(token), redis=redis)

    @server.register
    async def say(client: RemoteClient, to: str, text: str) -> int:
        """Send a message to all connections of a user, to whichever server; return how many have taken it."""
        return await server.publish(to, "message", client.user_id, text)

    @server.register
    async def where(client: RemoteClient, user: str) -> Mapping[str, int]:
        """Return how many connections a user has to each server."""
        return await server.presence(user)

    async with server:
        print(server.url, server.id, flush=True)
        await anyio.to_thread.run_sync(sys.stdin.read)


# -- a user ------------------------------------------------------------------------------------------------------------


class Device:
    """What a user holds in hand, with a client.

    Args:
        name: whose it is.
        url: where to connect.

    Attributes:
        client: the client.
        got: the messages it has shown.
        lost: whether it may have missed a message.
    """

    def __init__(self, name: str, url: str) -> None:
        self.name = name
        self.got: list[str] = []
        self.lost = False
        token = f"token of {name.split()[0]}"
        self.client = RtmClient(url, authentication=token, reconnect_delays=lambda failures: 0.5)
        self.client.subscribe("message", self.show, spread=True)
        self.client.on(RtmEvents.CLOSE, lambda loss: tell(f"{name}: the connection has ended ({loss})"))
        self.client.on(RtmEvents.RECONNECTING, lambda attempt: tell(f"{name}: reconnecting, attempt {attempt}"))
        self.client.on(RtmEvents.GAP, self.on_gap)

    def show(self, sender: str, text: str) -> None:
        """Show a message."""
        self.got.append(text)
        tell(f"    on {self.name}'s screen: <{sender}> {text}")

    def on_gap(self, gap: RtmGap) -> None:
        """Show what may be missing: messages, or only what a server has sent to its own clients by `emit` or `push`."""
        self.lost = self.lost or gap.published
        what = "messages may be missing" if gap.published else "the killed server may have emitted something else"
        tell(f"{self.name}: a gap: {what}; {gap.reason}")

    async def say(self, to: str, text: str) -> None:
        """Send a message to a user, and wait for the outcome."""
        tell(f"{self.name} to {to}: {text}")
        count = await self.client.call_wait("say", to, text)
        tell(f"    taken by {count} connection{'' if count == 1 else 's'}")


# -- what happens ------------------------------------------------------------------------------------------------------


async def chat(servers: list[Server], network: FaultProxy) -> bool:
    """Let the users talk; return whether everybody got everything. The last server is behind `network`."""
    first, last = servers[0], servers[-1]
    news = [f"News {number}" for number in range(1, 9)]
    names = {server.id: server.name for server in servers}
    through_network = network.url(last.url)
    async with AsyncExitStack() as stack:
        ann, laptop = Device("ann", first.url), Device("cleo (laptop)", first.url)
        ben, phone = Device("ben", through_network), Device("cleo (phone)", through_network)
        for device in (ann, ben, laptop, phone):
            await stack.enter_async_context(device.client)

        async def where(user: str) -> str:
            """Tell to which servers a user is connected."""
            counts = await ann.client.call_wait("where", user)
            return f"{user}: " + ", ".join(sorted(f"{count} to server {names[node]}" for node, count in counts.items()))

        for _ in range(100):  # servers tell each other a moment later
            if sum([sum((await ann.client.call_wait("where", user)).values()) for user in USERS]) == 4:
                break
            await anyio.sleep(0.02)
        title("Who is connected where")
        for user in USERS:
            tell(await where(user))

        title("Messages to users, wherever they are")
        await ann.say("ben", "Hello Ben")
        await ben.say("ann", "Hello Ann")
        await ben.say("cleo", "Are you there, Cleo?")
        await phone.say("ben", "On two devices!")
        await until(lambda: ben.got and ann.got and laptop.got and phone.got)

        if first is last:
            title("The connections of ben and of cleo's phone are cut, and ann goes on")
            network.cut()
        else:
            title("Server B is killed by SIGKILL, and ann goes on; new connections now come to server A")
            last.process.kill()
            network.retarget(first.url)  # what a load balancer does
        for text in news:
            tell(f"ann to ben: {text}")
            ann.client.call("say", "ben", text)  # does not wait for the outcome
            await anyio.sleep(0.1)
        await ann.say("cleo", "Where is Ben?")
        await until(lambda: news[-1] in ben.got and len(phone.got) == 2)
        await ben.say("ann", "Here I am")
        await until(lambda: len(ann.got) == 2)

        if first is not last:
            title("Who is connected where, once the death of server B has been noticed, which takes some seconds")
            for _ in range(50):
                await anyio.sleep(0.2)
                if "B" not in await where("cleo"):
                    break
            for user in USERS:
                tell(await where(user))
        title("Everybody leaves")

    title("What came of it")
    to_cleo = ["Are you there, Cleo?", "Where is Ben?"]
    return all(
        [
            check(ann.got == ["Hello Ann", "Here I am"], "ann got both messages"),
            check(ben.got == ["Hello Ben", "On two devices!", *news], "ben got all ten messages, once and in order"),
            check(laptop.got == phone.got == to_cleo, "cleo got both messages on both devices"),
            check(not any(device.lost for device in (ann, ben, laptop, phone)), "nobody had to be told of a loss"),
        ]
    )


GUARANTEE = """
What is guaranteed
  A message is kept for five minutes once publish() has returned, {where}.
  A client that was away gets what it has missed{whence}: each message once, in order, before newer ones.
  Whatever may be missing all the same is told by the event `gap`, before the next message.\
"""


async def main() -> int:
    """Start everything, let the users talk, and say what is guaranteed; return the exit code."""
    with_redis = shutil.which("redis-server") and importlib.util.find_spec("coredis")
    async with AsyncExitStack() as stack:
        if with_redis:
            redis = await stack.enter_async_context(start_redis())
            servers = [await stack.enter_async_context(start_server(name, redis)) for name in "AB"]
            print(f"Two servers, A (process {servers[0].process.pid}) and B ({servers[1].process.pid}), and {redis}.")
        else:
            servers = [await stack.enter_async_context(start_server("A", None))]
            print(
                "One server: there is no redis-server on the PATH, or the extra `redis` is not installed. Left out is "
                "what needs two:\npublishing from one server to another, and the death of a server."
            )
        with FaultProxy.to(servers[-1].url) as network, anyio.fail_after(30):
            kept = await chat(servers, network)
    where, whence = ("in Redis", ", from any server") if with_redis else ("in the server's memory", "")
    print(GUARANTEE.format(where=where, whence=whence))
    print(f"\n{'OK' if kept else 'FAILED'} after {time.monotonic() - began:.1f} s.")
    return 0 if kept else 1


def title(text: str) -> None:
    """Begin a chapter."""
    print(f"\n{text}")


def tell(text: str) -> None:
    """Tell what happens, with the time."""
    print(f"  {time.monotonic() - began:5.2f} s  {text}", flush=True)


def check(holds: bool, what: str) -> bool:
    """Tell whether something holds."""
    print(f"  [{'ok' if holds else 'FAILED'}] {what}")
    return holds


async def until(condition: Callable[[], object]) -> None:
    """Wait until something holds, for up to ten seconds; what does not hold then is told in the end."""
    for _ in range(500):
        if condition():
            break
        await anyio.sleep(0.02)


# -- processes ---------------------------------------------------------------------------------------------------------


class Server(NamedTuple):
    """A server process: its name in this program, its address, and the id by which servers know each other."""

    name: str
    url: str
    id: str
    process: Process


@asynccontextmanager
async def start_server(name: str, redis: str | None) -> AsyncGenerator[Server]:
    """Run a server in a process of its own."""
    command = [sys.executable, __file__, "--server", *([redis] if redis else [])]
    async with await anyio.open_process(command, stderr=None, start_new_session=True) as process:
        try:
            with anyio.fail_after(10):
                line = await BufferedByteReceiveStream(process.stdout).receive_until(b"\n", 1000)
            url, node = line.decode().split()
            yield Server(name, url, node, process)
        finally:
            if process.returncode is None:
                process.kill()


@asynccontextmanager
async def start_redis() -> AsyncGenerator[str]:
    """Run a Redis that keeps nothing on the disk."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    command = ["redis-server", "--port", port, "--bind", "127.0.0.1", "--save", ""]
    async with await anyio.open_process(command, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL) as process:
        try:
            for _ in range(500):
                if await answers(int(port)):
                    break
                await anyio.sleep(0.02)
            yield f"redis://127.0.0.1:{port}"
        finally:
            process.terminate()


async def answers(port: int) -> bool:
    """Return whether somebody listens on a port."""
    try:
        async with await anyio.connect_tcp("127.0.0.1", port):
            return True
    except OSError:
        return False


if __name__ == "__main__":
    logging.basicConfig(level=logging.CRITICAL)  # the losses are told above
    try:
        if sys.argv[1:2] == ["--server"]:
            anyio.run(serve, sys.argv[2] if sys.argv[2:] else None)
        else:
            sys.exit(anyio.run(main))
    except (RcexError, TimeoutError) as error:
        sys.exit(f"FAILED {error!r}")
    except KeyboardInterrupt:
        print("stopped")
