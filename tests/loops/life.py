"""A whole life of a client in one event loop, run as a program: `life.py asyncio [--no-sniffio] [--client slack]`.

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
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))


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
        await send({"type": "lifespan.startup.complete"})
        while not server[0].started:  # told to end before, it forgets to close its listener
            await asyncio.sleep(0.01)
        server[0].should_exit = True
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    server.append(uvicorn.Server(uvicorn.Config(app, port=0, lifespan="on", ws="none", log_level="error")))
    server[0].run()
    if failure:
        raise failure[0]


def _gateway() -> AbstractContextManager[Any]:
    from rcex_ws.gateway import Gateway

    return Gateway()


def _fake_slack() -> AbstractContextManager[Any]:
    from rcex_ws.testing import FakeSlack

    return FakeSlack()


@contextmanager
def _echo() -> Iterator[Any]:
    from websockets.sync.server import serve

    def echo(connection: Any) -> None:
        for number, message in enumerate(connection, 1):
            connection.send(message)
            if number == 2:
                return  # closes the connection

    with serve(echo, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield SimpleNamespace(url=f"ws://127.0.0.1:{server.socket.getsockname()[1]}/")
        server.shutdown()
        thread.join()


SERVERS: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "extension": _gateway,
    "slack": _fake_slack,
    "callback": _echo,
    "feedme": nullcontext,  # its server lives in the loop, too
    "rtm": nullcontext,
}
Life = Callable[[Any], Coroutine[Any, Any, None]]


def main() -> None:
    """Run one life as told."""
    parser = argparse.ArgumentParser()
    parser.add_argument("loop", choices=["asyncio", "debug", "eager", "uvloop", "uvicorn", "trio"])
    parser.add_argument("--no-sniffio", action="store_true")
    parser.add_argument("--client", choices=["extension", "slack", "callback", "feedme", "rtm"], default="extension")
    options = parser.parse_args()
    if options.no_sniffio:
        sys.modules["sniffio"] = None  # type: ignore[assignment]
    warnings.simplefilter("error")
    import lives

    life: Life = getattr(lives, options.client)
    refusals = [] if options.loop == "trio" else only_in_tasks()  # on trio there always is a task
    reported: list[str] = []
    with SERVERS[options.client]() as server:

        async def watched() -> None:
            asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(repr(context)))
            await life(server)

        run: dict[str, Callable[[], object]] = {
            "asyncio": lambda: asyncio.run(watched()),
            "debug": lambda: asyncio.run(watched(), debug=True),
            "eager": lambda: asyncio.run(eagerly(watched)),
            "uvloop": lambda: _uvloop(watched()),
            "uvicorn": lambda: in_uvicorn(watched),
            "trio": lambda: _trio(life, server),
        }
        run[options.loop]()
    assert not refusals, refusals
    assert not reported, reported
    print("a whole life")


def _uvloop(coroutine: Coroutine[Any, Any, None]) -> None:
    import uvloop

    uvloop.run(coroutine)


def _trio(life: Life, server: Any) -> None:
    import trio

    trio.run(life, server)


if __name__ == "__main__":
    main()
