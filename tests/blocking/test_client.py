from __future__ import annotations

import gc
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import rcex_ws
from rcex_ws import ConfigurationError, LoginRefused, NotConnected, RcexError, RestError, RetryExtension, Token
from rcex_ws.blocking import PathBuilder, RingCentral, WebSocketExtension
from rcex_ws.errors import UnknownName
from rcex_ws.gateway import Gateway
from rcex_ws.rest import Request
from tests.blocking.conftest import MESSAGES, make_client, until

INFO = "/restapi/v1.0/account/~/extension/~"


def test_calls(rc: RingCentral) -> None:
    assert rc.token is not None
    response = rc.get(INFO)
    assert (response.status_code, response.via, rc.https_calls) == (200, "https", 1)
    assert rc.send(Request("GET", INFO, headers={})).json() == rc.restapi().account().extension().get()
    contact = rc.restapi().account().extension().address_book().contact
    made = contact.post(json={"firstName": "Ada"})
    assert contact(made["id"]).put(json={"firstName": "Eve"})["firstName"] == "Eve"
    assert contact(made["id"]).delete() is None
    assert rc.stats.last_day.calls == rc.stats.calls
    assert rc.stats.calls["https"] > 5
    assert rc.authorize_uri(redirect_uri="http://127.0.0.1/").startswith(rc.server)


def test_a_path_keeps_its_client(server: Gateway) -> None:
    def path() -> PathBuilder:
        rc = make_client(server)
        rc.authorize(jwt=server.jwt)
        return rc.restapi().account().extension()

    extension = path()
    gc.collect()
    assert extension.get()["extensionNumber"] == "101"
    with pytest.warns(ResourceWarning, match="was not closed"):
        del extension


def test_lists(rc: RingCentral) -> None:
    contacts = rc.restapi().account().extension().address_book().contact
    for number in range(5):
        contacts.post(json={"firstName": f"list {number}"})
    found = list(contacts.list_all(params={"perPage": 2}))
    assert len(found) >= 5
    assert [one for page in contacts.pages(params={"perPage": 2}) for one in page["records"]] == found
    assert [result.body["id"] for result in contacts.batch([found[0]["id"]])] == [found[0]["id"]]


def test_bodies_that_are_streamed(rc: RingCentral, tmp_path: Path) -> None:
    with rc.stream("GET", INFO) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("application/json")
        whole = b"".join(answer.iter_bytes())
    with rc.stream("GET", INFO) as answer:
        assert answer.read() == whole
    with rc.stream("GET", INFO) as answer:
        next(answer.iter_bytes())  # the rest is left
    seen: list[int] = []
    path = rc.download(INFO, to=tmp_path / "info.json", progress=lambda done, total: seen.append(done))
    assert path.read_bytes() == whole
    assert seen[-1] == len(whole)


def test_errors_are_those_of_the_async_client_and_point_to_the_line_of_the_caller(rc: RingCentral) -> None:
    with pytest.raises(RestError) as refused:
        rc.restapi().account().extension("404").get()  # this line
    assert refused.value.status_code == 404
    here = traceback.extract_tb(refused.value.__traceback__)[0]
    assert here.filename == __file__
    assert here.line is not None
    assert "# this line" in here.line
    with pytest.raises(ConfigurationError, match="path"):
        rc.get("nowhere")
    with pytest.raises(ConfigurationError, match=r"redirectUri.*redirect_uri"):
        rc.authorize(redirectUri="x")  # type: ignore[call-arg]
    with pytest.raises(UnknownName, match="install_extension"):
        rc.installExtension  # noqa: B018  # type: ignore[attr-defined]


def test_a_login_that_is_refused(server: Gateway) -> None:
    with make_client(server) as rc, pytest.raises(LoginRefused):
        rc.authorize(jwt="forged")


def test_threads_share_a_client(rc: RingCentral) -> None:
    """As the workers of Django do."""
    ready = threading.Barrier(8)

    def work(number: int) -> int:
        ready.wait()
        return [rc.get(INFO).status_code for _ in range(5)].count(200)

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(work, range(8))) == [5] * 8


def test_it_is_closed_once_by_whoever_comes(server: Gateway) -> None:
    rc = make_client(server)
    rc.authorize(jwt=server.jwt)
    rc.install_extension(WebSocketExtension())
    with ThreadPoolExecutor(4) as threads:
        assert [*threads.map(lambda _: rc.close(), range(4))] == [None] * 4
    rc.close()
    with pytest.raises(NotConnected):
        rc.get(INFO)


def test_an_async_extension_can_be_installed_and_a_blocking_one_only_once(rc: RingCentral) -> None:
    rc.install_extension(RetryExtension())
    ws_ext = WebSocketExtension()
    rc.install_extension(ws_ext)
    with pytest.raises(ConfigurationError, match="installed already"):
        rc.install_extension(ws_ext)
    with pytest.raises(ConfigurationError, match="extension"):
        rc.install_extension("no extension")  # type: ignore[arg-type]
    for unfit in (rcex_ws.WebSocketExtension(), rcex_ws.EventsExtension()):
        with pytest.raises(ConfigurationError, match=r"is async; use the one of rcex_ws\.blocking"):
            rc.install_extension(unfit)


def test_a_client_that_is_forgotten_is_told_and_closed(server: Gateway) -> None:
    rc = make_client(server)
    rc.authorize(jwt=server.jwt)
    inner = rc._inner
    forgotten = [rc]
    del rc
    with pytest.warns(ResourceWarning, match=r"blocking RingCentral .* was not closed"):
        forgotten.clear()
    with make_client(server) as other:  # what was begun before is over
        other.authorize(jwt=server.jwt)
        assert inner._lifecycle.closing


def test_a_session_that_was_kept(server: Gateway, rc: RingCentral) -> None:
    assert rc.token is not None
    with RingCentral(server=server.server, token=rc.token) as other:
        assert isinstance(other.authorize(), Token)
        assert other.get(INFO).status_code == 200


def test_closing_ends_everybody_who_waits(server: Gateway) -> None:
    rc = make_client(server)
    rc.authorize(jwt=server.jwt)
    ws_ext = WebSocketExtension()
    rc.install_extension(ws_ext)
    subscription = ws_ext.subscribe([MESSAGES])
    server.answer_fault(where=f"GET {INFO}", drop=True)
    waits: list[Callable[[], object]] = [
        lambda: rc.get(INFO),
        lambda: ws_ext.wait_for(MESSAGES),
        lambda: list(subscription),
        ws_ext.wait_closed,
    ]
    with ThreadPoolExecutor(len(waits)) as threads:
        waiting = [threads.submit(wait) for wait in waits]
        inner = ws_ext._inner
        until(lambda: inner._runtime is not None and inner._runtime.waiters.any)
        until(lambda: subscription._inner._queue._waiter is not None)
        rc.close()
        ended = [future.exception(timeout=10) for future in waiting]
    server.clear_faults()
    assert isinstance(ended[0], RcexError)
    assert [type(error) for error in ended[1:]] == [NotConnected, type(None), type(None)]
