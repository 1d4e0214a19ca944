"""ONE resilient WebSocket: open, keep alive, lose, back off, reopen. Knows no protocol.

link.py        what belongs to one connection: reader, writer, heartbeat, how it ended
supervisor.py  what happens next: schedule, attempts
life.py        what belongs to one life of a client, from start to close
driver.py      what a protocol brings, and the states
requests.py    requests that wait for an answer
delivery.py    the bounded queue before the user's code
outbox.py      what waits to be written
events.py      lifecycle events
dedupe.py      pure: what came before
schedule.py, heartbeat.py   pure: when to try again, whether a link is alive
"""

from rcex_ws.connection.dedupe import Seen
from rcex_ws.connection.delivery import DeliveryQueue, Overflow
from rcex_ws.connection.driver import Driver, State
from rcex_ws.connection.events import EventEmitter, Unsubscriber, being_cancelled, call, no_handler
from rcex_ws.connection.heartbeat import AnswerHeartbeat, Heartbeat
from rcex_ws.connection.life import Life
from rcex_ws.connection.link import Conversation, Link, Loss, LossKind, utc_now
from rcex_ws.connection.requests import Pending, RequestTable
from rcex_ws.connection.schedule import ReconnectDelays, default_delays
from rcex_ws.connection.supervisor import Supervisor
from rcex_ws.websocket.endpoint import Endpoint, Opener, open_websocket

__all__ = [
    "AnswerHeartbeat",
    "Conversation",
    "DeliveryQueue",
    "Driver",
    "Endpoint",
    "EventEmitter",
    "Heartbeat",
    "Life",
    "Link",
    "Loss",
    "LossKind",
    "Opener",
    "Overflow",
    "Pending",
    "ReconnectDelays",
    "RequestTable",
    "Seen",
    "State",
    "Supervisor",
    "Unsubscriber",
    "being_cancelled",
    "call",
    "default_delays",
    "no_handler",
    "open_websocket",
    "utc_now",
]
