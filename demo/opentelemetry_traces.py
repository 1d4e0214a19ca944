"""Traces for OpenTelemetry: a span for each step, from the trace hook.

    python demo/opentelemetry_traces.py     needs `pip install opentelemetry-sdk`

It lives a short life and prints its spans; a service would export them.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import anyio
from shared import EXTENSION, MESSAGES, Account, Heard, find_account

try:
    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
    from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor
    from opentelemetry.trace import Status, StatusCode, Tracer
except ModuleNotFoundError:
    sys.exit("needs another package: .venv/bin/python -m pip install opentelemetry-sdk")

from rcex_ws import Events, Phase, TraceEvent, WebSocketExtension


def spans_of(tracer: Tracer) -> Callable[[TraceEvent], None]:
    """Make the trace hook: a step becomes a span when it has ended, as only then it is told how long it took."""

    def hook(event: TraceEvent) -> None:
        if event.seconds is None:
            return
        end = time.time_ns()
        attributes = {"rcex_ws.name": event.source, "rcex_ws.detail": event.detail}
        start = end - int(event.seconds * 1e9)
        span = tracer.start_span(f"rcex_ws.{event.step}", start_time=start, attributes=attributes)
        if event.error is not None:
            span.record_exception(event.error)
        if event.phase is Phase.FAILED:
            span.set_status(Status(StatusCode.ERROR, str(event.error or event.detail)))
        span.end(end)

    return hook


def in_one_line(span: ReadableSpan) -> str:
    """Show a span."""
    seconds = ((span.end_time or 0) - (span.start_time or 0)) / 1e9
    detail = (span.attributes or {}).get("rcex_ws.detail", "")
    return f"{span.name:20} {span.status.status_code.name:5} {seconds:7.3f} s  {detail}\n"


async def live(account: Account) -> int:
    """Connect, call, lose the connection, recover."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(formatter=in_one_line)))
    hook = spans_of(provider.get_tracer("rcex_ws"))
    ws_ext = WebSocketExtension(name="bot", rest_over_websocket=True, trace=hook)
    heard = Heard(ws_ext)
    async with account.client() as rc:
        await rc.authorize(jwt=account.jwt)
        await rc.install_extension(ws_ext)
        await ws_ext.subscribe([MESSAGES], heard.on_notification)
        await rc.get(EXTENSION)
        if account.gateway is not None:
            account.gateway.refuse("upgrade", 503)
        if ws_ext.ws is not None:
            ws_ext.ws.abort()
        await heard.event(Events.CONNECTION_READY, after=1)
    provider.shutdown()
    return 0


if __name__ == "__main__":
    with find_account() as found:
        sys.exit(anyio.run(live, found))
