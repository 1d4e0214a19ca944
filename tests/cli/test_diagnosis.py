"""The examination against a local RingCentral, and what it says about each of its faults."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import anyio
import pytest

from rcex_ws.cli.credentials import Credentials
from rcex_ws.cli.diagnosis import diagnose
from rcex_ws.cli.doctor_socket import DoctorTimes
from rcex_ws.cli.doctor_steps import DoctorStep, StepResult, StepVerdict
from rcex_ws.gateway import Gateway
from rcex_ws.testing import FaultProxy
from tests.forward_proxy import Proxy
from tests.websocket_peer import Peer

OK, FAILED, SKIPPED = StepVerdict.OK, StepVerdict.FAILED, StepVerdict.SKIPPED

#: What a fault is told as does not depend on the loop; that the steps work on both is shown by the tests without it.
on_one_loop = pytest.mark.parametrize("anyio_backend", ["asyncio"])

Examined = dict[DoctorStep, StepResult]


@pytest.fixture
def times(ms: float) -> DoctorTimes:
    return DoctorTimes(
        timeout=3000 * ms, heartbeat_interval=20 * ms, heartbeat_timeout=150 * ms, reconnect_delay=10 * ms
    )


@pytest.fixture
def examine(times: DoctorTimes) -> Callable[..., Any]:
    """Return a function that examines a gateway; `after` is done after a step."""

    async def examine(
        gateway: Gateway, *, after: dict[DoctorStep, Callable[[], object]] | None = None, **options: Any
    ) -> Examined:
        jwt = options.pop("jwt", gateway.jwt)
        found = Credentials(
            server=gateway.server, client_id=gateway.client_id, client_secret=gateway.client_secret, jwt=jwt
        )
        results: Examined = {}
        with anyio.fail_after(20):
            async with aclosing(diagnose(found, times=times, **options)) as steps:
                async for result in steps:
                    results[result.step] = result
                    (after or {}).get(result.step, int)()
        return results

    return examine


def failures(results: Examined) -> dict[DoctorStep, str]:
    return {step: result.advice for step, result in results.items() if result.verdict is FAILED}


async def test_all_steps_succeed_and_nothing_is_left(gateway: Gateway, examine: Callable[..., Any]) -> None:
    results = await examine(gateway, send=True)
    assert list(results) == list(DoctorStep)
    skipped = {step for step, result in results.items() if result.verdict is SKIPPED}
    assert (failures(results), skipped) == ({}, {DoctorStep.TLS})
    assert gateway.jwt not in str(results)
    kinds = [entry["kind"] for entry in gateway.log()]
    assert [kinds.count(kind) for kind in ("subscribe", "unsubscribe", "token", "revoke")] == [1, 1, 1, 1]


@on_one_loop
async def test_a_refused_login_ends_it(gateway: Gateway, examine: Callable[..., Any]) -> None:
    results = await examine(gateway, jwt="wrong")
    assert list(failures(results)) == [list(results)[-1]] == [DoctorStep.LOGIN]
    assert "the JWT has expired" in results[DoctorStep.LOGIN].advice


class TestWithoutPermission:
    @pytest.fixture
    def gateway_options(self) -> dict[str, Any]:
        return {"permissions": ("ReadMessages",)}

    async def test_the_token_shows_it_and_the_wstoken_is_refused(
        self, gateway: Gateway, examine: Callable[..., Any]
    ) -> None:
        results = await examine(gateway)
        found = failures(results)
        assert list(found) == [DoctorStep.PERMISSIONS, DoctorStep.WSTOKEN]
        assert all("WebSocketsSubscriptions" in advice for advice in found.values())
        assert "CMN-401" in results[DoctorStep.WSTOKEN].detail
        assert list(results)[-1] is DoctorStep.WSTOKEN
        assert [entry["kind"] for entry in gateway.log()].count("revoke") == 1  # the login is ended all the same


class TestWithOnePermissionMore:
    @pytest.fixture
    def gateway_options(self) -> dict[str, Any]:
        return {"permissions": ("WebSocketsSubscriptions", "ReadPresence")}

    @on_one_loop
    async def test_it_subscribes_to_what_is_allowed(self, gateway: Gateway, examine: Callable[..., Any]) -> None:
        results = await examine(gateway, send=True)
        assert failures(results) == {}
        assert results[DoctorStep.SUBSCRIBE].detail.endswith("/presence")
        assert results[DoctorStep.NOTIFICATION].verdict is SKIPPED


@on_one_loop
@pytest.mark.parametrize(
    ("where", "status", "code", "step", "words"),
    [
        ("wstoken", 503, None, DoctorStep.WSTOKEN, "try again later"),
        ("upgrade", 403, None, DoctorStep.UPGRADE, "Upgrade: websocket"),
        ("details", "rst", None, DoctorStep.DETAILS, "nothing came through"),
        ("POST /restapi/v1.0/subscription", 403, "SUB-505", DoctorStep.SUBSCRIBE, "subscriptions rm"),
    ],
)
async def test_what_is_refused_ends_it_at_once(
    gateway: Gateway,
    examine: Callable[..., Any],
    where: str,
    status: Any,
    code: str | None,
    step: DoctorStep,
    words: str,
) -> None:
    gateway.refuse(where, status, error_code=code, times=None)
    results = await examine(gateway)
    assert list(failures(results)) == [list(results)[-1]] == [step]
    assert words in results[step].advice
    assert results[step].seconds < 2


async def test_a_frozen_connection_is_found_by_the_heartbeat(
    proxied_gateway: tuple[Gateway, FaultProxy], examine: Callable[..., Any]
) -> None:
    gateway, proxy = proxied_gateway
    results = await examine(gateway, after={DoctorStep.DETAILS: proxy.freeze})
    assert list(failures(results)) == [DoctorStep.HEARTBEAT]
    assert "not answered" in results[DoctorStep.HEARTBEAT].detail
    assert "gets lost" in results[DoctorStep.HEARTBEAT].advice


async def test_a_session_that_is_not_recovered_is_told_and_the_rest_cleaned_up(
    gateway: Gateway, examine: Callable[..., Any]
) -> None:
    gateway.fail_recovery("WSG-1003")
    results = await examine(gateway)
    assert list(failures(results)) == [DoctorStep.RECOVERY]
    assert "WSG-1003" in results[DoctorStep.RECOVERY].detail
    assert results[DoctorStep.CLEANUP].verdict is OK


@on_one_loop
async def test_a_wrong_clock_is_told_and_it_goes_on(
    gateway: Gateway, examine: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rcex_ws.gateway.http.formatdate", lambda **_: "Fri, 27 Nov 2020 12:00:00 GMT")
    results = await examine(gateway, jwt="wrong")
    assert list(failures(results)) == [DoctorStep.CLOCK, DoctorStep.LOGIN]
    assert "ahead of the server's" in results[DoctorStep.CLOCK].detail


async def at(server: str, times: DoctorTimes) -> Examined:
    """Examine a server at which nobody can log in."""
    found = Credentials(server=server, client_id="bot", jwt="ada")
    with anyio.fail_after(20):
        async with aclosing(diagnose(found, times=times)) as steps:
            return {result.step: result async for result in steps}


@on_one_loop
async def test_an_unreachable_proxy_is_told_as_the_proxy(times: DoctorTimes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://user:hush@127.0.0.1:1")
    results = await at("https://ringcentral.invalid", times)
    assert results[DoctorStep.ADDRESS].detail == "127.0.0.1; through the proxy 127.0.0.1:1"
    assert list(failures(results)) == [list(results)[-1]] == [DoctorStep.CONNECTION]
    assert "HTTPS_PROXY" in results[DoctorStep.CONNECTION].advice
    assert "hush" not in str(results)


@on_one_loop
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_wants_a_login_is_told(
    scheme: str, times: DoctorTimes, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy.answer = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{proxy.port}")
    results = await at(f"{scheme}://ringcentral.invalid", times)
    assert list(failures(results)) == [DoctorStep.CONNECTION]
    assert "HTTP 407" in results[DoctorStep.CONNECTION].detail
    assert "percent-encoded" in results[DoctorStep.CONNECTION].advice


async def test_an_untrusted_certificate_is_told(times: DoctorTimes, tls_peer: Peer) -> None:
    results = await at(f"https://localhost:{tls_peer.port}", times)
    assert list(failures(results)) == [list(results)[-1]] == [DoctorStep.TLS]
    assert "certificate" in results[DoctorStep.TLS].detail
    assert "SSL_CERT_FILE" in results[DoctorStep.TLS].advice


@on_one_loop
async def test_a_trusted_certificate_is_told_with_the_version(
    times: DoctorTimes, tls_peer: Peer, authority: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    results = await at(f"https://localhost:{tls_peer.port}", times)
    assert results[DoctorStep.TLS].detail == "TLSv1.3, the certificate is trusted"


@on_one_loop
async def test_an_unknown_name_is_told(times: DoctorTimes) -> None:
    results = await at("http://ringcentral.invalid", times)
    assert list(failures(results)) == [DoctorStep.ADDRESS]
    assert "cannot be resolved" in results[DoctorStep.ADDRESS].detail


@on_one_loop
async def test_a_gateway_that_is_gone_is_told(times: DoctorTimes) -> None:
    results = await at("http://127.0.0.1:1", times)
    assert list(failures(results)) == [DoctorStep.CONNECTION]
    assert "is it still running" in results[DoctorStep.CONNECTION].advice
