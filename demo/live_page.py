"""A page that shows events as they come: FastAPI, with the events pushed to every open browser (SSE).

    python demo/live_page.py

The lifespan of the application installs the extension and closes it; one subscription serves all browsers.
"""

import os
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
from shared import MESSAGES, Account, run

try:
    import uvicorn
    from fastapi import FastAPI
    from fastapi.responses import HTMLResponse
    from fastapi.sse import EventSourceResponse, ServerSentEvent
except ModuleNotFoundError:
    sys.exit("needs other packages: .venv/bin/python -m pip install fastapi uvicorn")

from rcex_ws import FileSessionStore, FileTokenStore, Notification, WebSocketExtension

PAGE = """<!doctype html><title>Events</title><h1>Events</h1><ul id=list></ul><script>
new EventSource("/events").onmessage = ({data}) => {
    const item = document.createElement("li"); item.textContent = data; list.prepend(item) }
</script>"""


def make_app(account: Account) -> FastAPI:
    """Make the application."""
    app = FastAPI(lifespan=lambda app: lifespan())
    rc = account.client(token_store=FileTokenStore("live_page/token.json"))
    ws_ext = WebSocketExtension(session_store=FileSessionStore("live_page/session.json"), on_gap=print)
    browsers = app.state.browsers = set()

    def on_event(notification: Notification) -> None:
        for browser in list(browsers):
            try:
                browser.send_nowait(notification.body)
            except anyio.WouldBlock:  # it is too slow: it is dropped, and its EventSource comes back
                browser.close()

    @asynccontextmanager
    async def lifespan() -> AsyncGenerator[None]:
        async with rc:
            await rc.authorize(jwt=account.jwt)
            await rc.install_extension(ws_ext)
            await ws_ext.subscribe([MESSAGES], on_event)
            yield

    @app.get("/", response_class=HTMLResponse)
    async def page() -> str:
        return PAGE

    @app.get("/events", response_class=EventSourceResponse)
    async def events() -> AsyncIterator[ServerSentEvent]:
        send, receive = anyio.create_memory_object_stream(100)
        browsers.add(send)
        try:
            async with send, receive:
                async for body in receive:
                    yield ServerSentEvent(data=body)
        finally:
            browsers.discard(send)

    return app


class Server(uvicorn.Server):
    """Ends the streams of the browsers first: they never end by themselves, and uvicorn waits for them."""

    async def shutdown(self, sockets: Any = None) -> None:
        """End in order; the lifespan follows."""
        for browser in list(self.config.app.state.browsers):
            browser.close()
        await super().shutdown(sockets)


async def main(account: Account) -> None:
    """Serve until Ctrl-C or SIGTERM."""
    port = int(os.environ.get("PORT", "8000"))
    await Server(uvicorn.Config(make_app(account), port=port)).serve()


if __name__ == "__main__":
    run(main, "receive_sms")
