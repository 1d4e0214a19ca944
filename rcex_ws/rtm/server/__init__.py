"""The server of RTM.

server.py        `RtmServer`, which the application holds: functions, events, presence
settings.py      its options
runtime.py       a running server: its connections, and their closing
service.py       serves one connection: its WebSocket, its heartbeat, its authentication
admission.py     lets a client in: its user, its session, what it has missed
calls.py         the calls of one connection
functions.py     the functions that clients can call, by name
core.py          what all clients share
session.py       one client over all of its connections
sessions.py      all clients, also those that are away and may come back
backlog.py       what a client may have missed (pure)
remote_client.py a client, as the application gets to know it
pushes.py        who has subscribed to which pushes
channel.py       the events of one user
publisher.py     publishes to users, and counts who takes it
publication.py   what stands in the log of a user (pure)
rate.py          how many messages a client may send (pure)
events.py        the names of the events of a server
close_codes.py   the close codes
errors.py        why a client is gone
"""

from rcex_ws.rtm.server.errors import ClientGone
from rcex_ws.rtm.server.events import RtmServerEvents
from rcex_ws.rtm.server.remote_client import RemoteClient
from rcex_ws.rtm.server.server import RtmServer

__all__ = ["ClientGone", "RemoteClient", "RtmServer", "RtmServerEvents"]
