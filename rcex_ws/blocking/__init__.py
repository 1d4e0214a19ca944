"""The blocking client: the same names, errors and guarantees without `await`, for scripts, Django and notebooks.

All async objects live in one thread of the process, which runs an event loop; the classes here wrap them and have no
logic of their own. `python -m tests.blocking.generate` writes most of them from the async ones.

client.py, websocket_extension.py, subscription.py, paths.py, events.py   what users hold
client_options.py, methods.py, session_methods.py, path_methods.py        generated: what `RingCentral` repeats
event_methods.py, extension_methods.py, subscription_methods.py           generated: likewise, for its extension
path_calls.py, streamed.py, link.py                                       generated
loop_thread.py   the thread, and how to wait for it
facade.py        the base class of all of them
callbacks.py     runs functions of the application in threads
iteration.py     plain iterators over async ones
"""

from rcex_ws.blocking.client import RingCentral
from rcex_ws.blocking.events import EventsExtension
from rcex_ws.blocking.link import Link
from rcex_ws.blocking.paths import PathBuilder
from rcex_ws.blocking.streamed import StreamedResponse
from rcex_ws.blocking.subscription import Subscription
from rcex_ws.blocking.websocket_extension import WebSocketExtension

__all__ = [
    "EventsExtension",
    "Link",
    "PathBuilder",
    "RingCentral",
    "StreamedResponse",
    "Subscription",
    "WebSocketExtension",
]
