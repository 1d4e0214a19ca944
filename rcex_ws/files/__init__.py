"""Where private state survives the process: the one home of all that the library reads from and writes to small files.

A store knows what it keeps and how its argument is called; `StateFile` knows files: links, owners, modes, mount points,
locks, full disks, what a killed process has left, and what is no state of this kind. All of that blocks, so a store
does it in a `FileThread`. `Complaints` are for who goes on without its file.
"""

from rcex_ws.files.checks import check_if_exists
from rcex_ws.files.complaints import Complaints
from rcex_ws.files.state import OAUTH_TOKEN, WEBSOCKET_SESSION, Kind, Moment, Seconds, StateFile, Unreadable
from rcex_ws.files.thread import FileThread

__all__ = [
    "OAUTH_TOKEN",
    "WEBSOCKET_SESSION",
    "Complaints",
    "FileThread",
    "Kind",
    "Moment",
    "Seconds",
    "StateFile",
    "Unreadable",
    "check_if_exists",
]
