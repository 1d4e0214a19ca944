"""A sweep for secrets: every log line at DEBUG, every error, every live object and every frame of this library.

It looks from outside: at whatever Python can reach. What it cannot cover: the frames and objects of other libraries
(httpx, h11 and websockets hold the bearer while they send it), and what an application prints of a token itself.
"""

from __future__ import annotations

import gc
import inspect
import logging
import traceback
import types
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from rich.console import Console
from rich.pretty import pretty_repr
from rich.traceback import Traceback

import rcex_ws
from rcex_ws import (
    Extension,
    FileSessionStore,
    FileTokenStore,
    RcexError,
    Response,
    RingCentral,
    Token,
    WebSocketExtension,
    Wsc,
)
from rcex_ws.rest import Request
from rcex_ws.secret import Secret
from rcex_ws.slack import RTMClient
from tests.found.peer import MESSAGES, Peer
from tests.found.test_answers import GET, OAUTH, WSTOKEN, answer, http

#: Every credential that travels in the life below has this in it.
MARK = "SECRET"
#: So do what the application passes to a call, which it sees itself in the frames that take its arguments.
THEIRS = "CONFIDENTIAL"
PACKAGE = rcex_ws.__path__[0]


class Raising(Extension):
    """Fail in the middle of every call, so that tracebacks pass through the frames that hold a token."""

    enabled = True

    async def handle(self, request: Any, call_next: Any) -> Any:
        response = await call_next(request)
        if request.path == "/raise":
            raise RuntimeError("in a middleware")
        return response


class Evidence:
    """What was shown somewhere, with where."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self.looked_at = 0

    def look(self, where: str, show: Callable[[], object], *marks: str) -> None:
        self.looked_at += 1
        with suppress(Exception):  # what cannot be shown, shows nothing
            text = str(show())
            for mark in marks or (MARK, THEIRS):
                if mark in text:
                    at = text.index(mark)
                    self.found.append(f"{where}: ...{text[max(0, at - 60) : at + 20]}...")

    def look_at_error(self, exc: BaseException) -> None:
        name = type(exc).__name__
        for show in (str, repr, lambda exc: exc.args, vars):
            self.look(name, lambda show=show: show(exc))
        self.look(f"traceback of {name}", lambda: "".join(_our_frames(exc)), MARK)
        console = Console(width=400, file=None, record=True, quiet=True)
        rich = Traceback.from_exception(
            type(exc), exc, exc.__traceback__, show_locals=True, locals_max_string=None, suppress=_foreign(exc)
        )
        console.print(rich)
        self.look(f"rich traceback of {name}", lambda: console.export_text(), MARK)

    def look_at_all_objects(self) -> None:
        for one in gc.get_objects():
            kind = type(one)
            if isinstance(one, types.CoroutineType) and one.cr_frame is not None:
                if one.cr_code.co_filename.startswith(PACKAGE):
                    self.look(f"locals of {one.__qualname__}", lambda one=one: repr(one.cr_frame.f_locals), MARK)
            elif str(kind.__module__).startswith("rcex_ws") and ".testing" not in kind.__module__:
                where = f"{kind.__module__}.{kind.__qualname__}"
                self.look(f"repr of {where}", lambda one=one: repr(one))
                self.look(f"rich repr of {where}", lambda one=one: pretty_repr(one))
                self.look(f"vars of {where}", lambda one=one: repr(vars(one)))
                # A call and an answer are the application's own: what it put in, and what it asked for.
                for slot in () if isinstance(one, (msgspec.Struct, Request, Response)) else _slots(kind):
                    self.look(f"{slot} of {where}", lambda one=one, slot=slot: repr(getattr(one, slot)))


def _slots(kind: type) -> Iterator[str]:
    for base in kind.__mro__:
        slots = base.__dict__.get("__slots__", ())
        yield from (slots,) if isinstance(slots, str) else slots


def _our_frames(exc: BaseException) -> Iterator[str]:
    """Show the local variables of the frames of this library, of the whole chain of an error."""
    seen: set[int] = set()
    chain: list[BaseException | None] = [exc]
    while chain:
        one = chain.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        chain += [one.__cause__, None if one.__suppress_context__ else one.__context__]
        for frame, _ in traceback.walk_tb(one.__traceback__):
            if frame.f_code.co_filename.startswith(PACKAGE):
                yield repr(frame.f_locals)


def _foreign(exc: BaseException) -> list[str]:
    files = {frame.f_code.co_filename for frame, _ in traceback.walk_tb(exc.__traceback__)}
    return [file for file in files if not file.startswith(PACKAGE)]


def use(peer: Peer, number: int) -> None:
    """Let the next answers bear secrets of their own."""
    peer.scripted[OAUTH] = [
        answer(access_token=f"{MARK}-access-{number}", refresh_token=f"{MARK}-refresh-{number}", owner_id="7")
        for _ in range(3)
    ]
    peer.scripted[WSTOKEN] = [
        answer(ws_access_token=f"{MARK}-ws-{number}", uri=f"{peer.ws_uri}?ticket={MARK}", expires_in=60)
    ]


async def test_t9_nothing_shows_a_secret(peer, told, tmp_path, caplog, monkeypatch):
    caplog.set_level(logging.DEBUG)
    peer.wsc_prefix = MARK
    evidence = Evidence()
    errors: list[BaseException] = []

    async def fails(call: Callable[[], Any]) -> None:
        try:
            result = call()
            if inspect.isawaitable(result):
                await result
        except Exception as exc:  # noqa: BLE001 - all are looked at
            errors.append(exc)
        else:
            pytest.fail("it was to fail")

    rc = RingCentral(
        server=peer.server,
        client_id="id",
        client_secret=f"{MARK}-client",
        token_store=FileTokenStore(tmp_path / "token"),
        proxy=False,
    )
    async with rc:
        # Logins that fail, each in its own way
        grants: list[dict[str, str]] = [
            {"jwt": f"{MARK}-jwt"},
            {"code": f"{MARK}-code", "redirect_uri": "http://x", "code_verifier": f"{MARK}-verifier"},
            {"username": "u", "password": f"{MARK}-password"},
        ]
        for grant in grants:
            for raw in (http(400, b'{"error":"invalid_grant"}'), http(503), http(200, b"<html>"), None):
                peer.scripted[OAUTH] = [raw, raw]
                await fails(lambda grant=grant: rc.authorize(**grant))
        use(peer, 1)
        await rc.authorize(jwt=f"{MARK}-jwt")
        await rc.install_extension(Raising())
        ext = WebSocketExtension(
            rest_over_websocket=True,
            session_store=FileSessionStore(tmp_path / "session"),
            reconnect_delays=lambda _: 0.02,
            debug_mode=False,
        )
        told.listen(ext)
        await rc.install_extension(ext)
        await ext.subscribe([MESSAGES], told.on_notification)
        evidence.look_at_all_objects()

        # Calls that fail, by both ways
        secret = {"headers": {"Authorization": f"Bearer {THEIRS}"}, "params": {"access_token": THEIRS}}
        for raw in (http(400, b"{}"), http(500), None):
            peer.scripted["/fail"] = [raw, raw]
            await fails(lambda: rc.get("/fail", data={"password": THEIRS}, **secret))
        await fails(lambda: rc.get("/raise", **secret))
        await fails(lambda: rc.get(f"/a b?access_token={THEIRS}"))
        await fails(lambda: rc.get(GET, headers={"Authorization": f"Bearer {THEIRS}\n"}))
        await fails(lambda: rc.get(GET, params={"access_token": object(), "b": THEIRS}))
        await fails(lambda: rc.post(GET, json={"password": THEIRS, "x": object()}))

        # Attempts to connect that fail
        for raw in (http(401, b"{}"), http(503), answer(ws_access_token=f"{MARK}-x", uri=f"http://{MARK}/"), None):
            before = len(told.of("connectionReady"))
            peer.scripted[WSTOKEN] = [raw] * 2
            await told.until(lambda: ext.ws is not None)
            ext.ws.abort()
            await told.wait("connectionReady", before + 1)
        for raw in (http(400), b"nonsense\r\n\r\n", b"HTTP/1.1 101 OK\r\n\r\n", None):
            before = len(told.of("connectionReady"))
            peer.scripted["/ws"] = [raw]
            ext.ws.abort()
            await told.wait("connectionReady", before + 1)
        use(peer, 2)
        await rc.refresh()
        peer.scripted[OAUTH] = [http(400, b'{"error":"invalid_grant"}')] * 4
        await fails(rc.refresh)
        evidence.look_at_all_objects()
        errors += told.of("autoRecoverError") + told.of("error")

    # Constructors that refuse something else
    await fails(lambda: RingCentral(client_id="id", client_secret=f"{MARK}-1", server="nonsense"))
    await fails(lambda: RingCentral(client_id="id", client_secret=f"{MARK}\nx"))
    await fails(lambda: RTMClient(f"{MARK}-1", api_url="nonsense"))
    await fails(lambda: RTMClient(f"{MARK}\nx"))
    await fails(lambda: WebSocketExtension(wsc_token=f"{MARK}", close_timeout=-1))
    await fails(lambda: RingCentral(proxy=f"http://u:{MARK}@h:99999"))
    await fails(lambda: Token(access_token=f"{MARK}\nx"))
    await fails(lambda: Token.from_dict({"access_token": MARK, "expires_at": "x"}))
    await fails(lambda: RingCentral(token={"access_token": f"{MARK}\nx"}))

    for exc in errors:
        evidence.look_at_error(exc)
    for record in caplog.records:
        # docs/logging.md says how to silence the first two; the last is the server's.
        if not record.name.startswith(("httpx", "httpcore", "websockets.server")):
            evidence.look(f"log of {record.name}", record.getMessage)
            if record.exc_info and record.exc_info[1] is not None:
                evidence.look_at_error(record.exc_info[1])
    assert len(errors) > 30
    assert evidence.looked_at > 1000
    assert "\n".join(sorted(set(evidence.found))) == ""


def test_t9_what_serialises_gives_the_true_value():
    token = Token(access_token=MARK, refresh_token=MARK)
    wsc = Wsc(MARK, 3)
    for one in (token, wsc):
        assert MARK not in repr(one) + pretty_repr(one)
        assert msgspec.convert(msgspec.to_builtins(one), type(one)) == one
        assert msgspec.json.decode(msgspec.json.encode(one), type=type(one)) == one
        assert MARK in str(msgspec.to_builtins(one))
    assert token.access_token == f"{token.access_token}" == MARK


def test_t9_a_secret_text_is_a_text():
    secret = Secret(MARK)
    assert secret == MARK
    assert f"{secret}" == str(secret) == MARK
    assert f"Bearer {secret}".encode() == b"Bearer SECRET"
    assert repr(secret) == repr(secret[:4]) == pretty_repr(secret) == "'***'"
    assert pretty_repr({"a": [secret]}, max_string=3).count(MARK[:3]) == 0
    assert hash(secret) == hash(MARK)


def test_t9_no_request_or_error_shows_one():
    request = Request("GET", f"/x?access_token={MARK}", headers={"Authorization": MARK}, json={"p": MARK})
    assert MARK not in repr(request) + str(request) + pretty_repr(request)
    assert issubclass(RcexError, Exception)


async def test_t9_what_was_hidden_on_its_way_can_be_stored_and_sent(peer, tmp_path):
    """A text that a repr hides is a str of its own kind, which msgspec does not encode: it must not get that far."""
    rc = RingCentral(
        server=peer.server, client_id=f"{MARK}-id", client_secret=MARK, token_store=FileTokenStore(tmp_path / "token")
    )
    async with rc:
        await rc.authorize(username=MARK, password=MARK)
        store = FileSessionStore(tmp_path / "session")
        await rc.install_extension(ext := WebSocketExtension(session_store=store, wsc_token=MARK))
        await ext.subscribe([MESSAGES])
        assert (await rc.post(GET, json={"id": rc.client_id, "secret": Secret(MARK)})).is_success
        for one in (rc.client_id, rc.server, rc.token.access_token, rc.token.client_id, rc.token.login, ext.wsc.token):
            assert type(one) is str
    for name in ("token", "session"):
        assert f"{MARK}-id" in (tmp_path / name).read_text()
    assert msgspec.json.encode(Wsc(Secret(MARK))) == b'{"token":"SECRET","sequence":0}'
