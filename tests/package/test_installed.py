"""The wheel as a user gets it: in an environment of its own, with three extras, away from the checkout."""

from __future__ import annotations

import shutil
import textwrap
import tomllib

import pytest

from rcex_ws.version import __version__

from .conftest import ROOT, Installed

IMPORTS = """
import importlib, pkgutil, sys
import rcex_ws
assert "site-packages" in rcex_ws.__file__, rcex_ws.__file__
names = [module.name for module in pkgutil.walk_packages(rcex_ws.__path__, "rcex_ws.")]
missing = {}
for name in names:
    if name.endswith("__main__"):
        continue
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing[name] = error.name
print(len(names), *sorted(set(missing.values())))
"""

A_TEST = """
import anyio
import pytest
import rcex_ws

STORE = "/restapi/v1.0/account/~/extension/~/message-store"


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return request.param


@pytest.mark.anyio
async def test_a_bot(gateway):
    heard = []
    rc = rcex_ws.RingCentral(
        server=gateway.server, client_id=gateway.client_id, client_secret=gateway.client_secret
    )
    async with rc:
        await rc.authorize(jwt=gateway.jwt)
        ext = rcex_ws.WebSocketExtension(rest_over_websocket=True)
        await rc.install_extension(ext)
        subscription = await ext.subscribe([STORE])
        gateway.notify(STORE, {"i": 1})
        with anyio.fail_after(10):
            assert (await anext(aiter(subscription))).body == {"i": 1}


def test_the_other_fixtures(proxied_gateway, fake_slack, fault_proxy):
    assert proxied_gateway and fake_slack and fault_proxy(fake_slack.api_url)
"""


def test_every_module_can_be_imported(installed: Installed) -> None:
    count, *missing = installed.run("python", "-W", "error", "-c", IMPORTS).split()
    assert int(count) > 400
    assert set(missing) <= {"coredis", "httpx2", "hypothesis", "python_socks", "socksio"}


def test_its_version_is_that_of_the_sources(installed: Installed) -> None:
    said = installed.run("python", "-c", "import importlib.metadata as m; print(m.version('rcex_ws'))")
    assert said.strip() == __version__


def test_a_user_s_tests_find_the_fixtures(installed: Installed) -> None:
    (installed.folder / "test_my_bot.py").write_text(textwrap.dedent(A_TEST))
    assert "3 passed" in installed.run("python", "-m", "pytest", "-q", "-W", "error", "test_my_bot.py")


def test_the_demo_does_the_main_job(installed: Installed) -> None:
    for name in ("main.py", "shared.py"):
        shutil.copy(ROOT / "demo" / name, installed.folder)
    assert installed.run("python", "main.py").splitlines()[-1].startswith("OK after")


PROGRAMS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"].get("scripts", {})


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_of_the_package_says_how_to_use_it(installed: Installed, program: str) -> None:
    assert "Usage" in installed.run(program, "--help")
