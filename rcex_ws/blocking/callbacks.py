"""Run functions of the application in threads, for an async client that waits for them.

A callback, a handler, a hook or a predicate may block, and may call the blocking client: the loop goes on meanwhile.
The async client calls them one at a time and in order; what one raises is emitted as its event `error`.
"""

from __future__ import annotations

import asyncio
import inspect
import math
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from contextvars import copy_context
from functools import partial
from typing import Any, TypeAlias, overload

import anyio
import anyio.to_thread

from rcex_ws.blocking.facade import facade_of
from rcex_ws.errors import ConfigurationError
from rcex_ws.options.functions import is_sync_function
from rcex_ws.wsg import Notification

__all__ = ["Callback", "Predicate", "in_thread"]

_Async: TypeAlias = Callable[..., Coroutine[Any, Any, Any]]

Callback: TypeAlias = Callable[[Notification], object]
Predicate: TypeAlias = Callable[[Notification], bool]

#: Not anyio's own limiter, whose threads read files: blocked callbacks must not keep those waiting.
_limiter = anyio.CapacityLimiter(math.inf)


@overload
def in_thread(name: str, function: Callable[..., object], executor: Executor | None) -> _Async: ...
@overload
def in_thread(name: str, function: Callable[..., object] | None, executor: Executor | None) -> _Async | None: ...
def in_thread(name: str, function: Callable[..., object] | None, executor: Executor | None) -> _Async | None:
    """Return an async function that runs a plain one in a thread, and waits for it; None for None.

    Args:
        name: the name of the argument, for the error.
        function: gets blocking objects instead of async ones. It has the context variables of the waiting task, so
            that a function which closes its own client is allowed to finish.
        executor: runs it; None for a thread of anyio.

    Raises:
        ConfigurationError: it is async, or not a function.
    """
    if function is None:
        return None
    if not is_sync_function(function):
        raise ConfigurationError(f"{name}: expected a function that is not async; it is called in a thread")

    async def call(*args: object) -> object:
        work = partial(_call, function, *map(facade_of, args))
        if executor is None:
            return await anyio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=_limiter)
        return await asyncio.wrap_future(executor.submit(copy_context().run, work))

    return call


def _call(function: Callable[..., object], *args: object) -> object:
    try:
        result = function(*args)
    except StopIteration as exc:  # a future cannot hold it
        raise RuntimeError("the function raised StopIteration") from exc
    except Exception:
        raise
    except BaseException as exc:  # only the main thread ends the program
        raise RuntimeError(f"the function raised {type(exc).__name__} in a thread, which ends nothing") from exc
    if inspect.isawaitable(result):
        if inspect.iscoroutine(result):
            result.close()
        raise ConfigurationError("an async function was given to rcex_ws.blocking, which calls plain ones")
    return result
