"""What the handler of a `Bot` knows of Slack, and does there."""

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
    """What a handler knows of Slack, and does there. Without a connection what it sends is dropped, with a warning.

    Attributes:
        store: the model of the team.
        api: for what has no way over the socket.
        client: what runs the handler.
        start: the answer of the last rtm.connect or rtm.start.
    """

    def __init__(
        self, store: DataStore, api: WebApi, client: CallbackClient, start: StartData, *, directory: Directory
    ) -> None:
        self.store = store
        self.api = api
        self.client = client
        self.start = start
        self._directory = directory
        self._ids = count(1)  # counts on over all connections

    @property
    def me(self) -> Mapping[str, Any]:
        """The bot's own user, as Slack told at the start: "id", "name" ..."""
        return MappingProxyType(self.start.data["self"])

    @property
    def team(self) -> Mapping[str, Any]:
        """The team, as Slack told at the start: "id", "name", "domain" ..."""
        return MappingProxyType(self.start.data["team"])

    async def send_message(self, text: str, channel: Name, thread_ts: Name | None = None) -> None:
        """Send a message.

        Args:
            text: what it says.
            channel: the id of a conversation; "#name" of a channel or group, or "@name" or the id of a user, with whom
                a direct message is opened unless there is one.
            thread_ts: the message to whose thread it belongs.

        Raises:
            ConfigurationError: there is nothing of that name in the model, nor in Slack's lists.
            SlackApiError: Slack does not open the direct message, or does not give the list.
            RcexError: or could not be asked.
        """
        # Not by `checked`: called for each message, so it costs no more than it must.
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
        """Say in a conversation, by id, that the bot is typing."""
        if not isinstance(channel, str) or not channel:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise refusal("channel", _NAME, channel)
        self._send("typing", {"channel": channel})

    def send_ping(self, **fields: Any) -> None:
        """Send a ping of RTM; Slack's pong has the same fields and comes as an event."""
        self._send("ping", fields)

    @checked
    def subscribe_presence(self, ids: Collection[Name] = ()) -> None:
        """Ask for the presence of these users, by id, and of no others; for one connection."""
        self._send("presence_sub", {"ids": list(ids)})

    def send_raw(self, text: str) -> None:
        """Send a text frame as it is."""
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
