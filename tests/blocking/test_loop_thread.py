from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import NoReturn

import anyio
import pytest

from rcex_ws import ConfigurationError, NotConnected
from rcex_ws.blocking import RingCentral, WebSocketExtension, loop_thread
from rcex_ws.blocking.loop_thread import run
from rcex_ws.gateway import Gateway
from tests.blocking.conftest import MESSAGES

INFO = "/restapi/v1.0/account/~/extension/~"
ASYNC_CLIENT = "from rcex_ws import RingCentral, WebSocketExtension"


def interrupt_soon() -> threading.Timer:
    """Press Ctrl-C while the main thread waits."""
    timer = threading.Timer(0.05, lambda: signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT))
    timer.start()
    return timer


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    """What can be seen of a kernel, in the thread that runs its cells."""
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=object())))  # type: ignore[arg-type]


async def test_a_call_in_a_running_loop_names_the_async_client() -> None:
    rc = RingCentral(server="http://127.0.0.1:9")
    for call in (lambda: rc.get(INFO), lambda: rc.stats, rc.close, rc.__enter__, WebSocketExtension().connect):
        with pytest.raises(ConfigurationError, match=ASYNC_CLIENT):
            call()


@pytest.mark.usefixtures("notebook")
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_cell_of_a_notebook_may_wait_though_a_loop_runs_but_a_coroutine_may_not() -> None:
    rc = RingCentral(server="http://127.0.0.1:9")
    exec("with rc: assert rc.stats is not None", {"rc": rc})  # as the kernel runs a cell
    with pytest.raises(ConfigurationError, match=ASYNC_CLIENT):
        rc.close()


@pytest.mark.usefixtures("notebook")
def test_the_own_loop_is_never_waited_for() -> None:
    rc = RingCentral(server="http://127.0.0.1:9")

    async def in_loop() -> None:
        rc.close()

    with pytest.raises(ConfigurationError, match=ASYNC_CLIENT):
        run(in_loop)
    rc.close()


def test_a_loop_that_cannot_begin_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> NoReturn:
        raise OSError("too many open files")

    monkeypatch.setattr(loop_thread, "_current", None)
    with monkeypatch.context() as patch:
        patch.setattr(anyio, "run", fail)
        with pytest.raises(OSError, match="too many open files"):
            RingCentral(server="http://127.0.0.1:9").stats  # noqa: B018
    assert loop_thread._current is None


def test_ctrl_c_interrupts_a_call_at_once_and_the_client_goes_on(server: Gateway, rc: RingCentral) -> None:
    server.answer_fault(where=f"GET {INFO}", drop=True)
    timer = interrupt_soon()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        rc.get(INFO)
    assert time.monotonic() - began < 5
    timer.join()
    server.clear_faults()
    assert rc.get(INFO).status_code == 200


def test_ctrl_c_interrupts_an_iteration_which_goes_on_without_a_loss(
    server: Gateway, installed: Callable[..., WebSocketExtension]
) -> None:
    subscription = installed().subscribe([MESSAGES])
    timer = interrupt_soon()
    with pytest.raises(KeyboardInterrupt):
        next(iter(subscription))
    timer.join()
    server.notify(MESSAGES, {"number": 1})
    assert subscription.next(timeout=5).body == {"number": 1}


def test_what_came_together_with_ctrl_c_comes_next(
    server: Gateway, installed: Callable[..., WebSocketExtension], monkeypatch: pytest.MonkeyPatch
) -> None:
    subscription = installed().subscribe([MESSAGES])
    server.notify(MESSAGES, {"number": 1})
    server.notify(MESSAGES, {"number": 2})

    def interrupted(step: Callable[[], object]) -> object:
        monkeypatch.undo()
        run(step)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    monkeypatch.setattr("rcex_ws.blocking.iteration.run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        next(iter(subscription))
    assert [subscription.next(timeout=5).body["number"] for _ in range(2)] == [1, 2]


def test_a_close_that_is_interrupted_goes_on(
    server: Gateway, rc: RingCentral, installed: Callable[..., WebSocketExtension]
) -> None:
    began, go_on = threading.Event(), threading.Event()

    def slow(_: object) -> None:
        began.set()
        go_on.wait(10)

    ws_ext = installed()
    ws_ext.subscribe([MESSAGES], slow)
    server.notify(MESSAGES, {})
    assert began.wait(10)
    timer = interrupt_soon()
    with pytest.raises(KeyboardInterrupt):
        ws_ext.detach()  # which waits for the callback
    timer.join()
    go_on.set()
    rc.close()
    assert str(ws_ext.state) == "closed"
    with pytest.raises(NotConnected):
        rc.get(INFO)
