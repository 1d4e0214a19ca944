"""The table of requests that wait for an answer.

A protocol decides whether a request fails with its connection or outlives it: `disconnect` makes errors in the first
case, and none in the second. Requests beyond `limit` are queued. One task watches all deadlines, so that a request
needs no timer of its own.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from rcex_ws.errors import RcexError, RequestLost, RequestTimeout
from rcex_ws.loop import Signal, Waiter, now, waiter_factory

__all__ = ["Pending", "RequestTable"]

A = TypeVar("A")


class Pending(Generic[A]):
    """One request, for which at most one task waits.

    Attributes:
        key: the id that its answer carries.
        frame: the encoded message.
        deadline: time of the event loop's clock.
        on_settled: called once when the request is settled; it must not wait, since the reader may call it.
        sent: whether its bytes were passed to the socket.
        settled: whether it was answered, failed or abandoned; a settled request is not sent any more.
        error: what `wait` raises, if anything.
        result: the answer, if there was one.
    """

    __slots__ = (
        "_make_waiter",
        "_waiter",
        "deadline",
        "error",
        "frame",
        "key",
        "on_settled",
        "result",
        "sent",
        "settled",
    )

    def __init__(
        self, key: str, frame: bytes, deadline: float, make_waiter: Callable[[], Waiter] | None = None
    ) -> None:
        self.key = key
        self.frame = frame
        self.deadline = deadline
        self.sent = False
        self.settled = False
        self.error: Exception | None = None
        self.on_settled: Callable[[Pending[A]], None] | None = None
        self.result: A | None = None
        self._make_waiter = make_waiter
        self._waiter: Waiter | None = None

    def answer(self, answer: A) -> None:
        """Settle the request with its answer."""
        self.result = answer
        self._settle()

    def fail(self, error: Exception) -> None:
        """Settle the request with an error."""
        self.error = error
        self._settle()

    def abandon(self) -> None:
        """Settle the request because its caller has stopped waiting."""
        self.fail(RequestLost("given up before the answer came", sent=self.sent))

    async def wait(self) -> A:
        """Return the answer once it is there, or raise the error."""
        if not self.settled:
            self._waiter = (self._make_waiter or waiter_factory())()
            await self._waiter
        if self.error is not None:
            raise self.error
        return self.result  # type: ignore[return-value] # pyright: ignore[reportReturnType] - None is an answer too

    def _settle(self) -> None:
        self.settled = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        if self.on_settled is not None:
            self.on_settled(self)


class RequestTable(Generic[A]):
    """The requests of one client, matched with their answers over one connection after another.

    Args:
        start_watcher: starts a task for `watch_deadlines`; called only when there are deadlines, so that none is idle.

    Attributes:
        limit: most requests in flight; further ones are queued.
    """

    def __init__(self, start_watcher: Callable[[], object] = lambda: None) -> None:
        self.limit: float = math.inf
        self._start_watcher = start_watcher
        self._watching = False
        self._send: Callable[[Pending[A]], None] | None = None
        self._make_waiter: Callable[[], Waiter] | None = None  # for the event loop of the first request
        self._in_flight: dict[str, Pending[A]] = {}
        self._queued: deque[Pending[A]] | tuple[()] = ()  # a deque from the first one on: an empty one takes 0.7 KiB
        self._earlier = Signal()  # for the watcher: there is an earlier deadline than the one it sleeps until
        self._wake_at = math.inf

    def __len__(self) -> int:
        return len(self._in_flight) + len(self._queued)

    @property
    def connected(self) -> bool:
        """Whether there is a connection to send over."""
        return self._send is not None

    def connect(self, send: Callable[[Pending[A]], None], *, limit: float = math.inf) -> None:
        """Send over a new connection from now on, the queued requests first."""
        self._send, self.limit = send, limit
        self._send_queued()

    def disconnect(self, error_for: Callable[[Pending[A]], RcexError] | None = None) -> None:
        """Stop sending, and queue what is submitted.

        Args:
            error_for: returns the error that a request fails with; without it the requests stay, and those that were
                sent may be answered over the next connection.
        """
        self._send = None
        if error_for is None:
            unsent = [pending for pending in self._in_flight.values() if not pending.sent]
            for pending in unsent:
                del self._in_flight[pending.key]
            self._queued = deque((*unsent, *self._queued))  # sent first over the next connection
            return
        waiting = [*self._in_flight.values(), *self._queued]
        self._in_flight.clear()
        self._queued = ()
        for pending in waiting:
            if not pending.settled:
                pending.fail(error_for(pending))

    async def call(self, key: str, frame: bytes, *, deadline: float) -> A:
        """Send a request and return its answer.

        Args:
            key: the id that the answer will carry.
            frame: the encoded message.
            deadline: time of the event loop's clock.

        Raises:
            RequestTimeout: the answer did not come in time.
        """
        pending = self.submit(key, frame, deadline=deadline)
        try:
            return await pending.wait()
        finally:
            self.abandon(pending)

    def submit(
        self, key: str, frame: bytes, *, deadline: float, on_settled: Callable[[Pending[A]], None] | None = None
    ) -> Pending[A]:
        """Send a request, or queue it, without waiting for the answer; see `call` and `Pending` for the arguments."""
        if self._make_waiter is None:
            self._make_waiter = waiter_factory()
        pending: Pending[A] = Pending(key, frame, deadline, self._make_waiter)
        pending.on_settled = on_settled
        send = self._send
        if send is None or self._queued or len(self._in_flight) >= self.limit:
            if not self._queued:
                self._queued = deque()
            self._queued.append(pending)
        else:
            send(pending)
            if not pending.settled:  # `send` settles a request that has no answer
                self._in_flight[key] = pending
        if not self._watching:
            self._wake_at = pending.deadline
            self._start_watcher()
            self._watching = True
        elif pending.deadline < self._wake_at:
            self._earlier.set()
        return pending

    def abandon(self, pending: Pending[A]) -> None:
        """Stop waiting for a request.

        One that was sent still counts as in flight until its answer or its deadline: the server is working on it, and
        counts it, too.
        """
        if not pending.settled:
            pending.abandon()
        if not pending.sent:
            self._forget(pending)

    def waiting(self) -> list[Pending[A]]:
        """Return all requests without an answer: those in flight, as they were sent, then the queued ones."""
        return [*self._in_flight.values(), *self._queued]

    def settle(self, key: str, answer: A) -> bool:
        """Settle a request with its answer, and return whether the table knew it."""
        pending = self._in_flight.pop(key, None)
        if pending is None:
            return False
        if not pending.settled:
            pending.answer(answer)
        if self._queued:
            self._send_queued()
        return True

    def fail(self, key: str, error: Exception) -> bool:
        """Settle a request with an error, and return whether the table knew it."""
        pending = self._in_flight.pop(key, None)
        if pending is None:
            return False
        if not pending.settled:
            pending.fail(error)
        self._send_queued()
        return True

    def expire(self, now: float) -> float:
        """Fail the requests that are overdue at `now`; return the next deadline, infinity if there is none."""
        overdue = [p for p in (*self._in_flight.values(), *self._queued) if p.deadline <= now]
        for pending in overdue:
            if not pending.settled:
                pending.fail(RequestTimeout("the answer did not come in time", sent=pending.sent))
        for pending in overdue:  # only now: a place that becomes free must not go to one that is overdue, too
            self._forget(pending)
        self._send_queued()
        return min((p.deadline for p in (*self._in_flight.values(), *self._queued)), default=math.inf)

    async def watch_deadlines(self) -> None:
        """Fail requests at their deadlines; return when there is none.

        The first sleep lasts until the deadline that this was started for, even if that request is settled meanwhile:
        otherwise each of many quick requests would start a task.
        """
        self._watching = True
        wake_at = min(self._wake_at, self.expire(now()))
        try:
            while wake_at < math.inf:
                self._wake_at, self._earlier = wake_at, Signal()
                await self._earlier.wait(until=wake_at)
                wake_at = self.expire(now())
        finally:
            self._watching, self._wake_at = False, math.inf

    def _send_queued(self) -> None:
        while self._queued and self._send is not None and len(self._in_flight) < self.limit:
            pending = self._queued.popleft()
            self._send(pending)
            if not pending.settled:  # as in `submit`
                self._in_flight[pending.key] = pending

    def _forget(self, pending: Pending[A]) -> None:
        if self._in_flight.get(pending.key) is pending:
            del self._in_flight[pending.key]
            self._send_queued()
        elif self._queued and pending in self._queued:
            self._queued.remove(pending)
