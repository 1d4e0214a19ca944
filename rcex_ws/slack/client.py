"""`RTMClient`: what the application holds. A thin front; each life behind it is an `SlackRuntime`.

* runtime.py: one life, its parts and their tasks; driver.py: where to connect; conversation.py: one connection
* messages.py: what is sent and who waits for which answer; feed.py: what happened, in order, to the handlers
* web.py: the HTTP step; store/: a model of the team; directory.py, lists.py: what fills it; bot.py: a callback form
* frames.py, models.py, settings.py, errors.py, refusals.py: pure; logs.py: where the log goes
"""

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
        start_method: "rtm.connect", or "rtm.start", which Slack answers in the same way today.
        data_store: model of the team that follows the events, never closed by the client; None for no model, a
            `MemoryDataStore` by default.
        fill_store: how the store gets users and conversations: "lookup" of each when an event first names it, before
            the handlers run; "lists" of all of them for each connection, before its first event; or "never".

        auto_reconnect: False to end after the first loss or failed start.
        reconnect_delays: returns the delay after the n-th consecutive failure, n from 1.
        while_disconnected: "refuse" messages while there is no connection, or "queue" them for the next.
        subtype_events: emit `type::subtype` for a "message" (as `@slack/client` 3.x does) or for "all" types (as
            `@slack/rtm-api` does).

        monitor: what shows that the connection is alive: "traffic" of any kind, or only "replies" to what was sent, as
            in `@slack/rtm-api`, which pings 6 s after the last message and waits 4 s for the reply.
        ping_interval: send a ping after so long without inbound traffic ("replies": without anything sent).
        pong_timeout: reconnect after so long without inbound traffic ("replies": without a reply to the ping).
        reply_timeout: for the reply to a message, time in the queue included.
        replay_window: how long after hello a message that was sent over the lost connection may still get its reply.
        open_timeout: for all of `start`.
        attempt_timeout: for one attempt, from rtm.connect to hello.
        close_timeout: for all of `aclose`.

        proxy: None or True for the environment's proxy, a URL (http, https, socks5, socks5h) for that one, False for
            none; used for calls and WebSocket.
        ssl_context: for both, too.
        http: a ready `httpx.AsyncClient`, never closed by the client.
        max_pending: frames queued for handlers; beyond that the oldest are dropped, with a `client_error`.
        max_pending_bytes: bytes queued likewise (64 MiB).
        max_size: maximum size of an inbound frame (16 MiB).

        log_level: level to set on the logger, as in `logging`; None to leave it alone.
        logger: a `logging.Logger`, or a function (level, message); by default a logger below "rcex_ws.slack".
        trace: sync hook, called with a `TraceEvent` when a step of connecting, a heartbeat or the closing starts,
            succeeds or fails; its source is the name of the logger.

    Raises:
        ConfigurationError: an option has an invalid value; the message names it.

    Attributes:
        data_store: as given.
        open_socket: opens a WebSocket; tests may replace it.
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

    # -- what it is doing ------------------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """What it is doing: IDLE, CONNECTING, READY, WAITING, FAILED or CLOSED."""
        return State.IDLE if self._runtime is None else self._runtime.supervisor.status.state

    @property
    def connected(self) -> bool:
        """Whether messages can be sent now: hello came, and the connection is not lost."""
        return self._runtime is not None and self._runtime.shared.active is not None

    @property
    def start_data(self) -> Mapping[str, Any] | None:
        """The answer of the last rtm.connect or rtm.start; None before the first. Its `url` is a secret."""
        start = None if self._runtime is None else self._runtime.shared.start
        return None if start is None else start.data

    @property
    def active_user_id(self) -> str | None:
        """The id of the user whose token it is; None before the first connection."""
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
        """Connect, and stay connected until `aclose`; do nothing when started already.

        Args:
            wait: False to return at once; failures then come as events only.
            **options: Slack's options of rtm.connect or rtm.start, used again for each reconnect.

        Raises:
            SlackApiError: Slack refused for good.
            ConnectFailed: no connection within `open_timeout`; trying again can help.
            NotConnected: it was closed meanwhile.

        When the call that starts it fails or is cancelled, nothing is left running.
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
        """Wait until it is closed, or ends by itself: a final refusal, or a loss without `auto_reconnect`.

        Raises:
            SlackApiError: Slack refused for good.
        """
        await self._running().wait_ended()

    async def reconnect(self) -> None:
        """Replace the connection: the next is opened before this one is closed. Without one, make an attempt now.

        Raises:
            NotConnected: the client is not started.
            RcexError: why the attempt failed, when there was no connection; more follow by schedule.
        """
        runtime = self._running()
        if runtime.supervisor.is_ready:
            runtime.supervisor.replace(at_once=True)
        else:
            await runtime.supervisor.attempt()

    @checked
    async def aclose(self, reason: str = "closed by the application", code: object = None) -> None:
        """Close: `disconnect` is emitted first, what waits for an answer settles. Idempotent; `start` begins again.

        Args:
            reason: the first argument of `disconnect`.
            code: its second.
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
        """Send a message; await what this gives for the `MessageReply`, or pass a callback.

        It is sent in any case, in the order of the calls.

        Args:
            text: what to say.
            channel: the id of a channel, group or DM.
            callback: called with (error, reply) in turn with the events.
            timeout: instead of `reply_timeout`.
            **fields: more of the message, as in `thread_ts`.

        Raises:
            ConfigurationError: text or channel cannot be sent.
            NotConnected: the client is not started. (If it only lost its connection, awaiting raises that.)
        """
        _check_text("text", text)
        _check_text("channel", channel)
        return self.send("message", {"text": text, "channel": channel, **fields}, callback=callback, timeout=timeout)

    def send_typing(self, channel: Name) -> Sent:
        """Say that one is typing; Slack does not answer this."""
        _check_text("channel", channel)
        return self.send("typing", {"channel": channel})

    @checked
    def subscribe_presence(self, ids: Collection[Name]) -> Sent:
        """Ask for presence_change events of these users instead of earlier ones; asked anew after each reconnect."""
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
        """Send anything. Slack answers "message" and "ping"; all else counts as done when it is written.

        Args:
            event_type: goes in as `type`.
            body: the rest, JSON-ready; `id` is added.
            callback: called with (error, reply) in turn with the events.
            timeout: instead of `reply_timeout`.

        Raises:
            NotConnected: the client is not started, or has ended.
            ConfigurationError: an argument cannot be used; the body is not JSON-ready, say.
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
        """Change a message, by chat.update; works with and without a connection.

        Args:
            ts: the time stamp of the message.
            channel: the id of its channel.
            text: what it says now.
            **fields: as in `attachments`; None is left out, lists and dicts are sent as JSON.

        Returns:
            Slack's answer.

        Raises:
            SlackApiError: Slack refused.
            RateLimited: Slack asks to wait longer than `attempt_timeout`.
            TransportError: no answer came.
            NotConnected: the client is closed.
        """
        self._home.check()
        if self._closed:
            raise NotConnected("the client is closed; start() begins again")
        return await self._api.call("chat.update", **{**fields, "ts": ts, "channel": channel, "text": text})

    # -- inside ----------------------------------------------------------------------------------------------------

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
        """Hear of a call that belongs to no life; of an attempt to connect the driver tells."""
        if self._runtime is not None:
            self._runtime.feed.rate_limited(seconds)
        else:
            self._log.warning("Slack asks to wait %g s", seconds)

    def _handler_failed(self, error: Exception) -> None:
        feed = running_feed.get()  # of the life that called the handler, which need not be the newest
        if feed is not None:
            feed.error(error, logged=True)


def _check_text(name: str, value: object) -> None:
    # Called for each message, so it asks nothing that a message does not need.
    if not isinstance(value, str) or not value:
        raise refusal(name, _TEXT, value)


_TEXT = required_constraint(Name)
_SECONDS = required_constraint(Seconds)
