"""What bots write again and again: handlers per filter, waiting for one event, subscriptions of a whole account.

Base class of `WebSocketExtension`, which connects and closes; the parts are `router`, `event_waiters`, `own` and
`account`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Annotated, Any, TypeVar

import anyio

from rcex_ws.errors import ConfigurationError, RequestTimeout
from rcex_ws.named_log import Log
from rcex_ws.options import EventFilter, Name, Rule, Seconds, checked
from rcex_ws.readers import printable
from rcex_ws.wsg import account
from rcex_ws.wsg.event_waiters import Predicate
from rcex_ws.wsg.filters import EventFilters, FilterIndex, same_filters
from rcex_ws.wsg.models import Notification, SubscriptionInfo
from rcex_ws.wsg.own import OthersCallback
from rcex_ws.wsg.router import EventHandler, Router, Selector, UnroutedEvent
from rcex_ws.wsg.runtimes import Runtimes
from rcex_ws.wsg.settings import WsgSettings
from rcex_ws.wsg.subscription import Callback, Subscription

__all__ = ["EventMethods"]

_Handler = TypeVar("_Handler", bound=EventHandler)


def _empty(endings: Collection[str]) -> str | None:
    return None if endings else "it is empty"


Endings = Annotated[Collection[Name], Rule('a non-empty list such as ["presence"]', _empty)]


class EventMethods:
    """The methods of the extension that concern events.

    Args:
        settings: the options.
        runtimes: the runtimes of the extension.
        log: gets warnings.
    """

    def __init__(self, settings: WsgSettings, runtimes: Runtimes, log: Log) -> None:
        self._settings = settings
        self._runtimes = runtimes
        self._log = log
        self._router = Router(self._owner_id, self._handler_failed, self._nobody_wants)
        self._own_id: str | None = None

    # -- subscribing -----------------------------------------------------------------------------------------------

    @checked
    async def subscribe(
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
            callback: sync or async, called with one `Notification` at a time; None to iterate.
            subscription_info: the info of a subscription to continue, or the Subscription itself; if the server no
                longer knows it, a new one is made and the gap reported.
            ignore_own: leave out posts and messages that this extension has written itself.

        Raises:
            ConfigurationError: an argument is invalid, or there are neither filters nor handlers, or both.
            NotConnected: the extension is closed, or lost its connection and `auto_recover` is off.
            RestError: the server refused.
        """
        self._runtimes.check_home()
        info = subscription_info.info if isinstance(subscription_info, Subscription) else subscription_info
        if info is None and subscription_info is not None:
            raise ConfigurationError("subscription_info: the server has not answered this subscription yet")
        if event_filters is None or self._router.filters:
            event_filters, callback = self._routed(event_filters, callback)
        own_id = await self._find_own_id() if ignore_own else None
        if own_id is not None and callback is not None:
            callback = OthersCallback(callback, own_id)
        runtime = self._runtimes.require_current()
        subscription = await runtime.subscriptions.subscribe(event_filters, callback, info)
        if own_id is not None:
            subscription.ignore(own_id)
        return subscription

    @checked
    def on_event(self, event_filter: EventFilter, **query: str | bool | list[str]) -> Callable[[_Handler], _Handler]:
        """Decorate a handler of the events of one filter; `await ws_ext.subscribe()` then subscribes to all of them.

            @ws_ext.on_event("/restapi/v1.0/account/~/extension/~/message-store/instant", type="SMS")
            async def on_text(notification): ...

        Handlers are called one at a time, in order; one that raises is reported by the event `error`, and the next is
        called all the same. An event that several filters select goes to all their handlers.

        Args:
            event_filter: a path, perhaps with a query.
            **query: more parameters of the query; a list repeats the name.

        Raises:
            ConfigurationError: an argument is invalid.
        """
        selector = Selector(event_filter, **query)

        def register(handler: _Handler) -> _Handler:
            if not callable(handler):
                raise ConfigurationError(f"handler: expected a function, got {type(handler).__name__}")
            current = None if self._runtimes.current is None else self._runtimes.current.subscriptions.current
            self._router.add(selector, handler)
            if current is not None and selector.text not in current.event_filters:
                self._log.warning("the handler of %s gets nothing before the next subscribe()", selector.text)
            return handler

        return register

    @checked
    async def subscribe_all_extensions(
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
        self._runtimes.check_home()
        rc, timeout = self._runtimes.require_client(), self._settings.request_timeout
        filters = await account.filters_of_all_extensions(rc, endings, timeout)
        return await self.subscribe(filters, callback, ignore_own=ignore_own)

    # -- waiting ---------------------------------------------------------------------------------------------------

    @checked
    async def wait_for(
        self, event_filter: EventFilter, predicate: Predicate | None = None, timeout: Seconds = 60.0
    ) -> Notification:
        """Wait for the next notification of a filter; its consumer gets it as well. A handler may wait, too.

        For a handler, what has come since its own notification and waits behind it counts as well, unless `wait_for`
        has given it to a handler before: an answer may come before the handler waits for it.

        Args:
            event_filter: a path, perhaps with a query, that the subscription covers.
            predicate: sync or async, called with each such notification; the first for which it is true is returned.
            timeout: seconds.

        Raises:
            ConfigurationError: an argument is invalid, or nothing is subscribed that could cause such a notification.
            RequestTimeout: there was none in time.
            SubscriptionEnded: the subscription was revoked, or does not cover the filter any more.
            NotConnected: the extension is closed, or was meanwhile.
            Exception: what made its state FAILED.
        """
        self._runtimes.check_home()
        runtime = self._runtimes.require_current()
        current, selector = runtime.subscriptions.current, Selector(event_filter)
        runtime.waiters.raise_if_ended()
        if current is None:
            raise ConfigurationError("event_filter: nothing is subscribed; call subscribe() first")
        if not FilterIndex(current.event_filters).can_cause(event_filter):
            raise ConfigurationError(f"event_filter: the subscription has no filter that causes {event_filter}; add it")
        with anyio.move_on_after(timeout):
            return await runtime.waiters.wait(selector, runtime.owner_id, predicate, runtime.behind_handler())
        raise RequestTimeout(f"no notification of {event_filter} within {timeout:g} seconds")

    # -- all subscriptions of the user -----------------------------------------------------------------------------

    async def list_subscriptions(self) -> list[SubscriptionInfo]:
        """Return all subscriptions of this user and application at the server: those of other processes, too.

        RingCentral allows about 30 (SUB-505), and one that was not deleted counts for a day.

        Raises:
            RcexError: they could not be read.
        """
        self._runtimes.check_home()
        return await account.read_subscriptions(self._runtimes.require_client(), self._settings.request_timeout)

    @checked
    async def delete_subscription(self, subscription: SubscriptionInfo | Name) -> None:
        """Delete a subscription that another process has left behind; one that is gone already is no error.

        Args:
            subscription: one of `list_subscriptions()`, or its id.

        Raises:
            ConfigurationError: it is the extension's own; use `subscription.revoke()`.
            RcexError: the server refused, or was not reached.
        """
        self._runtimes.check_home()
        wanted = subscription.id if isinstance(subscription, SubscriptionInfo) else subscription
        runtime = self._runtimes.current
        current = None if runtime is None else runtime.subscriptions.current
        if current is not None and current.info is not None and current.info.id == wanted:
            raise ConfigurationError("subscription: it is this extension's own; use its method revoke()")
        await account.delete_subscription(self._runtimes.require_client(), wanted, self._settings.request_timeout)

    # -- of the router ---------------------------------------------------------------------------------------------

    def _routed(
        self, event_filters: Collection[str] | None, callback: Callback | None
    ) -> tuple[Collection[str], Callback]:
        """Return filters and callback of the handlers of `on_event`.

        Raises:
            ConfigurationError: there are none, or the caller has passed filters or a callback besides.
        """
        filters = self._router.filters
        if not filters:
            raise ConfigurationError("event_filters: pass some, or decorate handlers by on_event() first")
        if callback is not None or (event_filters is not None and not same_filters(event_filters, filters)):
            raise ConfigurationError(
                "event_filters and callback: the handlers of on_event() have their own; call subscribe() without"
            )
        return filters, self._router

    def _owner_id(self) -> str | None:
        return None if self._runtimes.current is None else self._runtimes.current.owner_id

    async def _find_own_id(self) -> str:
        """Return the id of the own extension: from the token, or asked for once."""
        known = self._owner_id() or self._own_id
        if known is None:
            rc = self._runtimes.require_client()
            known = self._own_id = await account.own_extension_id(rc, self._settings.request_timeout)
        return known

    def _handler_failed(self, notification: Notification, error: Exception) -> None:
        self._runtimes.require_current().subscriptions.callback_failed(notification, error)

    def _nobody_wants(self, notification: Notification) -> None:
        text = f"no handler of on_event() wants the event {printable(notification.event)}"
        self._runtimes.require_current().report(UnroutedEvent(text))
