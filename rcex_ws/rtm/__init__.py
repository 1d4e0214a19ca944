"""RTM: events to users, wherever they are connected, and calls of functions of the server.

Provisional until 1.0. docs/rtm.md describes the protocol, and what differs from the original packages.

client.py        `RtmClient`: checks arguments, starts and stops lives; settings.py: its options
runtime.py       one life of a client: its parts, and the task that runs handlers
driver.py        the endpoint of each attempt, and what follows a loss or a failed attempt
conversation.py  one connection of a client: authentication, sessions, replies, events
account.py       pure: what a client has received in its session, and what may be missing
events.py        what a client tells its application, in one queue; callbacks.py: the callbacks by event
calls.py         calls of functions, and how each one settles
pushes.py        push subscriptions, told to the server again in each session
frames.py        pure: the frames of both sides
resumption.py    pure: how a client goes on after a loss
errors.py        the errors
server/          `RtmServer`
"""

from rcex_ws.rtm.client import RtmClient
from rcex_ws.rtm.errors import AuthenticationRefused, NoUsers, QueueFull, RemoteError, RtmError
from rcex_ws.rtm.events import RtmEvents
from rcex_ws.rtm.resumption import RtmGap
from rcex_ws.rtm.runtime import RtmStats

__all__ = [
    "AuthenticationRefused",
    "NoUsers",
    "QueueFull",
    "RemoteError",
    "RtmClient",
    "RtmError",
    "RtmEvents",
    "RtmGap",
    "RtmStats",
]
