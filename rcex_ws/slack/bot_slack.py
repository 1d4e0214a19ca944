"""What the handler of a `Bot` can read from Slack, and send to it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import count
from types import MappingProxyType
from typing import Any

from rcex_ws.callback import CallbackClient, Text
from rcex_ws.errors import ConfigurationError
from rcex_ws.options import Name, checked, refusal, required_constraint
from rcex_ws.slack.directory import Directory
from rcex_ws.slack.frames import encode
from rcex_ws.slack.store import DataStore
from rcex_ws.slack.web import StartData, WebApi

__all__ = ["BotSlack"]


class BotSlack:
    """What a handler can read from Slack, and send to it. Without a connection, frames are dropped with a warning.

    Attributes:
        store: the model of the team.
        api: the Web API, for what cannot be done over the WebSocket.
        client: the client that runs the handler.
        start: the answer to the last rtm.connect or rtm.start.
    """

    def __init__(
        self, store: DataStore, api: WebApi, client: CallbackClient, start: StartData, *, directory: Directory
    ) -> None:
        self.store = store
        self.api = api
        self.client = client
        self.start = start
        self._directory = directory
        self._ids = count(1)  # never reset: ids are unique over all connections

    @property
    def me(self) -> Mapping[str, Any]:
        """The bot's own user, from the answer to rtm.connect: "id", "name" ..."""
        return MappingProxyType(self.start.data["self"])

    @property
    def team(self) -> Mapping[str, Any]:
        """The team, from the answer to rtm.connect: "id", "name", "domain" ..."""
        return MappingProxyType(self.start.data["team"])

    async def send_message(self, text: str, channel: Name, thread_ts: Name | None = None) -> None:
        """Send a message.

        Args:
            text: the text of the message.
            channel: the id of a conversation; "#name" of a channel or group; or "@name" or the id of a user, with whom
                a direct message is opened unless there is one.
            thread_ts: the timestamp of the message in whose thread to reply.

        Raises:
            ConfigurationError: neither the model nor Slack's lists have that name.
            SlackApiError: Slack refused to open the direct message, or to list names.
            RcexError: Slack could not be reached.
        """
        # Called for each message, so it is cheaper than `checked`.
        if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise refusal("text", _TEXT, text)
        if not isinstance(channel, str) or not channel:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise refusal("channel", _NAME, channel)
        if thread_ts is not None and (not isinstance(thread_ts, str) or not thread_ts):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise refusal("thread_ts", _NAME, thread_ts)
        body = {"text": text, "channel": await self._resolve(channel)}
        if thread_ts is not None:
            body["thread_ts"] = thread_ts
        self._send("message", body)

    def indicate_typing(self, channel: Name) -> None:
        """Send a typing indicator to a conversation, given by id."""
        if not isinstance(channel, str) or not channel:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise refusal("channel", _NAME, channel)
        self._send("typing", {"channel": channel})

    def send_ping(self, **fields: Any) -> None:
        """Send an RTM ping; Slack's pong has the same fields and is handled as an event."""
        self._send("ping", fields)

    @checked
    def subscribe_presence(self, ids: Collection[Name] = ()) -> None:
        """Subscribe to the presence of these users, by id, and no others; ends with the connection."""
        self._send("presence_sub", {"ids": list(ids)})

    def send_raw(self, text: str) -> None:
        """Send a text frame unchanged."""
        if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise refusal("text", _TEXT, text)
        self.client.cast(Text(text))

    def _send(self, kind: str, body: Mapping[str, Any]) -> None:
        self.send_raw(encode(kind, next(self._ids), body).decode())

    async def _resolve(self, channel: str) -> str:
        if channel.startswith("#"):
            conversation = await self._directory.find_conversation(channel[1:])
            if conversation is None:
                raise ConfigurationError(f"channel: no channel or group {channel} is known")
            return conversation.id
        if channel.startswith("@"):
            user = await self._directory.find_user(channel[1:])
            if user is None:
                raise ConfigurationError(f"channel: no user {channel} is known")
            return await self._direct_message(user.id)
        return await self._direct_message(channel) if channel.startswith(("U", "W")) else channel

    async def _direct_message(self, user_id: str) -> str:
        known = await self.store.dm_by_user_id(user_id)
        if known is not None:
            return known.id
        answer = await self.api.call("conversations.open", users=user_id)
        opened = str(answer["channel"]["id"])
        await self.store.upsert("dm", {"id": opened, "user": user_id, "is_im": True})
        return opened


_TEXT = required_constraint(str)
_NAME = required_constraint(Name)
