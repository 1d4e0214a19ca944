"""The one subscription of an extension: make it, replace it, resume it, restore it, let it end.

Calls run one after another. What the application asks for and what the server may have made of it can differ for a
while (a lost answer, a cancelled call); here is where both are brought together again.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection, Generator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import anyio

from rcex_ws.connection import utc_now
from rcex_ws.errors import ConfigurationError, NotConnected, RcexError, RequestLost, SubscriptionEnded
from rcex_ws.rest import LoginRefused, RestError
from rcex_ws.wsg.announcer import Announcer
from rcex_ws.wsg.filters import check_filters, matches_any, same_filters
from rcex_ws.wsg.inbox import Inbox
from rcex_ws.wsg.models import Gap, Outcome, Recovery, SubscriptionInfo, SubscriptionState
from rcex_ws.wsg.subscription import Callback, Subscription
from rcex_ws.wsg.subscription_api import SubscriptionApi

__all__ = ["Subscriptions"]

logger = logging.getLogger("rcex_ws.wsg")


class Subscriptions:
    """Own the subscription of one extension.

    Args:
        api: asks the server.
        inbox: routes notifications.
        announcer: hears of gaps and errors.
        check_home: raises when the caller is not where the client lives.
        wait_ready: waits for a connection; raises `NotConnected` when it is not to be waited for.
        check_connected: raises it when the connection is lost and only `recover()` brings it back.
        owner_id: gives the extension that is logged in, if that is known.
        deliver: starts the consumer of a subscription with a callback, after that of another.
        changed: hears that what should be stored has changed.
        reassert_soon: has `reassert` run in the background.
    """

    def __init__(
        self,
        api: SubscriptionApi,
        inbox: Inbox,
        announcer: Announcer,
        *,
        check_home: Callable[[], None],
        wait_ready: Callable[[], Awaitable[None]],
        check_connected: Callable[[], None],
        owner_id: Callable[[], str | None],
        deliver: Callable[[Subscription, Subscription | None], None],
        changed: Callable[[], None],
        reassert_soon: Callable[[], None],
    ) -> None:
        self._api = api
        self._inbox = inbox
        self._announcer = announcer
        self.check_home = check_home
        self._wait_ready = wait_ready
        self._check_connected = check_connected
        self._owner_id = owner_id
        self._deliver = deliver
        self._changed = changed
        self._reassert_soon = reassert_soon
        self._one_at_a_time = anyio.Lock()
        self._claimed = False
        self._unsure_since: datetime | None = None  # the server may have other filters than we think
        self._blind = False  # the session was resumed by its token alone: what was subscribed is not known
        self._blind_recovery: Recovery | None = None  # how that went, until the first subscribe

    @property
    def current(self) -> Subscription | None:
        """The active subscription, if somebody asked for it."""
        return self._inbox.current if self._claimed else None

    @property
    def is_known(self) -> bool:
        """Whether it is known here what the server should send."""
        return self._inbox.current is not None and bool(self._inbox.current.event_filters)

    # -- asked for by the application ------------------------------------------------------------------------------

    async def subscribe(
        self,
        event_filters: Collection[str],
        callback: Callback | None,
        subscription_info: SubscriptionInfo | Mapping[str, Any] | None,
    ) -> Subscription:
        """Subscribe, or replace the subscription there is; see `WebSocketExtension.subscribe`."""
        filters = check_filters(event_filters)
        if callback is not None and not callable(callback):
            raise ConfigurationError(f"callback: expected a function that takes a notification, got {callback!r}")
        earlier = _as_info(subscription_info)
        async with self._one_at_a_time:
            current = self._inbox.current
            if current is not None and self._claimed:
                self._check_connected()
            if earlier is not None and current is not None and current.info is None:  # the session was recovered
                same = same_filters(filters, earlier.event_filters, owner_id=self._owner_id())
                current.activate(earlier, filters if same else earlier.event_filters)
            if current is not None and same_filters(filters, current.event_filters) and self._unsure_since is None:
                return self._hand_over(current, filters, callback)
            return await self._replace(filters, callback, earlier)

    async def refresh(self, subscription: Subscription) -> None:
        """Renew a subscription at the server."""
        await self.update(subscription, subscription.event_filters)

    async def update(self, subscription: Subscription, event_filters: Collection[str]) -> None:
        """Change the filters of the active subscription."""
        filters = check_filters(event_filters)
        async with self._one_at_a_time:
            await self._wait_ready()
            if subscription is not self._inbox.current or subscription.info is None:
                raise SubscriptionEnded(f"the subscription is {subscription.state}; subscribe again")
            with self._unsure_unless_answered():
                info = await self._api.ask(filters, subscription.info)
            subscription.activate(info, filters)
            self._changed()
            await self._report_gaps()

    async def revoke(self, subscription: Subscription) -> None:
        """Delete a subscription at the server; without a connection it is forgotten now and deleted later."""
        async with self._one_at_a_time:
            if subscription is not self._inbox.current:
                return
            self.end(SubscriptionState.REVOKED)
            if subscription.info is not None:
                await self._api.delete(subscription.info)

    def handler_failed(self, error: Exception) -> None:
        """Report an exception of a callback."""
        self._announcer.error(error)

    # -- asked for by the connection -------------------------------------------------------------------------------

    def resume(self, info: SubscriptionInfo | None, event_filters: tuple[str, ...] = ()) -> None:
        """Expect events of a session from before a restart; they wait for the first `subscribe`."""
        subscription = Subscription(self, event_filters, self._inbox.new_queue(), info=info)
        subscription.activate(info, event_filters)
        self._inbox.current = subscription
        self._claimed = False
        self._blind = info is None

    def resumed(self, recovery: Recovery) -> None:
        """Hear how the session fared."""
        if self._blind:
            self._blind, self._blind_recovery = False, recovery

    async def restore(self) -> None:
        """Subscribe anew on a session that begins empty.

        Raises:
            RcexError: it failed and may succeed later. A refusal for good fails the subscription instead.
        """
        subscription = self._inbox.current
        if subscription is None:
            return
        if not self.is_known:  # resumed by token alone: what it was for is not known
            self._inbox.current = None
            subscription.end(SubscriptionState.FAILED, discard=True)
            return
        old = subscription.info
        try:
            info = await self._api.ask(subscription.event_filters)
        except RestError as exc:
            if exc.retryable or isinstance(exc, LoginRefused):
                raise
            logger.error("the subscription was refused and is not renewed: %s", exc)  # noqa: TRY400 - no bug of ours
            self.end(SubscriptionState.FAILED, exc)
            self._announcer.error(exc)
        else:
            current = self._inbox.current  # meanwhile it may have been revoked, or have got another consumer
            if current is None:
                self._api.abandon(info)
            else:
                current.activate(info, current.event_filters)
        if old is not None:
            self._api.abandon(old)
        self._changed()
        while self._api.gaps:
            self._announcer.gap(self._api.gaps.pop(0))

    async def reassert(self) -> None:
        """Give the server the filters of the current subscription again, if it may have others."""
        async with self._one_at_a_time:
            subscription, since = self._inbox.current, self._unsure_since
            if subscription is None or since is None:
                self._unsure_since = None
                return
            try:
                info = await self._api.ask(subscription.event_filters, subscription.info)
            except RcexError as exc:
                logger.warning("the filters could not be asserted, the next connection tries again: %s", exc)
                return
            subscription.activate(info, subscription.event_filters)
            self._unsure_since = None
            reason = "a change of the filters was cancelled; the server may have made it for a while"
            self._api.gaps.append(Gap(since, utc_now(), certain=False, reason=reason))
            await self._report_gaps()

    async def clear_up(self) -> None:
        """Delete the subscriptions of lost sessions."""
        await self._api.delete_abandoned()

    def abandon(self) -> None:
        """Take note that the current subscription is to be deleted at the server."""
        current = self._inbox.current
        if current is not None and current.info is not None:
            self._api.abandon(current.info)

    def take_ids(self) -> list[str]:
        """Give the ids of all subscriptions that are still to be deleted at the server."""
        current = self._inbox.current
        own = [current.info.id] if current is not None and current.info is not None else []
        return own + self._api.take_abandoned()

    def end(self, state: SubscriptionState, error: Exception | None = None) -> None:
        """End the current subscription here, without a call, after what is buffered."""
        subscription, self._inbox.current = self._inbox.current, None
        if subscription is not None:
            subscription.end(state, error)
            self._changed()

    # -- how -------------------------------------------------------------------------------------------------------

    def _hand_over(self, current: Subscription, filters: tuple[str, ...], callback: Callback | None) -> Subscription:
        """Give the subscription that the server serves already to a new consumer, without a call."""
        if self._claimed:
            successor = Subscription(self, filters, self._inbox.new_queue(), callback=callback)
            self._activate(successor, current.info, filters)
            return successor
        current.claim(callback)
        self._claimed = True
        if callback is not None:
            self._deliver(current, None)
        return current

    async def _replace(
        self, filters: tuple[str, ...], callback: Callback | None, earlier: SubscriptionInfo | None
    ) -> Subscription:
        """Ask the server for other filters; until it answers, events go to whom they match."""
        candidate = Subscription(self, filters, self._inbox.new_queue(), callback=callback)
        candidate.queue.hold()
        self._inbox.candidate = candidate
        try:
            with self._unsure_unless_answered():
                info = await self._ask_until_answered(filters, earlier)
        except BaseException:
            if self._inbox.current is not None:
                candidate.queue.move_to(self._inbox.current.queue, behind=True)
            candidate.end(SubscriptionState.FAILED, discard=True)
            raise
        finally:
            self._inbox.candidate = None
        self._activate(candidate, info, filters)
        try:
            await self._report_gaps()
        finally:
            self._inbox.answered(candidate)
        return candidate

    @contextmanager
    def _unsure_unless_answered(self) -> Generator[None]:
        """Notice a change that was cancelled or timed out: the server may have made it all the same."""
        asked_at = utc_now()
        try:
            yield
        except RestError:
            raise
        except BaseException:
            if self._inbox.current is not None and self._unsure_since is None:
                self._unsure_since = asked_at
                self._reassert_soon()
            raise
        self._unsure_since = None

    async def _ask_until_answered(self, filters: tuple[str, ...], earlier: SubscriptionInfo | None) -> SubscriptionInfo:
        while True:
            await self._wait_ready()
            current = self._inbox.current
            known = current.info if current is not None else None
            try:
                if known is None:
                    return await self._ask_first(filters, earlier)
                return await self._api.ask(filters, known)
            except (RequestLost, NotConnected) as exc:
                logger.info("subscribing again: %s", exc)

    async def _ask_first(self, filters: tuple[str, ...], earlier: SubscriptionInfo | None) -> SubscriptionInfo:
        """Make the first subscription of this process, or continue one of an earlier process."""
        resumed = self._blind_recovery
        if resumed is not None and resumed.outcome is not Outcome.RECOVERED:
            info = await self._api.ask(filters)
            if earlier is not None:
                self._api.abandon(earlier)
                await self._api.delete_abandoned()
            if earlier is not None or resumed.error_code != "WSG-1005":  # "no subscription tied to the session"
                self._api.note_gap(certain=True, reason=f"session not recovered: {resumed.outcome}")
            self._blind_recovery = None
            return info
        info = await self._api.ask(filters, earlier)
        self._blind_recovery = None
        if earlier is not None and info.id == earlier.id:
            self._api.note_gap(certain=False, reason="the subscription was resumed on a new session")
        return info

    def _activate(self, successor: Subscription, info: SubscriptionInfo | None, filters: tuple[str, ...]) -> None:
        current = self._inbox.current
        successor.activate(info, filters)
        self._inbox.current = successor
        if current is not None:
            if not self._claimed:  # nobody has seen these events: those asked for go to the new consumer
                current.queue.move_to(successor.queue, lambda item: matches_any(item.event, filters))
            else:  # those that were not asked for came while the server had not answered
                successor.queue.move_to(current.queue, lambda item: not matches_any(item.event, filters), behind=True)
            current.end(SubscriptionState.REPLACED)
        self._claimed = True
        if successor.has_callback:
            self._deliver(successor, current)
        self._changed()

    async def _report_gaps(self) -> None:
        """Report what was found while asking; the hook runs before the new subscription delivers."""
        while self._api.gaps:
            await self._announcer.gap_now(self._api.gaps.pop(0))


def _as_info(info: SubscriptionInfo | Mapping[str, Any] | None) -> SubscriptionInfo | None:
    return info if info is None or isinstance(info, SubscriptionInfo) else SubscriptionInfo.from_dict(info)
