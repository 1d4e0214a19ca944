"""What an application has caused itself: its own posts and messages, which a bot must not answer.

Used by `WebSocketExtension.subscribe(ignore_own=True)`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from rcex_ws.errors import BadFrame
from rcex_ws.wsg.models import Notification
from rcex_ws.wsg.view_of import view_of
from rcex_ws.wsg.views import MessageEnd, PostEvent

__all__ = ["OthersCallback", "OthersIterator", "is_own"]


def is_own(notification: Notification, owner_id: str) -> bool:
    """Return whether this extension has written the post or the message of a notification; False if in doubt.

    Args:
        notification: the notification.
        owner_id: id of the extension.
    """
    try:
        view = view_of(notification.event, notification.body)
    except BadFrame:
        return False
    if isinstance(view, PostEvent):
        return view.creator_id == owner_id
    sender = getattr(view, "from_", None)
    return isinstance(sender, MessageEnd) and sender.extension_id == owner_id


class OthersCallback:
    """A callback that gets what others have caused.

    Args:
        callback: called with it.
        owner_id: id of the extension whose own events are ignored.
    """

    def __init__(self, callback: Callable[[Notification], object], owner_id: str) -> None:
        self._callback = callback
        self._owner_id = owner_id

    def __call__(self, notification: Notification) -> object:
        """Pass a notification on, unless it is the extension's own."""
        return None if is_own(notification, self._owner_id) else self._callback(notification)


class OthersIterator:
    """An iterator over what others have caused.

    Args:
        notifications: all of them.
        owner_id: id of the extension whose own events are ignored.
    """

    def __init__(self, notifications: AsyncIterator[Notification], owner_id: str) -> None:
        self._notifications = notifications
        self._owner_id = owner_id

    def __aiter__(self) -> AsyncIterator[Notification]:
        return self

    async def __anext__(self) -> Notification:
        while True:
            notification = await anext(self._notifications)
            if not is_own(notification, self._owner_id):
                return notification
