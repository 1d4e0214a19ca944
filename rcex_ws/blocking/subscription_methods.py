"""Generated from `rcex_ws.wsg.subscription.Subscription` by `python -m tests.blocking.generate`."""

from __future__ import annotations

import rcex_ws.wsg
from rcex_ws.blocking.facade import Facade
from rcex_ws.blocking.loop_thread import run, run_sync
from rcex_ws.options import checked
from rcex_ws.wsg.filters import EventFilters
from rcex_ws.wsg.models import SubscriptionInfo, SubscriptionState

__all__ = ["BlockingSubscriptionMethods"]


class BlockingSubscriptionMethods(Facade[rcex_ws.wsg.Subscription]):
    """One subscription: its filters, its state, and its notifications if it has no callback."""

    @property
    def event_filters(self) -> tuple[str, ...]:
        """The filters, as requested; `update` changes them."""
        return self._inner.event_filters

    @property
    def info(self) -> SubscriptionInfo | None:
        """The server's description; None until it has answered."""
        return self._inner.info

    @property
    def state(self) -> SubscriptionState:
        """PENDING, ACTIVE, REPLACED, REVOKED, CLOSED or FAILED."""
        return self._inner.state

    @property
    def error(self) -> Exception | None:
        """What made it FAILED; otherwise None."""
        return self._inner.error

    @property
    def pending(self) -> int:
        """Number of notifications waiting for the consumer."""
        return run_sync(lambda: self._inner.pending)

    @property
    def delivered(self) -> int:
        """Number of notifications the consumer has taken."""
        return run_sync(lambda: self._inner.delivered)

    @property
    def dropped(self) -> int:
        """Number of notifications dropped because the consumer was too slow; each episode is reported as a gap."""
        return run_sync(lambda: self._inner.dropped)

    def refresh(self) -> None:
        """Renew it at the server; not needed while connected.

        Raises:
            SubscriptionEnded: it is no longer active.
            RestError: the server refused.
        """
        run(lambda: self._inner.refresh())

    @checked
    def update(self, event_filters: EventFilters) -> None:
        """Change the filters; a refusal leaves the subscription unchanged.

        Raises:
            ConfigurationError: `event_filters` is not a non-empty list of paths.
            SubscriptionEnded: it is no longer active.
            RestError: the server refused.
        """
        run(lambda: self._inner.update(event_filters))

    def revoke(self) -> None:
        """Delete it at the server; what is buffered is still delivered. Idempotent.

        Raises:
            RestError: the server refused.
        """
        run(lambda: self._inner.revoke())
