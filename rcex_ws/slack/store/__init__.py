"""The Slack data store: a model of the team that follows the events, in memory or in a file.

Used by the Slack client; knows nothing of connections. The rules of which event changes what stand in `rules`.
"""

from rcex_ws.slack.store.base import DataStore
from rcex_ws.slack.store.change import StoreChange
from rcex_ws.slack.store.errors import DataStoreError
from rcex_ws.slack.store.fields import Fields
from rcex_ws.slack.store.memory import MemoryDataStore
from rcex_ws.slack.store.models import BotInfo, Channel, Record, Team, User
from rcex_ws.slack.store.rules import Rule
from rcex_ws.slack.store.sqlite import SQLiteDataStore
from rcex_ws.slack.store.tables import Kind, Tables

__all__ = [
    "BotInfo",
    "Channel",
    "DataStore",
    "DataStoreError",
    "Fields",
    "Kind",
    "MemoryDataStore",
    "Record",
    "Rule",
    "SQLiteDataStore",
    "StoreChange",
    "Tables",
    "Team",
    "User",
]
