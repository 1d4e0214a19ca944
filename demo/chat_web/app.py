"""A chat in the browser: python demo/chat_web/app.py, then open http://127.0.0.1:8000/ in two or three tabs.

The page (index.html, chat.js) uses the browser's own WebSocket and no library. Each tab logs in for itself, so one
browser can be several users, and one user in several tabs. It needs

    .venv/bin/python -m pip install -e '.[gateway,redis]' uvicorn

With two servers, which a Redis connects, users at either of them chat with each other:

    redis-server --port 6400 --save "" &
    export CHAT_SECRET=something
    python demo/chat_web/app.py --redis redis://127.0.0.1:6400 --port 8001 &
    python demo/chat_web/app.py --redis redis://127.0.0.1:6400 --port 8002 &

Stop one of them and start it again: its pages reconnect by themselves, and show what was said meanwhile. Put a load
balancer before both, and they go on at the other one.

What is a toy here is the login, without a password: whoever says to be Ann is Ann. What is not is the way of the
messages. A browser cannot resume a session of RTM, as a page cannot send the header for it; so the application keeps
the last messages of each user, and a page asks for them after each connect. They have ids, so it shows each one once.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import os
import secrets
import socket
import sys
import time
from collections import defaultdict, deque
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import anyio

try:
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import FileResponse, JSONResponse, Response
    from starlette.routing import Route, WebSocketRoute
except ModuleNotFoundError:
    sys.exit("needs other packages: .venv/bin/python -m pip install -e '.[gateway,redis]' uvicorn")

from rcex_ws.broker import BrokerUnavailable
from rcex_ws.rtm import RemoteError
from rcex_ws.rtm.server import RemoteClient, RtmServer

TEAM = ("ann", "ben", "cleo", "dan")
EVERYONE = "everyone"
MOST_MESSAGES = 200  # kept for each user
MOST_CHARACTERS = 2000  # of a message

HERE = Path(__file__).parent
PAGE_HEADERS = {
    "content-security-policy": "default-src 'self'; style-src 'unsafe-inline'; img-src data:",
    "cache-control": "no-cache",
}

Message = dict[str, Any]


class History:
    """The last messages of each user, in Redis if there is one: all servers have to know them."""

    def __init__(self, redis: str | None) -> None:
        self._here: dict[str, deque[str]] = defaultdict(lambda: deque(maxlen=MOST_MESSAGES))
        self._redis = None
        if redis is not None:
            from coredis import Redis

            self._redis = Redis.from_url(redis, decode_responses=True)

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[None]:
        """Connect to Redis."""
        async with AsyncExitStack() as stack:
            if self._redis is not None:
                await stack.enter_async_context(self._redis)
            yield

    async def add(self, user: str, message: Message) -> None:
        """Add a message to those of a user."""
        if self._redis is None:
            self._here[user].append(json.dumps(message))
        else:
            await self._redis.rpush(f"chat:{user}", [json.dumps(message)])
            await self._redis.ltrim(f"chat:{user}", -MOST_MESSAGES, -1)

    async def of(self, user: str) -> list[Message]:
        """Return the messages of a user."""
        kept = self._here[user] if self._redis is None else await self._redis.lrange(f"chat:{user}", 0, -1)
        return [json.loads(message) for message in kept]


class Logins:
    """A toy login: whoever says to be somebody gets a token that says so; that it was given here, is signed."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def token_of(self, name: str) -> str:
        """Return a token for a user."""
        return f"{name}.{hmac.new(self._secret, name.encode(), hashlib.sha256).hexdigest()}"

    def authenticate(self, client: RemoteClient, token: object = None) -> dict[str, str] | None:
        """Return who a client is, or None to refuse it; called for each connection."""
        name = str(token).partition(".")[0]
        if name not in TEAM or not hmac.compare_digest(self.token_of(name).encode(), str(token).encode()):
            return None
        return {"id": name}


def make_app(redis: str | None, secret: str) -> Starlette:
    """Return the application: the page, the login and, at /rtm, the server."""
    logins, history = Logins(secret), History(redis)
    people: dict[str, int] = {}  # how many tabs each user has open, at all servers, as the pages know it
    server = RtmServer(authenticate=logins.authenticate, redis=redis)

    @server.register
    async def hello(client: RemoteClient, last: str | None) -> Message:
        """Return all that a page shows; and whether that includes all since the last message that it has, if any."""
        messages = await history.of(client.user_id)
        complete = last is None or any(message["id"] == last for message in messages)
        return {"people": people, "messages": messages, "complete": complete}

    @server.register
    async def send(client: RemoteClient, number: str, to: str, text: str) -> None:
        """Send a message to a user, or to everyone. Pages repeat this, with the same number, until they know."""
        if to not in (*TEAM, EVERYONE):
            raise RemoteError("there is nobody of this name")
        if not isinstance(text, str) or not text.strip() or len(text) > MOST_CHARACTERS:
            raise RemoteError(f"a message has 1 to {MOST_CHARACTERS} characters")
        sender = client.user_id
        message = {"id": f"{sender}-{number}"[:80], "from": sender, "to": to, "text": text, "at": time.time()}
        for user in TEAM if to == EVERYONE else {sender, to}:
            await history.add(user, message)
            await server.publish(user, "message", message, wait=False)

    @server.register
    def ping(client: RemoteClient) -> None:
        """Do nothing: a page finds out whether its connection still works."""

    async def watch_people() -> None:
        """Tell all pages who is there, whenever that changes; also when another server has died."""
        while True:
            with suppress(BrokerUnavailable):
                now = {user: sum((await server.presence(user)).values()) for user in TEAM}
                if now != people:
                    people.update(now)
                    server.emit("people", None, people)
            await anyio.sleep(0.5)

    async def login(request: Request) -> Response:
        name = (await request.json()).get("name")
        if name not in TEAM:
            return JSONResponse({"error": "there is nobody of this name"}, 403)
        return JSONResponse({"name": name, "token": logins.token_of(name)})

    async def team(request: Request) -> Response:
        return JSONResponse(TEAM)

    async def page(request: Request) -> Response:
        return FileResponse(HERE / "index.html", headers=PAGE_HEADERS)

    async def script(request: Request) -> Response:
        return FileResponse(HERE / "chat.js", headers=PAGE_HEADERS)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[None]:
        async with history.open(), server.mounted(), anyio.create_task_group() as tasks:
            tasks.start_soon(watch_people)
            yield
            tasks.cancel_scope.cancel()

    routes = [
        Route("/", page),
        Route("/chat.js", script),
        Route("/team", team),
        Route("/login", login, methods=["POST"]),
        WebSocketRoute("/rtm", server.asgi),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


def main() -> None:
    """Read the command line and serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8000, help="where to listen, 0 for any free port (default: 8000)")
    parser.add_argument("--redis", metavar="URL", help="the Redis that connects several servers (default: none)")
    options = parser.parse_args()
    # Tokens of one server have to be good at the other.
    app = make_app(options.redis, os.environ.get("CHAT_SECRET") or secrets.token_hex(16))
    with socket.create_server(("127.0.0.1", options.port)) as listener:
        print(f"http://127.0.0.1:{listener.getsockname()[1]}/", flush=True)
        config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=3)
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run([listener])


if __name__ == "__main__":
    main()
