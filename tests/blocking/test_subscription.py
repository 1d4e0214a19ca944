from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from rcex_ws import ConfigurationError, RequestTimeout, SubscriptionEnded
from rcex_ws.blocking import RingCentral, Subscription, WebSocketExtension
from rcex_ws.gateway import Gateway
from tests.blocking.conftest import MESSAGES, until

Install = Callable[..., WebSocketExtension]


def numbers(subscription: Subscription) -> list[int]:
    return [notification.body["number"] for notification in subscription]


def test_it_is_iterated_until_another_thread_ends_it(server: Gateway, installed: Install) -> None:
    subscription = installed().subscribe([MESSAGES])
    for number in range(3):
        server.notify(MESSAGES, {"number": number})
    found: list[int] = []
    for notification in subscription:
        found.append(notification.body["number"])
        if len(found) == 3:
            threading.Thread(target=subscription.revoke).start()
    assert found == [0, 1, 2]
    assert str(subscription.state) == "revoked"
    with pytest.raises(SubscriptionEnded, match="revoked"):
        subscription.next()


def test_closing_the_client_in_another_thread_ends_it(rc: RingCentral, installed: Install) -> None:
    subscription = installed().subscribe([MESSAGES])
    threading.Timer(0.02, rc.close).start()
    assert numbers(subscription) == []


def test_a_time_out_per_notification(server: Gateway, installed: Install) -> None:
    subscription = installed().subscribe([MESSAGES])
    with pytest.raises(RequestTimeout, match=r"no notification within 0\.01 seconds"):
        subscription.next(timeout=0.01)
    server.notify(MESSAGES, {"number": 1})
    assert subscription.next(timeout=5).body == {"number": 1}
    assert (subscription.delivered, subscription.dropped, subscription.pending) == (1, 0, 0)
    with pytest.raises(ConfigurationError, match="timeout"):
        subscription.next(timeout=-1)


def test_one_consumer(installed: Install) -> None:
    ws_ext = installed()
    subscription = ws_ext.subscribe([MESSAGES])
    waiting = threading.Thread(target=numbers, args=(subscription,))
    waiting.start()
    until(lambda: subscription._inner._queue._waiter is not None)
    with pytest.raises(ConfigurationError, match="one consumer"):
        subscription.next(timeout=1)
    replaced = ws_ext.subscribe([MESSAGES], print)
    waiting.join(10)
    assert str(subscription.state) == "replaced"
    with pytest.raises(ConfigurationError, match="has a callback"):
        iter(replaced)


def test_what_it_is_and_does(installed: Install) -> None:
    ws_ext = installed()
    subscription = ws_ext.subscribe([MESSAGES])
    assert ws_ext.subscription is subscription
    assert subscription.event_filters == (MESSAGES,)
    assert subscription.error is None
    subscription.refresh()
    subscription.update([MESSAGES, "/restapi/v1.0/account/~/extension/~/presence"])
    assert subscription.info is not None
    assert len(subscription.info.event_filters) == 2
    assert ws_ext.subscribe([MESSAGES], subscription_info=subscription) is not subscription
    assert repr(subscription).startswith("<blocking Subscription ")
