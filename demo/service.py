"""A service that runs for months: the template for yours; docs/service.md explains it.

    RINGCENTRAL_SERVER_URL=... RINGCENTRAL_CLIENT_ID=... RINGCENTRAL_CLIENT_SECRET=... \
    RINGCENTRAL_JWT_FILE=/run/secrets/jwt STATE_DIR=/var/lib/bot HEALTH_PORT=8090 python demo/service.py

It prints each notification as a line of JSON. SIGTERM and Ctrl-C end it in order, SIGHUP has it read the JWT again.
Exit codes: 0 it was told to end; 75 trying again can help: start it again; 78 it cannot help: somebody has to act;
1 a bug.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path

import anyio
from anyio.abc import Listener, SocketAttribute, SocketStream, TaskGroup
from msgspec import to_builtins

from rcex_ws import (
    ConfigurationError,
    Events,
    FileSessionStore,
    FileTokenStore,
    Gap,
    Notification,
    RcexError,
    RingCentral,
    State,
    SubscriptionState,
    WebSocketExtension,
)

FILTERS = ["/restapi/v1.0/account/~/extension/~/message-store"]

ENDED, TRY_AGAIN, SOMEBODY_HAS_TO_ACT = 0, 75, 78  # the last two as in sysexits.h

#: Seconds that a second replica waits for the first to leave the session file: a year.
STANDBY = 365 * 86_400

log = logging.getLogger("service")


async def handle(rc: RingCentral, notification: Notification) -> None:
    """Do the work. Duplicates are dropped already; after a crash something may come once more."""
    print(json.dumps({"uuid": notification.uuid, "body": notification.body}), flush=True)


async def read_again(rc: RingCentral, gap: Gap) -> None:
    """Read by REST what may be missing, or may have come; newer notifications wait for this, `gap_timeout` at most."""
    period = {"dateTo": gap.until.isoformat()}
    if gap.since is not None:
        period["dateFrom"] = gap.since.isoformat()
    async for message in rc.restapi().account().extension().message_store().list_all(params=period):
        log.info("found again: %s %s", message["type"], message["id"])


async def serve(rc: RingCentral, ws_ext: WebSocketExtension, tasks: TaskGroup) -> None:
    """Work until the client is closed; raise what makes it useless to go on."""
    await log_in(rc)
    # Work of your own beside the notifications starts here, logged in: tasks.start_soon(...). What it raises ends all.
    await rc.install_extension(ws_ext)  # here a second replica waits for the session file
    subscription = await ws_ext.subscribe(FILTERS, partial(handle, rc))

    @ws_ext.on(Events.ERROR)
    async def on_error(error: Exception) -> None:
        log.error("%s: %s", type(error).__name__, error)
        if subscription.state is SubscriptionState.FAILED:  # the connection would stay, with nothing to come
            await ws_ext.detach()

    await ws_ext.wait_closed()
    if subscription.error is not None:
        raise subscription.error


async def log_in(rc: RingCentral) -> None:
    """Continue the stored login or make one, for as long as trying again can help."""
    while True:
        try:
            await rc.authorize(jwt=read_jwt())
        except RcexError as error:
            if not error.retryable:
                raise
            log.warning("not logged in yet: %s", error)
            await anyio.sleep(error.retry_after or 10)
        else:
            return


def read_jwt() -> str:
    """Read the credential, which may be replaced while the service runs."""
    try:
        return Path(setting("RINGCENTRAL_JWT_FILE")).read_text().strip()
    except OSError as error:
        raise ConfigurationError(f"RINGCENTRAL_JWT_FILE: {error.strerror}") from error


async def obey_signals(rc: RingCentral, everything: anyio.CancelScope) -> None:
    """End in order by SIGTERM and Ctrl-C; read the JWT again by SIGHUP."""
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        async for number in signals:
            log.info("got %s", number.name)
            if number is not signal.SIGHUP:
                everything.cancel()
                continue
            try:  # the login goes on; when it ends, the new JWT makes the next
                await rc.authorize(jwt=read_jwt())
            except RcexError as error:
                log.error("the JWT was not taken over: %s", error)  # noqa: TRY400 - no bug
            else:
                log.info("the JWT is taken over: the next login is made with it")


async def open_health_port() -> Listener[SocketStream]:
    """Listen where the health is asked for."""
    text = os.environ.get("HEALTH_PORT", "8090")
    try:
        listener = await anyio.create_tcp_listener(local_host="0.0.0.0", local_port=int(text))  # "::" for IPv6
    except (ValueError, OverflowError, OSError) as error:  # no number, none of a port, or one that is taken
        raise ConfigurationError(f"HEALTH_PORT={text}: {error}") from error
    log.info("tells its health on port %d", listener.extra(SocketAttribute.local_port))
    return listener


async def tell_health(ws_ext: WebSocketExtension, stream: SocketStream) -> None:
    """Answer /live, which is fine while it may still come right, and /ready, while notifications flow."""
    async with stream:
        with anyio.move_on_after(5), suppress(anyio.EndOfStream, anyio.BrokenResourceError):
            path = b"".join((await stream.receive()).split(b" ", 2)[1:2])
            stats = ws_ext.stats
            fine = {b"/live": stats.state is not State.FAILED, b"/ready": stats.state is State.READY}.get(path)
            status = {True: "200 OK", False: "503 Service Unavailable", None: "404 Not Found"}[fine]
            body = json.dumps(to_builtins(stats)).encode()
            head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            await stream.send(head.encode() + b"Connection: close\r\n\r\n" + body)


async def service() -> None:
    """Run it; raise what ends it."""
    state = Path(os.environ.get("STATE_DIR", "state"))
    rc = RingCentral(
        server=setting("RINGCENTRAL_SERVER_URL"),
        client_id=setting("RINGCENTRAL_CLIENT_ID"),
        client_secret=setting("RINGCENTRAL_CLIENT_SECRET"),
        token_store=FileTokenStore(state / "token.json"),
    )
    ws_ext = WebSocketExtension(
        name="service",
        session_store=FileSessionStore(state / "session.json", wait=STANDBY),
        start_in_background=True,
        on_gap=partial(read_again, rc),
    )
    async with rc, await open_health_port() as listener, anyio.create_task_group() as tasks:
        tasks.start_soon(obey_signals, rc, tasks.cancel_scope)
        tasks.start_soon(listener.serve, partial(tell_health, ws_ext))
        await serve(rc, ws_ext, tasks)
        tasks.cancel_scope.cancel()


def setting(name: str) -> str:
    """Read a setting that must be there."""
    try:
        return os.environ[name]
    except KeyError:
        raise ConfigurationError(f"{name}: not set") from None


def main() -> int:
    """Log to stderr, run the service, and give the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for name in ("httpx", "httpcore"):  # they show addresses and headers, with what stands in them
        logging.getLogger(name).setLevel(logging.WARNING)
    code = ENDED
    try:
        anyio.run(service)
    except* RcexError as failed:  # of one task or another
        for error in failed.exceptions:
            log.critical("ended by %s: %s", type(error).__name__, error)
        can_help = all(isinstance(error, RcexError) and error.retryable for error in failed.exceptions)
        code = TRY_AGAIN if can_help else SOMEBODY_HAS_TO_ACT
    return code


if __name__ == "__main__":
    sys.exit(main())
