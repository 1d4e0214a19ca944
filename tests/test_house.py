"""The package as a whole: the cost of its import, its names and their documentation, and the names of its tests."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.resources
import inspect
import pkgutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import rcex_ws
import rcex_ws.blocking

#: Modules that only the gateway, tests, trio users and other protocols need.
OPTIONAL = (
    "trio",
    "starlette",
    "uvicorn",
    "python_socks",
    "pytest",
    "hypothesis",
    "coredis",
    "rcex_ws.blocking",
    "rcex_ws.broker",
    "rcex_ws.callback",
    "rcex_ws.feedme",
    "rcex_ws.gateway",
    "rcex_ws.rtm",
    "rcex_ws.serving",
    "rcex_ws.slack",
    "rcex_ws.testing",
)

TESTS = Path(__file__).parent
PACKAGE = Path(rcex_ws.__file__).parent

#: Folders of the package whose tests are in a folder of the same name: test_<module>.py, test_<module>_<aspect>.py.
MIRRORED = (
    "blocking",
    "broker",
    "callback",
    "cli",
    "connection",
    "feedme",
    "feedme/server",
    "files",
    "gateway",
    "gateway/account",
    "gateway/account/team",
    "gateway/api",
    "gateway/api/team",
    "gateway/commands",
    "gateway/console",
    "gateway/notices",
    "options",
    "rest",
    "rest/extensions",
    "rtm",
    "rtm/server",
    "serving",
    "slack",
    "slack/store",
    "testing",
    "websocket",
    "wsg",
)

#: Files of tests that are named after no module, each with the reason.
OF_NO_MODULE = {
    "blocking/test_page": "docs/blocking.md",
    "blocking/test_surface": "the generated modules, and the async classes that they repeat",
    "broker/test_contract": "every broker",
    "callback/test_page": "docs/callback-client.md",
    "cli/test_page": "docs/cli.md",
    "feedme/test_lossy_network": "client and server, and a network between them",
    "feedme/test_page": "docs/feedme.md",
    "gateway/test_random_inputs": "the whole gateway, whose front doors are several",
    "rest/test_page": "docs/rest.md",
    "rtm/test_many_machines": "server processes on one Redis",
    "rtm/test_page": "docs/rtm.md",
    "rest/extensions/test_page": "docs/rest-extensions.md",
    "slack/test_page": "docs/slack.md",
    "slack/test_page_snippets": "docs/slack.md",
    "testing/test_servers_end": "every server of the package",
    "websocket/test_bad_streams": "both sides of a WebSocket",
    "websocket/test_library": "the imports of all modules",
    "wsg/test_known_failures_javascript_connection": "docs/known-failures.md",
    "wsg/test_known_failures_javascript_delivery": "docs/known-failures.md",
    "wsg/test_known_failures_python": "docs/known-failures.md",
    "wsg/test_map": "rcex_ws/wsg/__init__.py",
}

#: Modules that are a part of another one's work, or hold values alone: the file of tests that takes them along.
#: Those of the gateway and of `rcex_ws.testing` are parts of one server each, which is tested as a whole.
TAKEN_ALONG = {
    "blocking/client_options": "blocking/test_surface",
    "blocking/event_methods": "blocking/test_surface",
    "blocking/extension_methods": "blocking/test_surface",
    "blocking/facade": "blocking/test_surface",
    "blocking/iteration": "blocking/test_loop_thread",
    "blocking/link": "blocking/test_surface",
    "blocking/methods": "blocking/test_surface",
    "blocking/path_calls": "blocking/test_surface",
    "blocking/path_methods": "blocking/test_surface",
    "blocking/paths": "blocking/test_surface",
    "blocking/session_methods": "blocking/test_surface",
    "blocking/streamed": "blocking/test_surface",
    "blocking/subscription_methods": "blocking/test_surface",
    "broker/hub": "broker/test_memory",
    "broker/interface": "broker/test_contract",
    "broker/redis_session": "broker/test_redis",
    "broker/scripts": "broker/test_redis_appends",
    "callback/handler": "callback/test_callbacks",
    "callback/mailbox": "callback/test_client_ending",
    "cli/records": "cli/test_listen",
    "connection/event_queue": "feedme/test_events",
    "connection/handlers": "slack/test_feed",
    "connection/loss": "connection/test_link",
    "connection/status": "connection/test_supervisor_close",
    "feedme/arguments": "feedme/test_client_arguments",
    "feedme/core": "feedme/test_client",
    "feedme/server/channel": "feedme/server/test_conversation",
    "feedme/server/client": "feedme/server/test_conversation",
    "feedme/server/core": "feedme/server/test_conversation",
    "feedme/server/errors": "feedme/server/test_conversation_violations",
    "feedme/server/handlers": "feedme/server/test_server_handlers",
    "feedme/server/recorder": "feedme/server/test_draft",
    "feedme/server/runtime": "feedme/server/test_server_life",
    "feedme/server/settings": "feedme/server/test_server_life",
    "feedme/feed_core": "feedme/test_feed",
    "feedme/feeds": "feedme/test_client",
    "feedme/messages": "feedme/test_codec",
    "feedme/transport": "feedme/test_transport_socket",
    "files/checks": "found/test_files",
    "files/complaints": "found/test_files_running",
    "files/lock": "found/test_files_mounts",
    "files/state": "found/test_files_content",
    "files/thread": "found/test_files_running",
    "gateway/account/a2p": "gateway/api/test_a2p",
    "gateway/account/call_log": "gateway/api/test_call_log",
    "gateway/account/call_parties": "gateway/account/test_calls",
    "gateway/account/media": "gateway/account/test_contacts",
    "gateway/account/people": "gateway/api/test_people",
    "gateway/account/presence": "gateway/api/test_presence",
    "gateway/account/settings": "gateway/account/test_contacts",
    "gateway/account/team/chats": "gateway/api/team/test_chats",
    "gateway/account/team/items": "gateway/api/team/test_notes",
    "gateway/account/team/posts": "gateway/api/team/test_posts",
    "gateway/api/arguments": "gateway/api/test_operation",
    "gateway/api/batch": "gateway/api/test_presence",
    "gateway/api/control": "gateway/test_faults",
    "gateway/api/dictionary": "gateway/api/test_account",
    "gateway/api/directory": "gateway/api/test_account",
    "gateway/api/favorites": "gateway/api/test_presence",
    "gateway/api/message_filter": "gateway/api/test_message_store",
    "gateway/api/pager": "gateway/api/test_application",
    "gateway/api/paging": "gateway/api/test_call_log",
    "gateway/api/prompts": "gateway/api/test_profile_image",
    "gateway/api/recordings": "gateway/api/test_call_log",
    "gateway/api/ring_out": "gateway/api/test_telephony",
    "gateway/api/versions": "gateway/api/test_application",
    "gateway/commands/faults": "gateway/test_faults",
    "gateway/commands/messages": "gateway/api/test_message_store_inbound",
    "gateway/notices/calls": "gateway/commands/test_calls",
    "gateway/notices/messages": "gateway/api/test_message_store_inbound",
    "gateway/notices/people": "gateway/api/test_people_changes",
    "gateway/notices/presence": "gateway/api/test_presence",
    "gateway/notices/team": "gateway/api/team/test_posts",
    "gateway/notices/voicemail": "gateway/commands/test_calls",
    "options/constraints": "options/test_arguments",
    "options/functions": "options/test_arguments",
    "options/refusals": "options/test_arguments",
    "options/types": "options/test_arguments",
    "options/urls": "found/test_inputs",
    "rest/methods": "rest/test_calls",
    "rest/core_client": "wsg/test_extension_core_client",
    "rest/headers": "rest/test_message",
    "rest/http_body": "rest/test_https",
    "rest/http_library": "rest/test_https",
    "rest/keeper": "rest/test_auth",
    "rest/lifecycle": "rest/test_extension",
    "rest/oauth": "rest/test_auth",
    "rest/session_methods": "rest/test_auth",
    "rest/outgoing": "rest/test_calls",
    "rest/owner": "found/test_files_binding",
    "rest/sdk": "wsg/test_extension_core_client",
    "rest/token_owner": "wsg/test_extension_core_client",
    "rest/user_agent": "rest/test_calls",
    "rtm/errors": "rtm/test_calls",
    "rtm/runtime": "rtm/test_client",
    "rtm/server/close_codes": "rtm/server/test_service",
    "rtm/server/errors": "rtm/server/test_service",
    "rtm/server/events": "rtm/server/test_server",
    "rtm/server/functions": "rtm/server/test_calls",
    "rtm/server/publication": "rtm/server/test_publisher",
    "rtm/server/pushes": "rtm/server/test_calls",
    "rtm/server/rate": "rtm/server/test_service",
    "rtm/server/remote_client": "rtm/server/test_service",
    "rtm/server/session": "rtm/server/test_admission",
    "rtm/server/settings": "rtm/server/test_server",
    "serving/life": "feedme/server/test_server_life",
    "serving/mountable": "serving/test_mount",
    "slack/bot_slack": "slack/test_bot",
    "slack/errors": "slack/test_web",
    "slack/frames": "slack/test_feed",
    "slack/lists": "slack/test_directory",
    "slack/logs": "slack/test_web",
    "slack/models": "slack/test_messages",
    "slack/settings": "options/test_arguments",
    "slack/store/base": "slack/test_store_client",
    "slack/store/errors": "slack/store/test_change_malformed",
    "slack/store/fields": "slack/store/test_change_malformed",
    "slack/store/memory": "slack/store/test_rules",
    "slack/store/message_rules": "slack/store/test_rules",
    "slack/store/models": "slack/store/test_queries",
    "slack/store/sqlite_tables": "slack/store/test_sqlite",
    "websocket/endpoint": "websocket/test_opener",
    "websocket/handshake": "websocket/test_client",
    "websocket/head": "websocket/test_codec",
    "websocket/peer": "websocket/test_server_peer",
    "wsg/deliveries": "wsg/test_extension_close",
    "wsg/gaps": "wsg/test_announcer",
    "wsg/inbox": "wsg/test_conversation",
    "wsg/own": "wsg/test_router",
    "wsg/settings": "options/test_arguments",
    "wsg/stored": "wsg/test_store",
    "wsg/subscription_runtime": "wsg/test_subscriptions",
    "wsg/view_of": "wsg/test_views",
}


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
    "package",
    [
        "rcex_ws",
        "rcex_ws.blocking",
        "rcex_ws.broker",
        "rcex_ws.callback",
        "rcex_ws.connection",
        "rcex_ws.rest",
        "rcex_ws.wsg",
        "rcex_ws.testing",
    ],
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


def test_no_two_classes_share_a_name() -> None:
    classes: defaultdict[str, set[type]] = defaultdict(set)
    for module in modules():
        for item in vars(module).values():
            if inspect.isclass(item) and item.__module__.startswith("rcex_ws"):
                classes[item.__name__].add(item)
    shared = {name for name, found in classes.items() if len(found) > 1}
    # Each client names its own events, for its own users; what blocks has the name of what does not.
    assert shared == {"Events", *rcex_ws.blocking.__all__}


def names_in(folder: str) -> set[str]:
    """Return the names of the modules and subpackages of a folder of the package; `__main__` is main."""
    return {path.stem.strip("_") for path in (PACKAGE / folder).iterdir() if path.name != "__pycache__"}


def module_of(stem: str, names: set[str]) -> str | None:
    """Return the module that a file of tests is named after; of two such names it is the longer one."""
    name = stem.removeprefix("test_")
    return max((module for module in names if f"{name}_".startswith(f"{module}_")), key=len, default=None)


def test_every_file_of_tests_is_named_after_the_module_that_it_tests() -> None:
    nameless = {
        f"{folder}/{path.stem}"
        for folder in MIRRORED
        for path in (TESTS / folder).glob("test_*.py")
        if module_of(path.stem, names_in(folder)) is None
    }
    assert nameless == set(OF_NO_MODULE)


def test_every_module_has_its_tests_or_is_taken_along_by_those_of_another() -> None:
    without: set[str] = set()
    for folder in set(MIRRORED) - {"gateway", "testing"}:
        names = {path.stem for path in (PACKAGE / folder).glob("[!_]*.py")}
        files = [path.stem for path in (TESTS / folder).glob("test_*.py")]
        without |= {f"{folder}/{name}" for name in names - {module_of(stem, names_in(folder)) for stem in files}}
    assert without == set(TAKEN_ALONG)
    assert [file for file in TAKEN_ALONG.values() if not (TESTS / f"{file}.py").is_file()] == []
