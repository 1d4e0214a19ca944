"""`RTMClient`, which the application holds: checks arguments, and hands calls to the `SlackRuntime` of each life."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from types import TracebackType
from typing import Any, Self

import anyio

from rcex_ws.connection import EventEmitter, HasEvents, Opener, State, open_websocket
from rcex_ws.errors import ConfigurationError, NotConnected
from rcex_ws.home import Home
from rcex_ws.options import (
    Name,
    NamesOfJavaScript,
    Seconds,
    check_handler,
    checked,
    options_of,
    refusal,
    required_constraint,
)
from rcex_ws.slack.feed import running_feed
from rcex_ws.slack.logs import make_logger
from rcex_ws.slack.messages import Callback, Sent
from rcex_ws.slack.models import Events
from rcex_ws.slack.runtime import SlackRuntime
from rcex_ws.slack.settings import SlackSettings
from rcex_ws.slack.web import WebApi

__all__ = ["RTMClient"]


class RTMClient(NamesOfJavaScript, HasEvents[Callable[..., object]]):
    """A client that keeps a program connected to Slack's Real Time Messaging API.

    `on` takes a name of `Events`, the `type` of any event of the team (whose handlers get it as a dict), or
    "type::subtype". All times are in seconds, all sizes in bytes.

    Args:
        token: token of a bot or user; a secret.
        api_url: base URL of the Web API.
        start_method: "rtm.connect", or "rtm.start"; today Slack answers both in the same way.
        data_store: model of the team, updated by its events and never closed by the client; a `MemoryDataStore` by
            default, None for no model.
        fill_store: how the store gets users and conversations: "lookup" fetches each one when an event first names
            it, before the handlers run; "lists" reads all of them for each connection, before its first event; "never"
            fetches none.

        auto_reconnect: False to end after the first loss or failed attempt.
        reconnect_delays: returns the delay after the n-th consecutive failure, n from 1.
        while_disconnected: "refuse" messages while there is no connection, or "queue" them for the next one.
        subtype_events: emit `type::subtype` for a "message" (as `@slack/client` 3.x does) or for "all" types (as
            `@slack/rtm-api` does).

        monitor: what proves that the connection is alive: inbound "traffic" of any kind, or only "replies" to what was
            sent, as in `@slack/rtm-api`, which pings 6 s after the last message and waits 4 s for the reply.
        ping_interval: time without inbound traffic ("replies": without sending) after which a ping is sent.
        pong_timeout: time without inbound traffic ("replies": without a reply to the ping) after which to reconnect.
        reply_timeout: time-out for the reply to a message, including the time in the queue.
        replay_window: time after hello in which Slack may still reply to messages sent over the lost connection.
        open_timeout: time-out for all of `start`.
        attempt_timeout: time-out for one attempt, from rtm.connect to hello.
        close_timeout: time-out for all of `aclose`.

        proxy: URL of a proxy (http, https, socks5, socks5h) for calls and WebSocket; None or True for the
            environment's, False for none.
        ssl_context: TLS context for both.
        http: a configured `httpx.AsyncClient`, never closed by the client.
        max_pending: frames queued for handlers; beyond that the oldest are dropped, with a `client_error`.
        max_pending_bytes: bytes queued for handlers, with the same effect (64 MiB).
        max_size: maximum size of an inbound frame (16 MiB).

        log_level: level to set on the logger, as in `logging`; None to leave it unchanged.
        logger: a `logging.Logger`, or a function (level, message); by default a logger below "rcex_ws.slack".
        trace: sync hook, called with a `TraceEvent` when a step of connecting, a heartbeat or the closing starts,
            succeeds or fails; the source of the event is the name of the logger.

    Raises:
        ConfigurationError: an option has an invalid value; the message names it.

    Attributes:
        data_store: as given.
        open_socket: function that opens a WebSocket; tests may replace it.
    """

    open_socket: Opener = staticmethod(open_websocket)

    @options_of(SlackSettings)
    def __init__(self, settings: SlackSettings) -> None:
        self._settings = settings
        self.data_store = settings.data_store
        self._log = make_logger(settings.logger, settings.log_level)
        self._api = WebApi(
            settings.token,
            api_url=settings.api_url,
            proxy=settings.proxy,
            ssl_context=settings.ssl_context,
            timeout=settings.attempt_timeout,
            http=settings.http,
            on_rate_limited=self._rate_limited,
        )
        self._emitter = EventEmitter(error_event=Events.CLIENT_ERROR, report=self._handler_failed, log=self._log)
        self._runtime: SlackRuntime | None = None
        self._home = Home()
        self._closed = False

    # -- state -----------------------------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """The current state: IDLE, CONNECTING, READY, WAITING, FAILED or CLOSED."""
        return State.IDLE if self._runtime is None else self._runtime.supervisor.status.state

    @property
    def connected(self) -> bool:
        """Whether messages can be sent now: hello was received, and the connection is not lost."""
        return self._runtime is not None and self._runtime.shared.active is not None

    @property
    def start_data(self) -> Mapping[str, Any] | None:
        """The answer to the last rtm.connect or rtm.start; None before the first. Its `url` is a secret."""
        start = None if self._runtime is None else self._runtime.shared.start
        return None if start is None else start.data

    @property
    def active_user_id(self) -> str | None:
        """The id of the user to whom the token belongs; None before the first connection."""
        start = None if self._runtime is None else self._runtime.shared.start
        return None if start is None else start.self_id

    @property
    def active_team_id(self) -> str | None:
        """The id of the team; None before the first connection."""
        start = None if self._runtime is None else self._runtime.shared.start
        return None if start is None else start.team_id

    # -- connecting ------------------------------------------------------------------------------------------------

    @checked
    async def start(self, *, wait: bool = True, **options: Any) -> None:
        """Connect, and stay connected until `aclose`; do nothing if the client is running already.

        Args:
            wait: False to return at once; failures are then reported by events only.
            **options: Slack's options of rtm.connect or rtm.start, used for every reconnect, too.

        Raises:
            SlackApiError: Slack refused, and no retry can help.
            ConnectFailed: no connection within `open_timeout`; a retry can help.
            NotConnected: the client was closed meanwhile.

        If the call that starts the client fails or is cancelled, nothing is left running.
        """
        self._home.check()
        self._closed = False
        former = runtime = self._runtime
        starts = runtime is None or runtime.ended
        if runtime is None or runtime.ended:
            runtime = self._runtime = self._new_runtime(options)
        try:
            if starts:
                if former is not None:
                    await former.stop("started again", None)
                await runtime.start()
            if wait:
                await runtime.life.wait_open(self._settings.open_timeout)
        except BaseException as exc:
            if starts:
                await self._close(runtime, "start() has failed", exc)
            raise

    async def wait_closed(self) -> None:
        """Wait until the client is closed, or ends by itself: a final refusal, or a loss without `auto_reconnect`.

        Raises:
            SlackApiError: Slack refused, and no retry can help.
        """
        await self._running().wait_ended()

    async def reconnect(self) -> None:
        """Replace the connection, opening the new one before the old one is closed; without one, make an attempt now.

        Raises:
            NotConnected: the client is not started.
            RcexError: why the attempt failed, if there was no connection; further ones follow the schedule.
        """
        runtime = self._running()
        if runtime.supervisor.is_ready:
            runtime.supervisor.replace(at_once=True)
        else:
            await runtime.supervisor.attempt_now()

    @checked
    async def aclose(self, reason: str = "closed by the application", code: object = None) -> None:
        """Close: emit `disconnect`, settle all messages, deliver what is queued. Idempotent; `start` may follow.

        Args:
            reason: the first argument of `disconnect`.
            code: the second one.
        """
        self._home.check()
        self._closed = True
        if self._runtime is not None:
            await self._close(self._runtime, reason, code)
        else:
            await self._api.aclose()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    # -- sending ---------------------------------------------------------------------------------------------------

    def send_message(
        self,
        text: Name,
        channel: Name,
        *,
        callback: Callback | None = None,
        timeout: Seconds | None = None,
        **fields: Any,
    ) -> Sent:
        """Send a message; await the `Sent` that is returned for the `MessageReply`, or pass a callback.

        The message is sent whether or not it is awaited, and messages go out in the order of the calls.

        Args:
            text: the text of the message.
            channel: the id of a channel, group or DM.
            callback: called with (error, reply), in order with the events.
            timeout: time-out for the reply, instead of `reply_timeout`.
            **fields: further fields of the message, such as `thread_ts`.

        Raises:
            ConfigurationError: text or channel cannot be sent.
            NotConnected: the client is not started. (If only the connection is lost, awaiting raises it.)
        """
        _check_text("text", text)
        _check_text("channel", channel)
        return self.send("message", {"text": text, "channel": channel, **fields}, callback=callback, timeout=timeout)

    def send_typing(self, channel: Name) -> Sent:
        """Send a typing indicator; Slack does not reply to it."""
        _check_text("channel", channel)
        return self.send("typing", {"channel": channel})

    @checked
    def subscribe_presence(self, ids: Collection[Name]) -> Sent:
        """Subscribe to presence_change events of these users, and no others; renewed after each reconnect."""
        body = {"ids": list(ids)}
        sent = self.send("presence_sub", body)
        self._running().shared.presence = body
        return sent

    def send(
        self,
        event_type: Name,
        body: Mapping[str, Any] | None = None,
        *,
        callback: Callback | None = None,
        timeout: Seconds | None = None,
    ) -> Sent:
        """Send a frame of any type. Slack replies to "message" and "ping"; any other settles when it is written.

        Args:
            event_type: the `type` of the frame.
            body: the other fields, JSON-ready; `id` is added.
            callback: called with (error, reply), in order with the events.
            timeout: time-out for the reply, instead of `reply_timeout`.

        Raises:
            NotConnected: the client is not started, or has ended.
            ConfigurationError: an argument is invalid; the body is not JSON-ready, for example.
        """
        _check_text("event_type", event_type)
        if timeout is None:
            timeout = self._settings.reply_timeout
        elif not _SECONDS.admits(timeout):
            raise refusal("timeout", _SECONDS, timeout)
        if callback is not None:
            check_handler(callback, "callback")
        if not isinstance(body, Mapping | None):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError(f"body: expected None or a dict, got an object of the type {type(body).__name__}")
        runtime = self._running()
        if runtime.ended:
            raise NotConnected("the client is closed; start() begins again")
        try:
            return runtime.messages.send(event_type, body or {}, timeout=timeout, callback=callback)
        except (TypeError, ValueError, RecursionError) as exc:
            raise ConfigurationError(f"body: it is not JSON-ready: {exc}") from None

    @checked
    async def update_message(self, ts: Name, channel: Name, text: str, **fields: Any) -> dict[str, Any]:
        """Change a message by chat.update, with or without a connection.

        Args:
            ts: the timestamp of the message.
            channel: the id of its channel.
            text: the new text.
            **fields: further fields, such as `attachments`; None is omitted, lists and dicts are sent as JSON.

        Returns:
            Slack's answer.

        Raises:
            SlackApiError: Slack refused.
            RateLimited: Slack asks for a wait longer than `attempt_timeout`.
            TransportError: there was no answer.
            NotConnected: the client is closed.
        """
        self._home.check()
        if self._closed:
            raise NotConnected("the client is closed; start() begins again")
        return await self._api.call("chat.update", **{**fields, "ts": ts, "channel": channel, "text": text})

    # -- internals -------------------------------------------------------------------------------------------------

    def _new_runtime(self, options: Mapping[str, Any]) -> SlackRuntime:
        return SlackRuntime(
            self._api,
            self._emitter,
            self.data_store,
            self._settings,
            options,
            log=self._log,
            open_socket=self.open_socket,
        )

    async def _close(self, runtime: SlackRuntime, reason: str, code: object) -> None:
        try:
            await runtime.stop(reason, code)
        finally:  # also when the caller is cancelled
            if self._runtime is runtime:  # else it was started again meanwhile
                with anyio.move_on_after(self._settings.close_timeout, shield=True):
                    await self._api.aclose()

    def _running(self) -> SlackRuntime:
        self._home.check()
        if self._runtime is None:
            raise NotConnected("the client is not started; call start() first")
        return self._runtime

    def _rate_limited(self, seconds: float) -> None:
        """Report the rate limit of a call; the driver reports those of attempts to connect."""
        if self._runtime is not None:
            self._runtime.feed.rate_limited(seconds)
        else:
            self._log.warning("Slack asks to wait %g s", seconds)

    def _handler_failed(self, error: Exception) -> None:
        feed = running_feed.get()  # of the life that called the handler, which may not be the newest
        if feed is not None:
            feed.error(error, logged=True)


def _check_text(name: str, value: object) -> None:
    # Called for each message, so it is cheaper than `checked`.
    if not isinstance(value, str) or not value:
        raise refusal(name, _TEXT, value)


_TEXT = required_constraint(Name)
_SECONDS = required_constraint(Seconds)
