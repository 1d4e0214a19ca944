"""ONE resilient WebSocket: open, keep alive, lose, back off, reopen. Knows no protocol.

The protocols above (wsg, slack, callback) derive a `Driver` and a `Conversation`, and run a `Supervisor` with them. It
stands on websocket/ alone.

driver.py      the seam: what a protocol brings
supervisor.py  the life of a client: pause, attempt, stay connected, decide
attempt.py     one attempt, and the connection that it makes
link.py        what belongs to one connection: reader, writer, heartbeat, loss
life.py        the tasks of one life of a client, from start to close
status.py      states, and the reasons for them; loss.py: how a connection ended
requests.py    requests that wait for an answer
delivery.py    the bounded queue in front of the application's code
outbox.py      what waits to be written
events.py      lifecycle events; handlers.py: how code of the application is called
schedule.py, pause.py, heartbeat.py, dedupe.py   delays; the wait; whether a link is alive; duplicates
"""

from rcex_ws.connection.dedupe import Seen
from rcex_ws.connection.delivery import DeliveryQueue, Overflow
from rcex_ws.connection.driver import Conversation, Driver
from rcex_ws.connection.events import EventEmitter, HasEvents, Unsubscriber
from rcex_ws.connection.handlers import call, deliver
from rcex_ws.connection.heartbeat import AnswerHeartbeat, Heartbeat
from rcex_ws.connection.life import Life
from rcex_ws.connection.link import Link
from rcex_ws.connection.loss import Loss, LossKind, utc_now
from rcex_ws.connection.requests import Pending, RequestTable
from rcex_ws.connection.schedule import ReconnectDelays, default_delays
from rcex_ws.connection.status import Reason, State, StateReason
from rcex_ws.connection.supervisor import Supervisor
from rcex_ws.websocket.endpoint import Endpoint
from rcex_ws.websocket.opener import Opener, open_websocket

__all__ = [
    "AnswerHeartbeat",
    "Conversation",
    "DeliveryQueue",
    "Driver",
    "Endpoint",
    "EventEmitter",
    "HasEvents",
    "Heartbeat",
    "Life",
    "Link",
    "Loss",
    "LossKind",
    "Opener",
    "Overflow",
    "Pending",
    "Reason",
    "ReconnectDelays",
    "RequestTable",
    "Seen",
    "State",
    "StateReason",
    "Supervisor",
    "Unsubscriber",
    "call",
    "default_delays",
    "deliver",
    "open_websocket",
    "utc_now",
]
