"""RingCentral's WebSocket gateway: one session, one subscription, REST over the socket, recovery.

Applications hold a `WebSocketExtension`, installed in a `RingCentral`, and the `Subscription` it returns. The package
stands on connection/ (which reconnects) and rest/ (which calls), and imports no sibling such as slack/.

A notification takes this way: `WsgConversation.on_message`, `Inbox.receive` (deduplicates, routes), a `DeliveryQueue`,
`Subscription.run_callback` or its iterator. All before the queue runs in the reader, and never waits.

The front:
extension.py             what the application holds; settings.py: its options
event_methods.py         its methods about events; router.py: handlers per filter; event_waiters.py: `wait_for`
account.py, own.py       all extensions and subscriptions of a login; what the application has caused itself
subscription.py          what `subscribe` returns; models.py: notifications, gaps, outcomes (pure);
views.py, view_of.py     typed views of their bodies, and which one an event has (pure)
store.py, stored.py      where a session survives the process, and what of it
One runtime, from connecting to closing:
runtimes.py              opens, replaces and closes the runtimes of an extension
runtime.py               one runtime: its parts and their tasks; deliveries.py: its callbacks
driver.py                the endpoint and the tokens of an attempt; conversation.py: one connection
questions.py             what the server has not answered yet (pure); frames.py: bytes to frames and back (pure)
inbox.py                 the path of a notification to a subscription's queue
loops.py                 the application's loops over a queue, and what they have in hand
announcer.py, gaps.py    what is reported to the application, in order; the gaps that wait for it (pure)
gap_hook.py              calls `on_gap`, and again with what it has not handled
rest_transport.py        REST over the WebSocket; telemetry.py: log, trace and counters
keeper.py                writes the session to its store, and resumes it
What may be missing (pure):
session.py               the recovery token, and why something may be missing
completeness.py          since when something may be missing; server_clock.py: in the server's time
The subscription:
subscriptions.py         what the application asks for; operation.py: a call that outlives its caller
subscription_sync.py     keeps the server's filters and the wanted ones in sync; filters.py: compares filters (pure)
subscription_machine.py  which call comes next, and how sure the server's filters are (pure)
subscription_calls.py    makes these calls; subscription_api.py: how they are written and read
subscription_runtime.py  the part of the runtime that they use
"""

from rcex_ws.errors import BadFrame
from rcex_ws.wsg.extension import WebSocketExtension
from rcex_ws.wsg.frames import Wsc
from rcex_ws.wsg.gap_hook import GapHook
from rcex_ws.wsg.models import (
    ConnectionDetails,
    Events,
    Gap,
    Notification,
    Outcome,
    Recovery,
    SubscriptionInfo,
    SubscriptionState,
)
from rcex_ws.wsg.router import UnroutedEvent
from rcex_ws.wsg.store import FileSessionStore, SessionStore, SessionUnreadable
from rcex_ws.wsg.stored import StoredSession
from rcex_ws.wsg.subscription import Callback, Subscription
from rcex_ws.wsg.telemetry import Stats

__all__ = [
    "BadFrame",
    "Callback",
    "ConnectionDetails",
    "Events",
    "FileSessionStore",
    "Gap",
    "GapHook",
    "Notification",
    "Outcome",
    "Recovery",
    "SessionStore",
    "SessionUnreadable",
    "Stats",
    "StoredSession",
    "Subscription",
    "SubscriptionInfo",
    "SubscriptionState",
    "UnroutedEvent",
    "WebSocketExtension",
    "Wsc",
]
