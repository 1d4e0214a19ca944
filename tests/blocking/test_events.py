from __future__ import annotations

import queue
import threading

import pytest

from rcex_ws import ConfigurationError, RestEvents
from rcex_ws.blocking import EventsExtension, RingCentral

INFO = "/restapi/v1.0/account/~/extension/~"


def test_events_of_calls_come_in_a_thread(rc: RingCentral) -> None:
    got: queue.Queue[object] = queue.Queue()
    events = EventsExtension(enabled_events=[RestEvents.REQUEST_SUCCESS])
    rc.install_extension(events)
    events.on("requestSuccess", lambda request, response: got.put((request.path, threading.current_thread().name)))
    events.enabled = False
    rc.get(INFO)
    events.enabled = True
    assert events.enabled
    rc.get(f"{INFO}/presence")
    path, thread = got.get(timeout=10)  # type: ignore[misc]
    assert path == f"{INFO}/presence"
    assert thread != "rcex_ws loop"


def test_wrong_arguments() -> None:
    with pytest.raises(ConfigurationError, match="enabled_events"):
        EventsExtension(enabled_events=["never"])
    with pytest.raises(ConfigurationError, match="event"):
        EventsExtension().on("never", print)
    with pytest.raises(ConfigurationError, match="handler"):
        EventsExtension().on("requestSuccess", None)  # type: ignore[call-overload]
