"""Slack's Real Time Messaging API, on the same runtime as RingCentral's gateway."""

from rcex_ws.errors import BadFrame
from rcex_ws.slack.bot import Bot, BotHandler
from rcex_ws.slack.bot_slack import BotSlack
from rcex_ws.slack.client import RTMClient
from rcex_ws.slack.errors import MessageRejected, SlackApiError, SlackHttpError
from rcex_ws.slack.messages import Sent
from rcex_ws.slack.models import Events, MessageOutcome, MessageReply
from rcex_ws.slack.store import DataStore, DataStoreError, MemoryDataStore, SQLiteDataStore

__all__ = [
    "BadFrame",
    "Bot",
    "BotHandler",
    "BotSlack",
    "DataStore",
    "DataStoreError",
    "Events",
    "MemoryDataStore",
    "MessageOutcome",
    "MessageRejected",
    "MessageReply",
    "RTMClient",
    "SQLiteDataStore",
    "Sent",
    "SlackApiError",
    "SlackHttpError",
]
