"""A whole life of a client in one event loop, run as a program of its own: `python life.py asyncio [--no-sniffio]`.

Every other test runs under anyio's plugin, which marks the thread as its own; here the loop is started as users start
it. While it runs, everything of anyio's that needs a task fails when there is none: in a callback of the loop anyio
may or may not find its backend, so that a mistake there would show in some runs only.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import threading
import warnings
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

MESSAGES = "/restapi/v1.0/account/~/extension/~/message-store"
ROUNDS = 3


def only_in_tasks() -> list[str]:
    """Make anyio refuse to work where no task runs; give the list in which its refusals are noted."""
    import anyio

    refusals: list[str] = []

    def check(name: str) -> None:
        if threading.current_thread() is not threading.main_thread():
            return  # the gateway lives in a thread of its own
        by = sys._getframe(2).f_globals["__name__"]
        if asyncio.current_task() is None and not by.startswith("anyio."):  # anyio's own timers may
            refusals.append(f"{name} by {by}")
            raise AssertionError(f"{name} of anyio was used where no task runs")

    def guard(owner: Any, name: str) -> None:
        original = getattr(owner, name)

        def guarded(*args: Any, **kwargs: Any) -> Any:
            check(name)
            return original(*args, **kwargs)

        setattr(owner, name, guarded)

    async def find() -> tuple[type, type]:
        async with anyio.create_task_group() as group:
            return type(group.cancel_scope), type(group)

    scope, group = asyncio.run(find())
    for name in ("__init__", "cancel"):
        guard(scope, name)
    deadline: Any = scope.deadline  # type: ignore[attr-defined]
    setter = deadline.fset

    def set_deadline(self: Any, value: float) -> None:
        check("deadline")
        setter(self, value)

    scope.deadline = deadline.setter(set_deadline)  # type: ignore[attr-defined]
    for name in ("__init__", "start_soon"):
        guard(group, name)
    for name in ("current_time", "sleep", "sleep_until", "sleep_forever", "move_on_after", "fail_after", "Event"):
        guard(anyio, name)
    return refusals


class Inbox:
    """What came, for one task that takes it."""

    def __init__(self) -> None:
        self.items: list[str] = []

    def put(self, item: str) -> None:
        self.items.append(item)

    async def take(self) -> str:
        import anyio

        with anyio.fail_after(10):
            while not self.items:
                await anyio.sleep(0.001)
        return self.items.pop(0)


async def life(gateway: Any) -> None:
    """Log in, subscribe, call, lose the connection in several ways, recover, close."""
    import anyio

    from rcex_ws import Events, RingCentral, WebSocketExtension

    got = Inbox()
    errors: list[object] = []
    async with RingCentral(
        server=gateway.server, client_id=gateway.client_id, client_secret=gateway.client_secret
    ) as rc:
        await rc.authorize(jwt=gateway.jwt)
        ws_ext = WebSocketExtension(rest_over_websocket=True, reconnect_delays=lambda _: 0.01)
        ws_ext.on(Events.ERROR, errors.append)
        await rc.install_extension(ws_ext)
        await ws_ext.subscribe([MESSAGES], lambda notification: got.put(notification.body["text"]))

        def abort() -> None:
            ws_ext.ws.abort()

        for number in range(ROUNDS):
            for lose in (
                gateway.cut,
                lambda: gateway.cut(code=1001),
                lambda: gateway.error("WSG-903"),
                abort,
            ):
                assert (await rc.get("/restapi/v1.0/account/~/extension/~")).via == "websocket"
                gateway.notify(MESSAGES, {"text": f"before {number}"})
                assert await got.take() == f"before {number}"
                aborted = lose is abort
                told = Inbox()
                offs = [
                    ws_ext.on(Events.DISCONNECTED, lambda _, told=told: told.put("lost")),
                    ws_ext.on(Events.CONNECTION_READY, lambda _, told=told: told.put("ready")),
                ]
                lose()
                assert await told.take() == "lost"
                if not aborted:  # else the gateway may not have seen the loss yet, and so not buffer
                    gateway.notify(MESSAGES, {"text": f"meanwhile {number}"})
                assert await told.take() == "ready"
                if not aborted:
                    assert await got.take() == f"meanwhile {number}"
                for off in offs:
                    off()
        async with anyio.create_task_group() as group:
            for _ in range(30):
                group.start_soon(rc.get, "/restapi/v1.0/account/~/extension/~")
    assert not errors, errors
    assert not got.items
    if "trio" not in sys.modules or not sys.modules["trio"].lowlevel.in_trio_run():
        left = [task for task in asyncio.all_tasks() if "rcex" in repr(task)]
        assert not left, left


async def eagerly(main: Callable[[], Awaitable[None]]) -> None:
    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
    await main()


def in_uvicorn(main: Callable[[], Awaitable[None]]) -> None:
    """Run it in the lifespan of an ASGI application, as a web service does."""
    import uvicorn

    failure: list[BaseException] = []
    server: list[uvicorn.Server] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "lifespan"
        await receive()
        try:
            await main()
        except BaseException as exc:
            failure.append(exc)
            raise
        finally:
            server[0].should_exit = True
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    server.append(uvicorn.Server(uvicorn.Config(app, port=0, lifespan="on", log_level="error")))
    server[0].run()
    if failure:
        raise failure[0]


def main() -> None:
    """Run one life as told."""
    parser = argparse.ArgumentParser()
    parser.add_argument("loop", choices=["asyncio", "debug", "eager", "uvloop", "uvicorn", "trio"])
    parser.add_argument("--no-sniffio", action="store_true")
    options = parser.parse_args()
    if options.no_sniffio:
        sys.modules["sniffio"] = None  # type: ignore[assignment]
    warnings.simplefilter("error")
    from rcex_ws.gateway import Gateway

    refusals = [] if options.loop == "trio" else only_in_tasks()  # on trio there always is a task
    reported: list[str] = []
    with Gateway() as gateway:

        async def watched() -> None:
            asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(repr(context)))
            await life(gateway)

        run: dict[str, Callable[[], object]] = {
            "asyncio": lambda: asyncio.run(watched()),
            "debug": lambda: asyncio.run(watched(), debug=True),
            "eager": lambda: asyncio.run(eagerly(watched)),
            "uvloop": lambda: _uvloop(watched()),
            "uvicorn": lambda: in_uvicorn(watched),
            "trio": lambda: _trio(life, gateway),
        }
        run[options.loop]()
    assert not refusals, refusals
    assert not reported, reported
    print("a whole life")


def _uvloop(coroutine: Coroutine[Any, Any, None]) -> None:
    import uvloop

    uvloop.run(coroutine)


def _trio(function: Callable[[Any], Coroutine[Any, Any, None]], gateway: Any) -> None:
    import trio

    trio.run(function, gateway)


if __name__ == "__main__":
    main()
