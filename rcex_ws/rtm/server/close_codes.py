"""The close codes of a server, of RFC 6455, section 7.4.1, of IANA's registry, and our own from 4000 on.

docs/rtm.md says what clients are to make of them.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "GOODBYE",
    "MOVED",
    "NOT_AUTHENTICATED",
    "NO_STATUS",
    "TAKEN_OVER",
    "TOO_LARGE",
    "TOO_MANY",
    "TOO_SLOW",
    "UNSUPPORTED",
]

GOODBYE: Final = frozenset({1000, 1001})
"""With these a client ends its session: it has closed, or its page is left."""
NO_STATUS: Final = 1005
"""Stands for a close frame without a code."""
UNSUPPORTED: Final = 1003
"""The client has sent a binary message."""
TOO_LARGE: Final = 1009
"""The client has sent a message that is too large."""
MOVED: Final = 1012
"""The server is closed; the client is to connect again, and will reach another one."""
TOO_SLOW: Final = 1013
"""The client does not read fast enough what is sent to it."""
NOT_AUTHENTICATED: Final = 4401
"""The client is not authenticated, or did not authenticate in time."""
TAKEN_OVER: Final = 4409
"""The client has resumed its session over another connection."""
TOO_MANY: Final = 4429
"""Too many messages of a client, or too many connections of a user."""
