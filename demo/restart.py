"""Kill a process in the middle of its work; the next one gets what happened meanwhile.

    python demo/restart.py             a FileSessionStore keeps the session
    python demo/restart.py --manual    the program saves recovery token and subscription itself
    python demo/restart.py --folder F  keep the files there, instead of in a temporary folder

The parent starts itself again as a child, which subscribes and prints what it gets. It kills the child by SIGKILL,
sends messages, and starts another child within the recovery window. The exit code is 1 if anything did not hold.
"""

from __future__ import annotations

import argparse
import json
import logging
import signal
import sys
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import anyio
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream
from shared import MESSAGES, UNTIL_SEEN, Account, Report, find_account, limit, new_message_ids, send_notes

from rcex_ws import (
    Events,
    FileSessionStore,
    FileTokenStore,
    Gap,
    Notification,
    RcexError,
    RingCentral,
    WebSocketExtension,
    Wsc,
)

BEFORE, MEANWHILE, AFTER = 4, 10, 2


async def child(account: Account, folder: Path, *, manual: bool) -> int:
    """Subscribe and print every message, until SIGTERM comes; begin where the process before was killed."""
    # Only the same OAuth session may recover a WebSocket session, so its token is kept too.
    async with account.client(token_store=FileTokenStore(folder / "token.json")) as rc:
        await rc.authorize(jwt=account.jwt)
        await (subscribe_by_hand if manual else subscribe)(rc, folder)
        tell("ready", "")
        with anyio.open_signal_receiver(signal.SIGTERM) as signals:
            async for _ in signals:
                break
    return 0


async def subscribe(rc: RingCentral, folder: Path) -> None:
    """Let the library keep the session."""
    ws_ext = WebSocketExtension(session_store=FileSessionStore(folder / "session.json"))
    report_to_parent(ws_ext)
    await rc.install_extension(ws_ext)
    await ws_ext.subscribe([MESSAGES], on_notification)


async def subscribe_by_hand(rc: RingCentral, folder: Path) -> None:
    """Keep the recovery token and the subscription ourselves, wherever we like; here in two files."""
    token_file, subscription_file = anyio.Path(folder / "wsc"), anyio.Path(folder / "subscription.json")
    wsc_token = await token_file.read_text() if await token_file.exists() else None
    info = json.loads(await subscription_file.read_text()) if await subscription_file.exists() else None

    ws_ext = WebSocketExtension(wsc_token=wsc_token)
    report_to_parent(ws_ext)

    @ws_ext.on(Events.NEW_WSC)
    async def save_token(wsc: Wsc) -> None:
        new = token_file.with_suffix(".new")
        await new.touch(mode=0o600)  # only the owner may read the token
        await new.write_text(wsc.token)
        await new.replace(token_file)  # at any moment the file holds the old token or the new one

    await rc.install_extension(ws_ext)
    subscription = await ws_ext.subscribe([MESSAGES], on_notification, subscription_info=info)
    if subscription.info is not None:
        await subscription_file.write_text(json.dumps(subscription.info.to_dict()))


def on_notification(notification: Notification) -> None:
    """Print the messages that a notification tells of."""
    for number in new_message_ids(notification):
        tell("message", str(number))


def report_to_parent(ws_ext: WebSocketExtension) -> None:
    """Print how the session fared."""

    def on_gap(gap: Gap) -> None:
        tell("gap", f"{'certain' if gap.certain else 'possible'} gap: {gap.reason}")

    ws_ext.on(Events.AUTO_RECOVER_SUCCESS, lambda ws: tell("session", "recovered"))
    ws_ext.on(Events.AUTO_RECOVER_FAILED, lambda ws: tell("session", "not recovered"))
    ws_ext.on(Events.NOTIFICATION_GAP, on_gap)


def tell(what: str, value: str) -> None:
    """Print a line that the parent reads."""
    print(what, value, flush=True)


class BackgroundTask:
    """Be the parent's view of a child.

    Attributes:
        process: the process.
        messages: the ids it printed, in order.
    """

    def __init__(self, process: Process, report: Report) -> None:
        if process.stdout is None:
            raise AssertionError("a child is started with a pipe")
        self.process = process
        self.messages: list[int] = []
        self._lines = BufferedByteReceiveStream(process.stdout)
        self._report = report

    async def read_until(self, wanted: str, count: int = 1) -> None:
        """Read what it prints, until `count` lines of a kind have come.

        Raises:
            TimeoutError: they did not come.
            anyio.IncompleteRead: it ended before.
        """
        with limit(20, f"child {self.process.pid} did not print {wanted!r}"):
            while count:
                line = (await self._lines.receive_until(b"\n", 65536)).decode()
                what, _, value = line.partition(" ")
                if what == "message":
                    self.messages.append(int(value))
                else:
                    self._report.say(f"child {self.process.pid}: {what} {value}".rstrip())
                count -= what == wanted


@asynccontextmanager
async def start_child(
    account: Account, folder: Path, report: Report, *, manual: bool
) -> AsyncGenerator[BackgroundTask]:
    """Start a child; kill it at the end, if it still runs."""
    command = [sys.executable, __file__, "--child", "--folder", str(folder), *(["--manual"] if manual else [])]
    process = await anyio.open_process(command, env=account.environment(), stderr=None)
    try:
        report.say(f"child {process.pid} started")
        yield BackgroundTask(process, report)
    finally:
        if process.returncode is None:
            process.kill()
        await process.aclose()


async def parent(account: Account, folder: Path, *, manual: bool) -> int:
    """Run a child, kill it, run another one, and compare what was sent with what they got."""
    report = Report(account)

    async def send(rc: RingCentral, count: int) -> list[int]:
        sent: list[int] = []
        for number in range(1, count + 1):
            sent += [note.id for note in await send_notes(rc, [f"note {number}"])]
        report.say(f"{count} messages sent")
        return sent

    try:
        async with account.client() as rc:
            await rc.authorize(jwt=account.jwt)
            async with start_child(account, folder, report, manual=manual) as first:
                await first.read_until("ready")
                sent = await send(rc, BEFORE)
                await first.read_until("message", BEFORE)
                first.process.kill()
                await first.process.wait()
                report.say(f"child {first.process.pid} killed by SIGKILL")
                await anyio.sleep(UNTIL_SEEN)
            meanwhile = await send(rc, MEANWHILE)
            async with start_child(account, folder, report, manual=manual) as second:
                await second.read_until("ready")
                after = await send(rc, AFTER)
                # Delivery is in order: when the last one has come, everything before it has.
                while after[-1] not in second.messages:
                    await second.read_until("message")
                second.process.terminate()
                with limit(10, "the second child did not end"):
                    await second.process.wait()
            report.check(first.messages == sent, f"the first child got {len(first.messages)} of {BEFORE}")
            got = len(set(second.messages) & set(meanwhile))
            in_order = second.messages == meanwhile + after
            report.check(in_order, f"the second child got {got} of {MEANWHILE} sent meanwhile, each once and in order")
            report.check(second.process.returncode == 0, "the second child ended in good order")
    except (RcexError, TimeoutError, anyio.IncompleteRead) as error:
        report.broken_off(error)
    return report.end("Nothing was lost between two processes.")


def main() -> int:
    """Read the command line and run the parent or the child."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--manual", action="store_true", help="save the session by hand instead of by a store")
    parser.add_argument("--folder", type=Path, help="where the files are kept (default: a temporary folder)")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    with find_account() as account, tempfile.TemporaryDirectory() as temporary:
        role = child if options.child else parent
        return anyio.run(partial(role, account, options.folder or Path(temporary), manual=options.manual))


if __name__ == "__main__":
    sys.exit(main())
