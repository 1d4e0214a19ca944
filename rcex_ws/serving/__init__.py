"""Run a server of WebSockets: its tasks, its clock, its handlers, its place in an ASGI application.

Used by the servers of Feedme and RTM. Knows no protocol.

life.py         the tasks of a running server, from `start` to `close`
timekeeper.py   watches the time for all clients, in one task
dispatcher.py   runs handlers of the application
mount.py        a server as a part of an ASGI application
mountable.py    the base class of the public servers
"""

from rcex_ws.serving.dispatcher import Dispatcher, HandlerCall
from rcex_ws.serving.life import ClosingStep, ServerLife
from rcex_ws.serving.mount import AsgiMount
from rcex_ws.serving.mountable import MountableServer
from rcex_ws.serving.timekeeper import Timekeeper

__all__ = ["AsgiMount", "ClosingStep", "Dispatcher", "HandlerCall", "MountableServer", "ServerLife", "Timekeeper"]
