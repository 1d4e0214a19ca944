"""Small private files in which state survives the process. All that the library reads from and writes to them is here.

Used by the stores of `rest`, `wsg` and `slack`. May use the modules at the top of the package, but no other folder.

    state.py       `StateFile`: one value as JSON; tells files of different stores apart
    private.py     one file that only its owner can read: links, mount points, atomic replacement, full disks
    checks.py      the type, owner and mode of a file
    lock.py        keeps other processes away
    thread.py      `FileThread`: runs the blocking work of a store, in order
    complaints.py  logs the failures of a store without flooding the log
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
