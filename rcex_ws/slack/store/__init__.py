"""Slack's data store: a model of the team that follows the events, in memory or in a file.

Used by the Slack clients and by applications. Knows no connections, and imports nothing else of slack/.

base.py       `DataStore`: applies events to tables; queries.py: what an application can ask, models.py: the answers
memory.py     the store in memory; sqlite.py: the store in a file, sqlite_tables.py: its schema and statements
tables.py     what rules see of either
rules.py      which event changes what; message_rules.py: the rules for messages and reactions
change.py     what a rule may do to the tables
fields.py     checked access to the fields of an event; errors.py: what a store raises
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
