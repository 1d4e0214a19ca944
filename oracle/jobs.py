"""Do many jobs at once, each in a process of its own that is forked for it, and give what comes out in their order.

What a run leaves behind in a process (counters, caches, where objects lie) reaches no other run: so what comes out is
the same whatever the number of processes, and a job that is done twice gives the same twice.
"""

from __future__ import annotations

import os
import pickle
import selectors
import signal
import sys
from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from typing import TypeVar

__all__ = ["run_jobs"]

Job = TypeVar("Job")
Result = TypeVar("Result")


class _Child:
    """One process that does one job and writes down the result."""

    def __init__(self, work: Callable[[Job], object], job: Job) -> None:
        self._chunks: list[bytes] = []
        sys.stdout.flush()
        self.pipe, write = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            code = 1
            try:
                os.close(self.pipe)
                with os.fdopen(write, "wb") as file:
                    pickle.dump(work(job), file)
                code = 0
            finally:
                os._exit(code)  # nothing of the parent's is to be ended twice
        os.close(write)

    def read(self) -> bool:
        """Read what is there; True once that was all."""
        if chunk := os.read(self.pipe, 1 << 20):
            self._chunks.append(chunk)
            return False
        return True

    def end(self) -> object:
        """Give what the job gave.

        Raises:
            EOFError: the process died.
        """
        os.close(self.pipe)
        os.waitpid(self.pid, 0)
        return pickle.loads(b"".join(self._chunks))

    def kill(self) -> None:
        """End it, whatever it does."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.close(self.pipe)
        os.waitpid(self.pid, 0)


def run_jobs(work: Callable[[Job], Result], jobs: Iterable[Job], processes: int) -> Generator[Result]:
    """Do jobs, and give their results in order, each as soon as all before it are there.

    Args:
        work: does one.
        jobs: of any number; taken one by one.
        processes: so many at once.

    Raises:
        EOFError: a process died without a result.
    """
    rest = enumerate(jobs)
    done: dict[int, object] = {}
    following = 0
    with selectors.DefaultSelector() as selector:
        try:
            while True:
                while len(selector.get_map()) < processes and (one := next(rest, None)) is not None:
                    child = _Child(work, one[1])
                    selector.register(child.pipe, selectors.EVENT_READ, (one[0], child))
                if not selector.get_map():
                    return
                for key, _ in selector.select():
                    number, child = key.data
                    if child.read():
                        # Before it is closed: processes forked since have it open, too, and epoll would go on with it.
                        selector.unregister(key.fileobj)
                        done[number] = child.end()
                while following in done:
                    yield done.pop(following)  # type: ignore[misc]
                    following += 1
        finally:
            for key in list(selector.get_map().values()):
                key.data[1].kill()
