"""`Bot`: the small callback form of a Slack client, on `WebSocketClient`.

It has a handler with four methods, a state that each method receives and returns, and a model of the team that follows
the events. Modelled on `Slack.Bot` of Elixir's slack_kit, with its faults corrected: `handle_event` runs after the
update of the model, and the result of `handle_close` counts.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Generic, Protocol, TypeVar, Unpack, cast

import anyio
from anyio import TASK_STATUS_IGNORED
from anyio.abc import TaskStatus

from rcex_ws.callback import (
    KEEPALIVE_TIMEOUT,
    CallbackClient,
    Close,
    Frame,
    Ok,
    Reconnect,
    Text,
    WebSocketClient,
    WebSocketHandler,
    WebSocketOptions,
)
from rcex_ws.connection import call
from rcex_ws.errors import BadFrame, ConfigurationError, RcexError
from rcex_ws.options import Credential, Seconds, ServerUrl, checked
from rcex_ws.rest.http_library import HTTPClient
from rcex_ws.slack.bot_slack import BotSlack
from rcex_ws.slack.directory import Directory, FillStore
from rcex_ws.slack.frames import Event, decode
from rcex_ws.slack.store import DataStore, DataStoreError, MemoryDataStore
from rcex_ws.slack.web import API_URL, StartData, StartMethod, WebApi

__all__ = ["Bot", "BotHandler", "CallbackClients"]

logger = logging.getLogger("rcex_ws.slack")

P = TypeVar("P")
_ATTEMPT_TIMEOUT = 10.0
_CLOSE_TIMEOUT = 2.0


class CallbackClients(Protocol):
    """What runs a bot: `WebSocketClient` itself, or a `WebSocketClientStub`."""

    async def run(
        self,
        url: str | bytes,
        handler: WebSocketHandler[Any],
        state: Any,
        *,
        keepalive: float | None = None,
        task_status: TaskStatus[Any] = TASK_STATUS_IGNORED,
        **options: Unpack[WebSocketOptions],
    ) -> object:
        """Run a handler until it ends; see `WebSocketClient.run`."""
        ...


class BotHandler(Generic[P]):
    """Base class of the handlers of a `Bot`. Each method, sync or async, returns the next state.

    They are called one at a time and in order. An exception ends the bot, and is raised by `Bot.run`.
    """

    def handle_connect(self, slack: BotSlack, state: P) -> P | Awaitable[P]:
        """Handle the opening of a connection: the first one, and one after each `Reconnect`."""
        return state

    def handle_event(self, event: Event, slack: BotSlack, state: P) -> P | Awaitable[P]:
        """Handle an event; `slack.store` has applied it already."""
        return state

    def handle_close(
        self, reason: object, slack: BotSlack, state: P
    ) -> P | Close[P] | Reconnect[P] | Awaitable[P | Close[P] | Reconnect[P]]:
        """Decide what follows the loss of a connection, or a failed attempt.

        Not called when Slack has been silent for too long: then the bot reconnects.

        Args:
            reason: as for `WebSocketHandler.ondisconnect`, or the error of rtm.connect.
            slack: what the handler can read and send.
            state: the current state.

        Returns:
            `Reconnect` to connect again, unless no retry can help; `Close` to end with another reason; the state to
            end with this one.
        """
        return state

    def handle_info(self, message: object, slack: BotSlack, state: P) -> P | Awaitable[P]:
        """Handle a message passed to `info` of `slack.client`, or a `SlowConsumer` when events are dropped."""
        return state


class Bot(Generic[P]):
    """A Slack bot: a handler, its state, and a model of the team.

    ::

        class Echo(BotHandler[int]):
            async def handle_event(self, event, slack, state):
                if event["type"] == "message":
                    await slack.send_message(event["text"], event["channel"])
                return state + 1

        await Bot(Echo(), 0, token).run()

    Args:
        handler: the callbacks.
        state: the initial state.
        token: token of the bot; a secret.
        client: class that runs it; a `WebSocketClientStub` in tests.
        api_url: base URL of the Web API.
        http: a configured `httpx.AsyncClient` for it, never closed by the bot.
        data_store: model of the team; a `MemoryDataStore` by default.
        start_method: "rtm.connect", or "rtm.start"; today Slack answers both in the same way.
        fill_store: how the model gets users and conversations, as for `RTMClient`; unless it is "never", names passed
            to `send_message` are also searched in Slack's lists.
        keepalive: seconds of silence after which to ping, and as many again after which to reconnect.
        **options: see `rcex_ws.callback.WebSocketOptions`.

    Raises:
        ConfigurationError: an argument is invalid.
    """

    @checked
    def __init__(
        self,
        handler: BotHandler[P],
        state: P,
        token: Credential,
        *,
        client: CallbackClients = WebSocketClient,
        api_url: ServerUrl = API_URL,
        http: HTTPClient | None = None,
        data_store: DataStore | None = None,
        start_method: StartMethod = "rtm.connect",
        fill_store: FillStore = "lookup",
        keepalive: Seconds | None = 10.0,
        **options: Unpack[WebSocketOptions],
    ) -> None:
        if "next_url" in options:
            raise ConfigurationError("next_url: not accepted by a bot, which requests its URLs from Slack")
        self._handler = handler
        self._state = state
        self._client = client
        self._api = WebApi(
            token,
            api_url=api_url,
            proxy=options.get("proxy"),
            ssl_context=options.get("ssl_context"),
            timeout=options.get("attempt_timeout", _ATTEMPT_TIMEOUT),
            http=http,
        )
        self._store = MemoryDataStore() if data_store is None else data_store
        self._start_method: StartMethod = start_method
        self._fill_store: FillStore = fill_store
        self._keepalive = keepalive
        self._options = options

    @checked
    async def run(self, *, task_status: TaskStatus[CallbackClient] = TASK_STATUS_IGNORED) -> object:
        """Run the bot until it ends; may be called again afterwards.

        Args:
            task_status: gets the client, with `info` and `stop`, before there is a connection; for `TaskGroup.start`.

        Returns:
            The final reason, unless it is an exception.

        Raises:
            SlackApiError: Slack refused the first rtm.connect.
            RcexError: Slack could not be reached at first, or the final reason is such an error.
            Exception: the handler raised it.
        """
        try:
            start = await self._request_start()
            directory = Directory(self._api, self._store, self._fill_store, log=logger)
            callbacks = _Callbacks(self._handler, self._store, self._api, directory, start, self._request_start)
            options: WebSocketOptions = {**self._options, "next_url": callbacks.next_url}
            return await self._client.run(
                start.url,
                callbacks,
                self._state,
                keepalive=self._keepalive,
                task_status=task_status,
                **options,
            )
        finally:
            with anyio.move_on_after(_CLOSE_TIMEOUT, shield=True):
                await self._api.aclose()

    async def _request_start(self) -> StartData:
        return await self._api.connect(self._start_method, batch_presence_aware=True, presence_sub=True)


class _Callbacks(WebSocketHandler[P]):
    """The `WebSocketHandler` that updates the store and calls a `BotHandler`."""

    def __init__(
        self,
        handler: BotHandler[P],
        store: DataStore,
        api: WebApi,
        directory: Directory,
        start: StartData,
        request_start: Callable[[], Awaitable[StartData]],
    ) -> None:
        self._handler = handler
        self._store = store
        self._api = api
        self._directory = directory
        self._start = start
        self._request_start = request_start
        self._slack: BotSlack

    async def next_url(self) -> str:
        """Request the next URL from Slack; each is valid for one connection."""
        self._start = await self._request_start()
        return self._start.url

    def init(self, state: P) -> Reconnect[P]:
        self._slack = BotSlack(
            self._store, self._api, WebSocketClient.current(), self._start, directory=self._directory
        )
        return Reconnect(state)

    async def onconnect(self, ref: int, state: P) -> Ok[P]:
        self._slack.start = self._start
        try:
            await self._store.cache_start(self._start.data)
        except DataStoreError:
            logger.exception("the store rejected the answer to rtm.connect")
        self._directory.reset()
        if self._directory.by_lists:
            await self._directory.fill(_report)
        return Ok(await self._call(self._handler.handle_connect, self._slack, state))

    async def ondisconnect(self, reason: object, state: P) -> Close[P] | Reconnect[P]:
        if reason == KEEPALIVE_TIMEOUT:
            return Reconnect(state)
        result = await call(self._handler.handle_close, reason, self._slack, state)
        if isinstance(result, Reconnect):
            again = cast("Reconnect[P]", result)
            final = isinstance(reason, RcexError) and not reason.retryable
            return Close(reason, again.state) if final else again
        return cast("Close[P]", result) if isinstance(result, Close) else Close(reason, cast("P", result))

    async def websocket_handle(self, frame: Frame, ref: int, state: P) -> Ok[P]:
        event = _read_event(frame)
        if event is None:
            return Ok(state)
        if missing := self._directory.missing(event):
            await self._directory.look_up(missing)
        try:
            await self._store.apply(event, self_id=self._start.self_id, team_id=self._start.team_id)
        except DataStoreError:
            logger.exception("the store rejected an event; the handler still gets it")
        return Ok(await self._call(self._handler.handle_event, event, self._slack, state))

    async def websocket_info(self, message: object, ref: int | None, state: P) -> Ok[P]:
        return Ok(await self._call(self._handler.handle_info, message, self._slack, state))

    async def _call(self, callback: Callable[..., object], *args: object) -> P:
        return cast("P", await call(callback, *args))


def _report(error: Exception) -> None:
    logger.warning("a list of the team cannot be read: %s", error)


def _read_event(frame: Frame) -> Event | None:
    """Return the event in a frame; None for a reply, which has no `type`: a bot does not wait for replies."""
    if not isinstance(frame, Text):
        return None
    try:
        event = decode(frame.data.partition("\0")[0].encode())
    except BadFrame as exc:
        logger.warning("a frame was ignored: %s", exc)
        return None
    return event if isinstance(event.get("type"), str) else None
