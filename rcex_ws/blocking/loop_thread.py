"""The one thread of the process whose event loop runs everything; called by all other modules of this folder.

It starts with the first call that needs it and ends with the process: it is a daemon, so that a program which forgets
to close a client can still end. A forked process starts its own.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import sys
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from contextvars import Context
from typing import TypeVar

import anyio
from anyio.from_thread import BlockingPortal

from rcex_ws.caller import CallOrigin, on_behalf_of, this_thread
from rcex_ws.errors import ConfigurationError
from rcex_ws.loop import on_trio

__all__ = ["in_loop", "refuse_in_loop", "run", "run_sync", "start_soon"]

T = TypeVar("T")


class _LoopThread:
    """The thread.

    Attributes:
        portal: enters context managers there.
        loop: its event loop.
    """

    def __init__(self) -> None:
        started: Future[tuple[BlockingPortal, asyncio.AbstractEventLoop]] = Future()

        async def main() -> None:
            async with BlockingPortal() as portal:
                started.set_result((portal, asyncio.get_running_loop()))
                await portal.sleep_until_stopped()

        def serve() -> None:
            try:
                anyio.run(main)
            except BaseException as exc:
                if started.done():
                    raise
                started.set_exception(exc)  # no file descriptor is left, say

        # An empty context: that of the first caller must not leak into the calls of others.
        thread = threading.Thread(target=Context().run, args=(serve,), name="rcex_ws loop", daemon=True)
        thread.start()
        self.portal, self.loop = started.result()


_lock = threading.Lock()
_current: _LoopThread | None = None


def run(function: Callable[[], Awaitable[T]]) -> T:
    """Call an async function in the loop, and wait for its result.

    A KeyboardInterrupt cancels what it waits for, and is raised at once.

    Raises:
        ConfigurationError: an event loop is running here, which this would block.
        Exception: that of the function.
    """
    # Not `portal.call`, which waits twice, for the start of the task and for its result, and so takes twice the time.
    loop, future = _loop_thread().loop, None
    try:
        future = asyncio.run_coroutine_threadsafe(_awaited(function, this_thread()), loop)
        return future.result()
    except BaseException:
        if future is not None:
            future.cancel()  # nothing happens if it is done
        raise


def run_sync(function: Callable[[], T]) -> T:
    """Call a plain function in the loop, and return its result; errors as in `run`."""

    async def call() -> T:
        return function()

    return run(call)


def in_loop(manager: AbstractAsyncContextManager[T]) -> AbstractContextManager[T]:
    """Return a context manager that enters and exits an async one in one task of the loop; errors as in `run`."""
    return _loop_thread().portal.wrap_async_context_manager(manager)


def start_soon(function: Callable[[], Awaitable[None]]) -> None:
    """Call an async function in the loop, if that runs, without waiting for it; callable anywhere."""
    thread = _current
    if thread is not None:
        asyncio.run_coroutine_threadsafe(_awaited(function, this_thread()), thread.loop)


async def _awaited(function: Callable[[], Awaitable[T]], caller: CallOrigin) -> T:
    with on_behalf_of(caller):
        return await function()


def _loop_thread() -> _LoopThread:
    global _current
    refuse_in_loop()
    if _current is None:
        with _lock:
            if _current is None:
                _current = _LoopThread()
    return _current


def refuse_in_loop() -> None:
    """Raise if the caller runs in an event loop, which a blocking call would stop.

    Cells of a notebook are allowed: its kernel runs them in a loop that any long cell stops.

    Raises:
        ConfigurationError: the caller runs in an event loop.
    """
    if not on_trio():
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        if (_current is None or loop is not _current.loop) and _is_cell_of_notebook():
            return
    raise ConfigurationError(
        "rcex_ws.blocking was called inside a running event loop, which it would block; use the async client there: "
        "`from rcex_ws import RingCentral, WebSocketExtension`"
    )


def _is_cell_of_notebook() -> bool:
    """Return whether a cell of an IPython kernel called the current code, and no coroutine in between."""
    get_ipython = getattr(sys.modules.get("IPython"), "get_ipython", None)
    shell = None if get_ipython is None else get_ipython()
    if getattr(shell, "kernel", None) is None or threading.current_thread() is not threading.main_thread():
        return False
    frame = inspect.currentframe()
    while frame is not None and frame.f_code.co_name != "<module>":  # the cell's
        if frame.f_code.co_flags & inspect.CO_COROUTINE:
            return False
        frame = frame.f_back
    return True


def _forked() -> None:
    """Forget the thread, which exists only in the parent; the parent's clients refuse to be used here."""
    global _current, _lock
    _current, _lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
