"""One WebSocket that is kept connected: open, heartbeat, loss, back-off, reconnect. Independent of any protocol.

Used by the protocol clients (wsg, slack, callback, feedme), which derive a `Driver` and a `Conversation` and run a
`Supervisor` with them. Of the other folders it may import websocket/ only.

driver.py      what a protocol implements
supervisor.py  decides: wait, connect, stay connected, reconnect or end
connection.py  one connection, from the attempt to open it until it is lost
link.py        what belongs to one connection: reader, writer, heartbeat, loss
life.py        the tasks of a client from `start` to `close`, and the steps of closing
status.py      the states of a client, and the reasons for them
loss.py        how a connection ended
requests.py    requests that wait for an answer
delivery.py    the bounded queue of what the application's code is to handle
outbox.py      the queue of what is to be written
event_queue.py one queue for all events and callbacks of a client or a server, where their order matters
handlers.py    hands the items of a queue to a handler of the application
pause.py       the wait before the next attempt, which can be changed
heartbeat.py   whether the peer is alive
dedupe.py      recognises duplicates
"""

from rcex_ws.connection.dedupe import Seen
from rcex_ws.connection.delivery import DeliveryQueue, Overflow
from rcex_ws.connection.driver import Conversation, Driver
from rcex_ws.connection.handlers import deliver
from rcex_ws.connection.heartbeat import AnswerHeartbeat, Heartbeat, SteadyHeartbeat
from rcex_ws.connection.life import Life
from rcex_ws.connection.link import Link
from rcex_ws.connection.loss import Loss, LossKind, utc_now
from rcex_ws.connection.requests import Pending, RequestTable
from rcex_ws.connection.status import Reason, State, StateReason
from rcex_ws.connection.supervisor import Supervisor
from rcex_ws.emitter import EventEmitter, HasEvents, Unsubscriber
from rcex_ws.handlers import call
from rcex_ws.schedule import ReconnectDelays, default_delays, within_window
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
    "SteadyHeartbeat",
    "Supervisor",
    "Unsubscriber",
    "call",
    "default_delays",
    "deliver",
    "open_websocket",
    "utc_now",
    "within_window",
]
