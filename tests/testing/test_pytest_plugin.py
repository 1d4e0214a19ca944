"""The fixtures as a user's project sees them, and what they import in a project that does not use them."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest_plugins = ["pytester"]

HEAVY = ("httpx", "rcex_ws.gateway", "starlette", "trio", "uvicorn")


def test_loading_the_plugin_imports_nothing_heavy(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    # Other plugins of this environment import some of these names themselves.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makeini("[pytest]\nfilterwarnings = error\n")
    pytester.makepyfile(
        f"""
        import sys

        def test_lazy(pytestconfig):
            assert pytestconfig.pluginmanager.has_plugin("rcex_ws.testing.pytest_plugin")
            assert not [name for name in {HEAVY!r} if name in sys.modules]
        """
    )
    pytester.runpytest_subprocess("-p", "rcex_ws.testing.pytest_plugin").assert_outcomes(passed=1)


def test_importing_the_testing_package_imports_nothing_heavy() -> None:
    code = f"import sys, rcex_ws.testing; print([name for name in {HEAVY!r} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert result.stdout.strip() == "[]"


def test_testing_package_gives_its_names_and_no_others() -> None:
    import rcex_ws.testing

    for name in rcex_ws.testing.__all__:
        assert getattr(rcex_ws.testing, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'Missing'"):
        rcex_ws.testing.Missing  # noqa: B018


USER_TESTS = """
import httpx
import pytest
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import connect

servers = set()


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return request.param


def test_gateway_serves_sync_tests(gateway):
    assert httpx.get(f"{gateway.server}/restapi").status_code == 200
    servers.add(gateway.server)


async def test_gateway_serves_both_event_loops(gateway):
    async with httpx.AsyncClient(base_url=gateway.server) as http:
        assert (await http.get("/restapi")).status_code == 200
    servers.add(gateway.server)


def test_each_test_had_a_gateway_of_its_own():
    assert len(servers) == 3
    for server in servers:
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{server}/restapi")


class TestOptions:
    @pytest.fixture
    def gateway_options(self):
        return {"idle_timeout": 77}

    def test_a_fixture_sets_them(self, gateway):
        assert gateway.options.idle_timeout == 77

    def test_also_behind_a_proxy(self, proxied_gateway):
        assert proxied_gateway[0].options.idle_timeout == 77


def test_fault_proxy_starts_one_per_call(gateway, fault_proxy):
    first, second = fault_proxy(gateway.server), fault_proxy(gateway.server)
    first.refuse()
    with pytest.raises(httpx.ConnectError):
        httpx.get(first.url(gateway.server) + "/restapi")
    assert httpx.get(second.url(gateway.server) + "/restapi").status_code == 200


def test_proxied_gateway_leads_websockets_through_the_proxy(proxied_gateway):
    gateway, proxy = proxied_gateway
    token = httpx.post(
        f"{gateway.server}/restapi/oauth/token",
        auth=(gateway.client_id, gateway.client_secret),
        data={"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": gateway.jwt},
    ).json()["access_token"]
    wstoken = httpx.post(f"{gateway.server}/restapi/oauth/wstoken", headers={"Authorization": f"Bearer {token}"}).json()
    assert proxy.connections == 0
    with connect(f"{wstoken['uri']}?access_token={wstoken['ws_access_token']}") as ws:
        assert "ConnectionDetails" in ws.recv(timeout=5)
        assert proxy.connections == 1
        proxy.reset()
        with pytest.raises(ConnectionClosedError):
            ws.recv(timeout=5)
"""


def test_fixtures_serve_a_users_tests(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nfilterwarnings = error\naddopts = -p no:asyncio\nanyio_mode = auto\n")
    pytester.makepyfile(USER_TESTS)
    pytester.runpytest_subprocess().assert_outcomes(passed=8)
