"""One connection to a Feedme server: the handshake, and what each message leads to. Runs in the reader, never waits."""

from __future__ import annotations

from typing import assert_never

from rcex_ws.connection import Conversation, Link, Loss, LossKind
from rcex_ws.feedme.codec import NotAMessage, decode_server_message, encode
from rcex_ws.feedme.core import ClientCore, ClientDriver
from rcex_ws.feedme.errors import BadServerMessage, HandshakeRejected, InvalidMessage, UnexpectedMessage
from rcex_ws.feedme.messages import (
    VERSION,
    ActionResponse,
    FeedAction,
    FeedCloseResponse,
    FeedOpenResponse,
    FeedTermination,
    Handshake,
    HandshakeResponse,
    ServerMessage,
    ViolationResponse,
    members,
)
from rcex_ws.loop import Signal

__all__ = ["FeedmeConversation"]

_UNSUPPORTED_DATA = 1003  # RFC 6455, section 7.4.1


class FeedmeConversation(Conversation):
    """What is sent and received over one connection.

    Args:
        link: the connection.
        driver: of the `connect` that led here; once it is not the current one, this reports nothing.
        core: the client.
    """

    def __init__(self, link: Link, driver: ClientDriver, core: ClientCore) -> None:
        self._link = link
        self._driver = driver
        self._core = core
        self._answer: HandshakeResponse | None = None
        self._answered = Signal()

    # -- in tasks --------------------------------------------------------------------------------------------------

    async def handshake(self) -> None:
        """Agree on the version.

        Raises:
            HandshakeRejected: the server does not speak it.
        """
        self._link.send(encode(Handshake([VERSION])))
        await self._answered.wait()
        if self._answer is not None and not self._answer.success:
            raise HandshakeRejected(f"the server does not speak version {VERSION}, or refuses this client")

    async def after_ready(self) -> None:
        """Let the client use this connection."""
        self._core.on_connected(self._link)

    # -- in the reader ---------------------------------------------------------------------------------------------

    def on_message(self, data: bytes, binary: bool) -> None:
        """Handle one message; what the server should not have sent is reported, and changes nothing."""
        if not self._core.is_current(self._driver):
            return  # the application has disconnected
        if binary:
            self._link.lose(Loss(LossKind.UNREADABLE, _UNSUPPORTED_DATA, "the server sent a binary message"))
            return
        try:
            self._handle(decode_server_message(data), len(data))
        except NotAMessage as exc:
            bad = InvalidMessage(exc.received, parse_error=exc.parse_error, schema_violation=exc.schema_violation)
            self._core.report_bad(bad, len(data))
        except BadServerMessage as exc:
            self._core.report_bad(exc, len(data))

    def on_lost(self, loss: Loss) -> None:
        """Report the loss, unless the connection was never ready: then the attempt has failed."""
        if self._core.is_current(self._driver):
            self._core.on_lost(self._link, loss)

    # -- kinds of messages -----------------------------------------------------------------------------------------

    def _handle(self, message: ServerMessage, size: int) -> None:
        match message:
            case FeedAction():  # and ActionRevelation
                self._core.feeds.of(message).on_action(message, size)
            case ActionResponse():
                if not self._core.actions.on_response(message):
                    raise UnexpectedMessage("no action with this CallbackId waits for an answer", members(message))
            case FeedOpenResponse():
                self._core.feeds.of(message).on_open_response(message)
            case FeedCloseResponse():
                self._core.feeds.of(message).on_close_response(message)
            case FeedTermination():
                self._core.feeds.of(message).on_termination(message)
            case HandshakeResponse():
                self._on_handshake_response(message)
            case ViolationResponse():
                self._core.on_violation(message, size)
            case _:
                assert_never(message)

    def _on_handshake_response(self, message: HandshakeResponse) -> None:
        if self._answer is not None:
            raise UnexpectedMessage("a second answer to the handshake", members(message))
        if message.success and message.version != VERSION:
            raise UnexpectedMessage(f"a version that was not offered: {message.version!r:.40}", members(message))
        self._answer = message
        self._answered.set()
