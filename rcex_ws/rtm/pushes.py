"""Push subscriptions: what the server is to send, told to it again in each session."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rcex_ws.connection import Pending
from rcex_ws.errors import ConfigurationError, NotConnected, RequestLost, RequestTimeout
from rcex_ws.loop import Signal, now
from rcex_ws.rtm.calls import RemoteCalls
from rcex_ws.rtm.errors import RemoteError
from rcex_ws.rtm.frames import UNSUBSCRIBE, ClientFrame, encode_frame

__all__ = ["PushSubscriptions", "PushUse"]


class _Push:
    """One push subscription on the wire, with any number of users."""

    def __init__(self, event: str, tags: Sequence[str]) -> None:
        self.event = event
        self.tags = [*tags]
        self.users: set[PushUse] = set()
        self.stands = False  # the server has confirmed it in the current session
        self.asked = False  # the request is under way
        self.sent = False  # the server may know of it, in the current session

    @property
    def key(self) -> tuple[str, frozenset[str]]:
        return self.event, frozenset(self.tags)


class PushUse:
    """One call of `subscribe_push`.

    Attributes:
        push: what it shares with others.
        error: why it failed; None so far.
        changed: set when it has succeeded or failed.
    """

    def __init__(self, push: _Push) -> None:
        self.push = push
        self.error: Exception | None = None
        self.changed = Signal()


class PushSubscriptions:
    """The push subscriptions of one client, which outlive its connections.

    Args:
        timeout: seconds for the reply to a request.
        on_error: called with the error of a request for which no call of the application waits; must not wait.
    """

    def __init__(self, *, timeout: float, on_error: Callable[[Exception], object]) -> None:
        self._timeout = timeout
        self._on_error = on_error
        self._pushes: dict[tuple[str, frozenset[str]], _Push] = {}
        self._dropped: list[_Push] = []  # without users, but the server may know of them, in the current session
        self._calls: RemoteCalls | None = None  # while there is a connection
        self._ours = False

    # -- for the application -------------------------------------------------------------------------------------------

    async def subscribe(self, event: str, tags: Sequence[str]) -> PushUse:
        """Subscribe, and wait for the reply; one that cannot be had leaves nothing behind.

        Raises:
            RemoteError: the server refused.
            RequestTimeout: it did not reply in time.
            NotConnected: the client has ended.
            ConfigurationError: JSON cannot express the tags.
        """
        _encode("", event, tags)  # not later, when nobody could be told
        push = _Push(event, tags)
        push = self._pushes.setdefault(push.key, push)
        use = PushUse(push)
        push.users.add(use)
        try:
            await self._confirm(use)
        except BaseException:
            self.release(use)
            raise
        return use

    def release(self, use: PushUse) -> None:
        """End one use; the last one ends the push subscription, also at a server of ours. Idempotent."""
        push = use.push
        if use not in push.users:
            return
        push.users.discard(use)
        if not push.users:
            del self._pushes[push.key]
            if push.sent:
                self._dropped.append(push)
                self._withdraw_dropped()

    # -- for the connection --------------------------------------------------------------------------------------------

    def connect(self, calls: RemoteCalls, *, ours: bool, resumed: bool) -> None:
        """Ask for what the server does not know of, and withdraw what it need not send any more."""
        self._calls, self._ours = calls, ours
        if not resumed:
            self._dropped.clear()
            for push in self._pushes.values():
                push.stands = push.sent = False
        self._withdraw_dropped()
        for push in self._pushes.values():
            self._ask(push)

    def disconnect(self) -> None:
        """Handle the loss of the connection."""
        self._calls = None

    def end(self) -> None:
        """Fail the calls that wait: no further connection follows."""
        self._calls = None
        for push in self._pushes.values():
            push.stands = push.sent = push.asked = False
            for use in push.users:
                if not use.changed.is_set():
                    self._settle(use, NotConnected("the client has ended"))
        self._dropped.clear()

    # -- internals -----------------------------------------------------------------------------------------------------

    async def _confirm(self, use: PushUse) -> None:
        if use.push.stands:
            use.changed.set()
            return
        self._ask(use.push)
        await use.changed.wait(until=now() + self._timeout)
        if use.error is not None:
            raise use.error
        if not use.changed.is_set():
            raise RequestTimeout("the server did not confirm the push subscription in time")

    def _ask(self, push: _Push) -> None:
        if self._calls is None or push.stands or push.asked:
            return
        push.asked = push.sent = True
        key = self._calls.next_id()
        frame = _encode(key, push.event, push.tags)

        def on_settled(pending: Pending[Any]) -> None:
            push.asked = False
            self._on_answer(push, pending.error)

        self._calls.requests.submit(key, frame, deadline=now() + self._timeout, on_settled=on_settled)

    def _on_answer(self, push: _Push, error: Exception | None) -> None:
        if isinstance(error, RequestLost | NotConnected):
            return  # it is asked for again over the next connection, or `end` follows
        push.stands = error is None
        push.sent = push.sent and not isinstance(error, RemoteError)
        waiting = [use for use in push.users if not use.changed.is_set()]
        for use in waiting:
            self._settle(use, error)
        if error is not None and not waiting and push.users:
            error.add_note(f"in the push subscription to {push.event!r}")
            self._on_error(error)

    @staticmethod
    def _settle(use: PushUse, error: Exception | None) -> None:
        use.error = error
        use.changed.set()

    def _withdraw_dropped(self) -> None:
        """Tell a server of ours what it need not send any more; others have no word for it."""
        if self._calls is None:
            return
        dropped, self._dropped = self._dropped, []
        for push in dropped if self._ours else ():
            if push.key not in self._pushes:
                self._withdraw(self._calls, push)

    def _withdraw(self, calls: RemoteCalls, push: _Push) -> None:
        key = calls.next_id()
        frame = encode_frame(ClientFrame(key, "invoke", [push.event, push.tags], UNSUBSCRIBE))

        def on_settled(pending: Pending[Any]) -> None:
            if isinstance(pending.error, RequestLost):
                self._dropped.append(push)  # a session that is resumed may still have it

        calls.requests.submit(key, frame, deadline=now() + self._timeout, on_settled=on_settled)


def _encode(key: str, event: str, tags: Sequence[str]) -> bytes:
    try:
        return encode_frame(ClientFrame(key, "subscribe", event=event, tags=[*tags]))
    except ConfigurationError as exc:
        raise ConfigurationError(f"event, tags: {str(exc).removeprefix('data: ')}") from None
