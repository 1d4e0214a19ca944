"""Slack's Real Time Messaging API: `RTMClient`, its callback form `Bot`, and a data store that models the team.

Used by applications, and by the fakes of testing/ that stand in for Slack. Stands on connection/ and rest/; only
`Bot` uses callback/.

client.py        `RTMClient`: checks arguments, starts and stops lives
runtime.py       one life of a client: its parts, and the task that runs handlers
driver.py        the endpoint of each attempt, and what follows a loss or a failed attempt
conversation.py  one connection: hello, pings, replies, events
messages.py      outbound messages: their ids, and how each one settles
feed.py          inbound events, in order: into the store, then to the handlers
overlap.py       events that several connections bring are delivered once
directory.py     looks up for the store whom events name; lists.py: reads the lists of users and conversations
web.py           methods of the Web API, over HTTPS
bot.py           `Bot`; bot_slack.py: what its handler can read and send
frames.py, models.py, settings.py, errors.py, refusals.py   pure: frames, names, options, errors, what refusals mean
logs.py          the logger of a client
store/           the data store
"""

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
