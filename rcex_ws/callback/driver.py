"""The driver of the callback client: inbound frames go to the mailbox, and the handler decides about reconnecting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rcex_ws.address import address_from_server
from rcex_ws.callback.callbacks import CallbackRunner
from rcex_ws.callback.handler import KEEPALIVE_TIMEOUT, REMOTE
from rcex_ws.callback.mailbox import Disconnection
from rcex_ws.callback.settings import WebSocketSettings, text_url
from rcex_ws.connection import Conversation, Driver, Link, Loss, LossKind, call
from rcex_ws.errors import ConfigurationError, RcexError, TransportError
from rcex_ws.websocket.endpoint import Endpoint
from rcex_ws.websocket.frames import Binary, CloseFrame, Frame, Pong, Text

__all__ = ["CallbackDriver", "CurrentLink"]

_NO_STATUS = 1005  # reported for a close frame without a code (RFC 6455, section 7.4.1)
_BAD_TEXT = 1007


class CurrentLink:
    """A `CurrentConnection` over the newest link."""

    def __init__(self) -> None:
        self._link: Link | None = None
        self._closing = False  # a close frame was sent, so nothing follows it

    def connect(self, link: Link) -> None:
        """Use a new link from now on."""
        self._link, self._closing = link, False

    def send(self, frame: Frame) -> bool:
        """Send a frame, and return whether there was an open connection for it."""
        link = self._link
        if link is None or link.loss is not None or self._closing:
            return False
        if isinstance(frame, CloseFrame):
            self._closing = True
            link.begin_close(frame)
        else:
            link.send(frame)
        return True

    def close(self) -> bool:
        """Start the closing handshake, unless it was; return whether there is a connection, which will then be lost."""
        return self.send(CloseFrame()) or (self._link is not None and self._link.loss is None)


class CallbackDriver(Driver):
    """The driver of the callback client: the handler decides what follows.

    Args:
        settings: the options.
        current_link: gets each new link.
        runner: runs the handler.
        reschedule: see `Supervisor.reschedule`.
    """

    def __init__(
        self,
        settings: WebSocketSettings,
        current_link: CurrentLink,
        runner: CallbackRunner[Any],
        *,
        reschedule: Callable[[float], None],
    ) -> None:
        self._settings = settings
        self._current_link = current_link
        self._runner = runner
        self._reschedule = reschedule
        self._first = True

    async def endpoint(self) -> Endpoint:
        """Return the endpoint; from the second attempt on with the URL that `next_url` returns, if there is one."""
        url, next_url = self._settings.url, self._settings.next_url
        if next_url is not None and not self._first:
            # It usually comes from a server, so an invalid one may be valid the next time.
            url = address_from_server(text_url(await call(next_url), "next_url"), by="next_url", server="").url
        self._first = False
        return self._settings.endpoint(url)

    def conversation(self, link: Link) -> _CallbackConversation:
        """Make the conversation; `onconnect` is queued before the first frame."""
        self._current_link.connect(link)
        self._runner.connected(link.id)
        return _CallbackConversation(link, self._runner)

    async def next_delay(self, ended: Loss | RcexError, delay: float) -> float | None:
        """Return the decision of the handler, which may change it until the next attempt begins."""
        reason: object = ended
        if isinstance(ended, Loss):
            reason = _reason(ended)
            if ended.kind is LossKind.CLOSED:
                self._runner.received(_close_frame(ended), 0)
        at_least = ended.retry_after or 0.0 if isinstance(ended, RcexError) else 0.0
        disconnection = Disconnection(reason, delay, at_least=at_least)
        self._runner.disconnected(disconnection)
        decision = await disconnection.decision()
        disconnection.reschedule = self._reschedule
        return decision

    def on_misconfigured(self, error: ConfigurationError) -> None:
        """Report a mistake of the application, which does not end the client, to the handler."""
        self._runner.misconfigured(error)

    def on_failed(self, error: Exception) -> None:
        """Report a fatal error, for example a bug in `next_url`, to the owner of the client."""
        self._runner.crash(error)


class _CallbackConversation(Conversation):
    """A conversation that puts what is received into the mailbox."""

    def __init__(self, link: Link, runner: CallbackRunner[Any]) -> None:
        self._link = link
        self._runner = runner

    def on_message(self, data: bytes, binary: bool) -> None:
        if binary:
            self._runner.received(Binary(data), len(data))
            return
        try:
            frame = Text(data.decode())
        except UnicodeDecodeError:
            self._link.lose(Loss(LossKind.UNREADABLE, _BAD_TEXT, "a text message that is not UTF-8"))
        else:
            self._runner.received(frame, len(data))

    def on_pong(self, data: bytes) -> None:
        self._runner.received(Pong(data), len(data))


def _reason(loss: Loss) -> object:
    match loss.kind:
        case LossKind.CLOSED:
            return REMOTE
        case LossKind.SILENT:
            return KEEPALIVE_TIMEOUT
        case LossKind.DROPPED:
            return TransportError("the connection ended without a close frame")
        case _:
            return TransportError(f"the connection was lost: {loss}")


def _close_frame(loss: Loss) -> CloseFrame:
    code = loss.code if isinstance(loss.code, int) and loss.code != _NO_STATUS else 1000
    return CloseFrame(code, loss.text)
