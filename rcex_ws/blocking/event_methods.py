"""Generated from `rcex_ws.wsg.event_methods.EventMethods` by `python -m tests.blocking.generate`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import rcex_ws.wsg
from rcex_ws.blocking.callbacks import Callback, Predicate, in_thread
from rcex_ws.blocking.facade import Facade, facade_of, inner_of
from rcex_ws.blocking.loop_thread import run
from rcex_ws.blocking.subscription import Subscription
from rcex_ws.options import EventFilter, Name, Seconds, checked
from rcex_ws.wsg.event_methods import Endings
from rcex_ws.wsg.filters import EventFilters
from rcex_ws.wsg.models import Notification, SubscriptionInfo

__all__ = ["BlockingEventMethods"]


class BlockingEventMethods(Facade[rcex_ws.wsg.WebSocketExtension]):
    """The methods of the extension that concern events."""

    @checked
    def subscribe(
        self,
        event_filters: EventFilters | None = None,
        callback: Callback | None = None,
        subscription_info: SubscriptionInfo | Subscription | Mapping[str, Any] | None = None,
        *,
        ignore_own: bool = False,
    ) -> Subscription:
        """Subscribe, and replace the current subscription if there is one. Waits for the connection.

        With the same filters only the consumer changes, without a call to the server. A refusal leaves the current
        subscription untouched.

        Args:
            event_filters: paths such as "/restapi/v1.0/account/~/extension/~/message-store"; None for those of the
                handlers of `on_event`, which then get the notifications.
            callback: called with one `Notification` at a time; None to iterate.
            subscription_info: the info of a subscription to continue, or the Subscription itself; if the server no
                longer knows it, a new one is made and the gap reported.
            ignore_own: leave out posts and messages that this extension has written itself.

        Raises:
            ConfigurationError: an argument is invalid, or there are neither filters nor handlers, or both.
            NotConnected: the extension is closed, or lost its connection and `auto_recover` is off.
            RestError: the server refused.
        """

        async def call() -> Subscription:
            made: Subscription = facade_of(
                await self._inner.subscribe(
                    event_filters,
                    in_thread("callback", callback, self._executor),
                    inner_of(subscription_info),
                    ignore_own=ignore_own,
                )
            )
            return made

        return run(call)

    @checked
    def subscribe_all_extensions(
        self, endings: Endings, callback: Callback | None = None, *, ignore_own: bool = False
    ) -> Subscription:
        """Subscribe to the same events of every enabled user of the account, in one subscription.

        The list of users is read once, page by page; users who come later need another call. The login must be allowed
        to read them, and to get their events.

        Args:
            endings: what comes after the extension in each filter, such as ["presence?detailedTelephonyState=true"].
            callback: as in `subscribe`.
            ignore_own: as in `subscribe`.

        Raises:
            ConfigurationError: an argument is invalid.
            RcexError: as in `subscribe`.
        """

        async def call() -> Subscription:
            made: Subscription = facade_of(
                await self._inner.subscribe_all_extensions(
                    endings, in_thread("callback", callback, self._executor), ignore_own=ignore_own
                )
            )
            return made

        return run(call)

    @checked
    def wait_for(
        self, event_filter: EventFilter, predicate: Predicate | None = None, timeout: Seconds = 60.0
    ) -> Notification:
        """Wait for the next notification of a filter; its consumer gets it as well. A handler may wait, too.

        For a handler, what has come since its own notification and waits behind it counts as well, unless `wait_for`
        has given it to a handler before: an answer may come before the handler waits for it.

        Args:
            event_filter: a path, perhaps with a query, that the subscription covers.
            predicate: called with each such notification; the first for which it is true is returned.
            timeout: seconds.

        Raises:
            ConfigurationError: an argument is invalid, or nothing is subscribed that could cause such a notification.
            RequestTimeout: there was none in time.
            SubscriptionEnded: the subscription was revoked, or does not cover the filter any more.
            NotConnected: the extension is closed, or was meanwhile.
            Exception: what made its state FAILED.
        """
        return run(
            lambda: self._inner.wait_for(event_filter, in_thread("predicate", predicate, self._executor), timeout)
        )

    def list_subscriptions(self) -> list[SubscriptionInfo]:
        """Return all subscriptions of this user and application at the server: those of other processes, too.

        RingCentral allows about 30 (SUB-505), and one that was not deleted counts for a day.

        Raises:
            RcexError: they could not be read.
        """
        return run(lambda: self._inner.list_subscriptions())

    @checked
    def delete_subscription(self, subscription: SubscriptionInfo | Name) -> None:
        """Delete a subscription that another process has left behind; one that is gone already is no error.

        Args:
            subscription: one of `list_subscriptions()`, or its id.

        Raises:
            ConfigurationError: it is the extension's own; use `subscription.revoke()`.
            RcexError: the server refused, or was not reached.
        """
        run(lambda: self._inner.delete_subscription(subscription))
