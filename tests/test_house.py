"""The package as a whole: the cost of its import, its public names, and their documentation."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.resources
import inspect
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from types import ModuleType

import pytest

import rcex_ws

#: Modules that only the gateway, tests, trio users and other protocols need.
OPTIONAL = (
    "trio",
    "starlette",
    "uvicorn",
    "python_socks",
    "pytest",
    "hypothesis",
    "rcex_ws.callback",
    "rcex_ws.gateway",
    "rcex_ws.slack",
    "rcex_ws.testing",
)


def modules() -> Iterator[ModuleType]:
    yield rcex_ws
    for info in pkgutil.walk_packages(rcex_ws.__path__, "rcex_ws."):
        if not info.name.endswith("__main__"):
            yield importlib.import_module(info.name)


def undocumented(module: ModuleType) -> Iterator[str]:
    if not module.__doc__:
        yield module.__name__
    for name, item in vars(module).items():
        if name.startswith("_") or getattr(item, "__module__", None) != module.__name__:
            continue
        if inspect.isclass(item):
            yield from (f"{module.__name__}.{name}" for _ in [0] if not item.__dict__.get("__doc__"))
            for method_name, method in vars(item).items():
                target = method.fget if isinstance(method, property) else getattr(method, "__func__", method)
                if not method_name.startswith("_") and inspect.isfunction(target) and not target.__doc__:
                    yield f"{module.__name__}.{name}.{method_name}"
        elif inspect.isfunction(item) and not item.__doc__:
            yield f"{module.__name__}.{name}"


def test_the_import_brings_in_nothing_optional_and_no_other_protocol() -> None:
    program = f"import sys, rcex_ws; print(*(name for name in {OPTIONAL!r} if name in sys.modules))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.split() == []


@pytest.mark.parametrize(
    "package", ["rcex_ws", "rcex_ws.callback", "rcex_ws.connection", "rcex_ws.rest", "rcex_ws.wsg", "rcex_ws.testing"]
)
def test_public_names_are_sorted_and_resolve(package: str) -> None:
    module = importlib.import_module(package)
    names = list(module.__all__)
    constants = [name for name in names if name.isupper()]
    classes = [name for name in names if name[0].isupper() and not name.isupper()]
    functions = [name for name in names if name[0].islower()]
    assert names == sorted(constants) + sorted(classes) + sorted(functions)
    assert [name for name in names if not hasattr(module, name)] == []


def test_every_public_class_and_function_is_documented() -> None:
    assert [name for module in modules() for name in undocumented(module)] == []


def test_every_error_is_one_of_ours_and_says_whether_trying_again_can_help() -> None:
    for module in modules():
        if module.__name__.startswith(("rcex_ws.gateway", "rcex_ws.testing.fake_slack")):
            continue  # a server: its errors become responses
        for name, item in vars(module).items():
            ours = str(getattr(item, "__module__", "")).startswith("rcex_ws")
            if inspect.isclass(item) and issubclass(item, Exception) and ours and not name.startswith("_"):
                assert issubclass(item, rcex_ws.RcexError), name
                assert isinstance(item.retryable, bool), name


def test_the_version_is_that_of_the_installed_package() -> None:
    assert importlib.metadata.version("rcex_ws").count(".") == 2


def test_the_package_is_typed() -> None:
    assert (importlib.resources.files("rcex_ws") / "py.typed").is_file()
