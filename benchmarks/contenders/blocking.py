"""`rcex_ws.blocking` as a contender, used as a synchronous program uses it; its orders are those of `ours`."""

from __future__ import annotations

import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks.common.worker import measured
from benchmarks.contenders.ours import FILTERS, INFO
from benchmarks.drain.answers import BURST
from rcex_ws import Notification
from rcex_ws.blocking import RingCentral, WebSocketExtension


class Blocking:
    """Take orders.

    Args:
        rc: logged in.
        ws_ext: installed in it.
    """

    def __init__(self, rc: RingCentral, ws_ext: WebSocketExtension) -> None:
        self.rc = rc
        self.ws_ext = ws_ext

    def rest(self, in_flight: int, seconds: float) -> dict[str, float]:
        """Send calls over the WebSocket, from so many threads."""

        def caller(_: int) -> int:
            count, end = 0, time.perf_counter() + seconds
            while True:  # at least once
                self.rc.get(INFO)
                count += 1
                if time.perf_counter() >= end:
                    return count

        with ThreadPoolExecutor(in_flight) as threads, measured() as sample:
            sample.count = sum(threads.map(caller, range(in_flight)))
        return sample()

    def https(self, in_flight: int, seconds: float) -> dict[str, float]:
        """Send the same calls by HTTP."""
        self.ws_ext.disable()
        try:
            return self.rest(in_flight, seconds)
        finally:
            self.ws_ext.enable()

    def notifications(self, kind: str, count: int, size: int, in_flight: int) -> dict[str, float]:
        """Take a burst, by a callback ("sync") or an iterator; no requests wait."""
        return (self._iterate if kind == "iterator" else self._call_back)(count, {"count": count, "size": size})

    def _iterate(self, count: int, burst: dict[str, int]) -> dict[str, float]:
        subscription = self.ws_ext.subscribe(FILTERS)
        with measured() as sample:
            self.rc.post(BURST, json=burst)
            for _ in subscription:
                sample.count += 1
                if sample.count == count:
                    break
        return sample()

    def _call_back(self, count: int, burst: dict[str, int]) -> dict[str, float]:
        done = threading.Event()

        def callback(_: Notification) -> None:
            sample.count += 1
            if sample.count == count:
                done.set()

        self.ws_ext.subscribe(FILTERS, callback)
        with measured() as sample:
            self.rc.post(BURST, json=burst)
            done.wait()
        return sample()


def main(server: str) -> None:
    """Log in, install, subscribe, do as ordered until stdin ends."""
    with RingCentral(server=server, client_id="benchmarks", client_secret="a secret", proxy=False) as rc:
        rc.authorize(jwt="a JWT")
        ws_ext = WebSocketExtension(rest_over_websocket=True, max_pending=1_000_000)
        rc.install_extension(ws_ext)
        contender = Blocking(rc, ws_ext)
        print(json.dumps({"ready": True}), flush=True)
        for line in sys.stdin:
            order: dict[str, Any] = json.loads(line)
            print(json.dumps(getattr(contender, order.pop("do"))(**order)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
