"""Metrics for Prometheus: what `stats` counts, and how long each step takes, from the trace hook.

    python demo/prometheus_metrics.py     needs `pip install prometheus-client`

It serves http://127.0.0.1:PORT/metrics, lives a short life, and prints what Prometheus would read.
"""

from __future__ import annotations

import sys
import urllib.request
from collections.abc import Iterable

import anyio
import anyio.to_thread
from shared import MESSAGES, Account, Heard, find_account, send_notes

try:
    from prometheus_client import CollectorRegistry, Histogram, start_http_server
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
    from prometheus_client.registry import Collector
except ModuleNotFoundError:
    sys.exit("needs another package: .venv/bin/python -m pip install prometheus-client")

from rcex_ws import Events, State, TraceEvent, WebSocketExtension


class StatsCollector(Collector):
    """Read `ws_ext.stats` when Prometheus asks, in whatever thread; nothing is counted twice.

    Args:
        ws_ext: the extension.
    """

    def __init__(self, ws_ext: WebSocketExtension) -> None:
        self._ws_ext = ws_ext

    def collect(self) -> Iterable[Metric]:
        """Give the metrics of this moment."""
        stats = self._ws_ext.stats
        name = [stats.name]
        up = GaugeMetricFamily("rcex_ws_ready", "Whether notifications flow.", labels=["name"])
        up.add_metric(name, stats.state is State.READY)
        yield up
        pending = GaugeMetricFamily("rcex_ws_pending", "Notifications that wait for a consumer.", labels=["name"])
        pending.add_metric(name, stats.pending)
        yield pending
        for key in ("attempts", "connections", "received", "delivered", "duplicates", "dropped"):
            counter = CounterMetricFamily(f"rcex_ws_{key}", f"`stats.{key}`.", labels=["name"])
            counter.add_metric(name, getattr(stats, key))
            yield counter
        for key, label in (("recoveries", "outcome"), ("gaps", "kind"), ("calls", "way")):
            counter = CounterMetricFamily(f"rcex_ws_{key}", f"`stats.{key}`.", labels=["name", label])
            for value, count in getattr(stats, key).items():
                counter.add_metric([*name, value], count)
            yield counter


def watch_steps(registry: CollectorRegistry) -> Histogram:
    """Make the histogram that `observe` fills."""
    labels = ["name", "step", "phase"]
    return Histogram("rcex_ws_step_seconds", "How long each step took.", labels, registry=registry)


def observe(seconds: Histogram, event: TraceEvent) -> None:
    """Be the trace hook; details and errors have too many values for labels."""
    if event.seconds is not None:
        seconds.labels(event.source, event.step, event.phase).observe(event.seconds)


async def live(account: Account) -> int:
    """Connect, lose the connection, recover, and read the metrics."""
    registry = CollectorRegistry()
    seconds = watch_steps(registry)
    ws_ext = WebSocketExtension(name="bot", trace=lambda event: observe(seconds, event))
    registry.register(StatsCollector(ws_ext))
    server, thread = start_http_server(0, "127.0.0.1", registry)
    heard = Heard(ws_ext)
    try:
        async with account.client() as rc:
            await rc.authorize(jwt=account.jwt)
            await rc.install_extension(ws_ext)
            await ws_ext.subscribe([MESSAGES], heard.on_notification)
            await heard.message((await send_notes(rc, ["hello"]))[0].id)
            if ws_ext.ws is not None:
                ws_ext.ws.abort()
            await heard.event(Events.AUTO_RECOVER_SUCCESS)
            await heard.event(Events.CONNECTION_READY, after=1)
            print(await anyio.to_thread.run_sync(read, f"http://127.0.0.1:{server.server_port}/metrics"))
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    return 0


def read(url: str) -> str:
    """Read a page, as Prometheus does."""
    with urllib.request.urlopen(url) as response:
        return str(response.read(), "utf-8")


if __name__ == "__main__":
    with find_account() as found:
        sys.exit(anyio.run(live, found))
