"""Which view an event has: chosen by the end of its path. Pure.

Used by `Notification.view` and by `own`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import msgspec

from rcex_ws.wsg.views import (
    ChatEvent,
    DirectoryEvent,
    ExtensionEvent,
    ExtensionsEvent,
    FaxEvent,
    InstantMessageEvent,
    MessageStoreEvent,
    PostEvent,
    PresenceEvent,
    SmsBatchEvent,
    TelephonySessionEvent,
    View,
    VoicemailEvent,
)

__all__ = ["view_of"]

#: Which view an event has, by the end of its path; the first that fits.
_VIEWS: tuple[tuple[re.Pattern[str], type[View]], ...] = tuple(
    (re.compile(pattern), kind)
    for pattern, kind in (
        (r"/message-store/instant$", InstantMessageEvent),
        (r"/message-store$", MessageStoreEvent),
        (r"/voicemail$", VoicemailEvent),
        (r"/fax$", FaxEvent),
        (r"/presence(?:/line/presence|/line|/dnd)?$", PresenceEvent),
        (r"/telephony/sessions(?:/[^/]+)?$", TelephonySessionEvent),
        (r"/posts$", PostEvent),
        (r"/(?:chats|groups)$", ChatEvent),
        (r"/directory/entries$", DirectoryEvent),
        (r"/a2p-sms/batches$", SmsBatchEvent),
        (r"/account/[^/]+/extension/[^/]+$", ExtensionEvent),
        (r"/account/[^/]+/extension$", ExtensionsEvent),
    )
)


def view_of(event: str, body: Any) -> View | None:
    """Return the typed view of a body; None for one that is not known here, or does not fit.

    Args:
        event: the notification's `event`.
        body: its decoded body.
    """
    kind = _kind_of(event.partition("?")[0].rstrip("/"))
    if kind is None:
        return None
    try:
        return msgspec.convert(body, kind)
    except msgspec.ValidationError:
        return None


@lru_cache(maxsize=256)
def _kind_of(path: str) -> type[View] | None:
    return next((kind for pattern, kind in _VIEWS if pattern.search(path)), None)
