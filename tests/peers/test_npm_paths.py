"""Every path of `@rc-ex/core`, generated from RingCentral's OpenAPI description.

Each can be written with our builder, and of each docs/gateway.md says whether the local RingCentral has it.
"""

from __future__ import annotations

import inspect
import json
import keyword
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rcex_ws.rest import PathBuilder, RingCentral
from tests.gateway.api import documented

NODE = Path(__file__).parent / "node"
#: In version 1.8.6, which the lock file names: methods of its path classes; calls with ids given and left out; what of
#: these differs in HTTP method or URL.
ENDPOINTS, CALLS, URLS = 507, 1322, 1078

#: Segments of SCIM that @rc-ex/core calls otherwise; all others are its names in snake_case.
OTHERWISE = {
    "users": "Users",
    "schemas": "Schemas",
    "resource_types": "ResourceTypes",
    "service_provider_config": "ServiceProviderConfig",
    "dot_search": ".search",
}
#: What that page need not say: a change that its table says is left out, paths with an id that they have without one.
UNMEANT = {
    ("PUT", "/restapi/v1.0/account/*/business-address"),
    ("POST", "/restapi/v1.0/account/*/directory/entries/*/search"),
    ("POST", "/restapi/v1.0/account/*/telephony/sessions/*/parties/*/bring-in"),
}
#: The beginnings of paths, with their versions.
ROOTS = {
    "/restapi/v1.0": "rc.restapi()",
    "/restapi": "rc.restapi(None)",
    "/scim/v2": "rc.scim()",
    "/team-messaging": "rc.team_messaging()",
    "/rcvideo": "rc.rcvideo()",
    "/webinar": "rc.webinar()",
    "/analytics": "rc.analytics()",
    "/ai": "rc.ai()",
    "/.well-known": "rc.well_known()",
}


def expression(url: str) -> str:
    """Write a path as docs/rest.md says."""
    root = next(root for root in ROOTS if url == root or url.startswith(f"{root}/"))
    written = ROOTS[root]
    for segment in url.removeprefix(root).split("/")[1:]:
        name = segment.replace("-", "_")
        if segment == "~":
            written += "()"
        elif segment.startswith("id-"):
            written += f"({segment!r})"
        elif keyword.iskeyword(name) or name in dir(PathBuilder):
            written += f".{name}_"
        elif re.fullmatch(r"[a-z][a-z0-9-]*|[A-Z][A-Za-z0-9]*", segment):
            written += f".{name}"
        else:
            written += f"[{segment!r}]"
    return written


def snake_case(name: str) -> str:
    return re.sub("[A-Z]", lambda capital: f"_{capital[0].lower()}", name)


def names_in(written: str) -> list[str]:
    """Return the names of an expression, without its ids."""
    without_ids = re.sub(r"\('[^']*'\)", "()", written)
    return [name or item for name, item in re.findall(r"\.([A-Za-z]\w*)|\['([^']+)'\]", without_ids)]


def calls(need: Callable[[bool, str], None]) -> list[dict[str, Any]]:
    node = shutil.which("node")
    need(node is not None, "node")
    need((NODE / "node_modules/@rc-ex/core").is_dir(), "the npm package @rc-ex/core")
    ended = subprocess.run(
        [str(node), NODE / "rest_paths.mjs"], capture_output=True, text=True, timeout=40, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return [json.loads(line) for line in ended.stdout.splitlines()]


def test_every_path_can_be_written_and_gives_the_same_url(need: Callable[[bool, str], None]) -> None:
    rc = RingCentral()
    endpoints: set[str] = set()
    urls: set[str] = set()
    otherwise: dict[str, str] = {}
    for call in calls(need):
        written = expression(call["url"])
        builder = eval(written, {"rc": rc})
        assert str(builder) == call["url"], written
        assert inspect.iscoroutinefunction(inspect.unwrap(getattr(PathBuilder, call["method"].lower()))), call
        names = [snake_case(name) for name, *_ in call["chain"]]
        otherwise |= {theirs: ours for theirs, ours in zip(names, names_in(written), strict=True) if theirs != ours}
        endpoints.add(" ".join([*(name for name, *_ in call["chain"]), call["name"]]))
        urls.add(f"{call['method']} {call['url']}")
    assert otherwise == OTHERWISE
    assert (len(endpoints), len(urls)) == (ENDPOINTS, URLS)


def test_the_same_ids_can_be_left_out(need: Callable[[bool, str], None]) -> None:
    """Written as there, with an id where there is one, a path is the same; the default id is compared on the way."""
    compared = 0
    for call in calls(need):
        (root, *_), *rest = call["chain"]
        builder: Any = getattr(RingCentral(), snake_case(root))()
        if root == "restapi" and not call["url"].startswith("/restapi/v1.0"):
            builder = RingCentral().restapi(None)
        for name, *id_ in rest:
            ours = (OTHERWISE if root == "scim" else {}).get(snake_case(name), snake_case(name))
            used = [one for one in id_ if one in call["url"].split("/")]  # some methods leave an id out
            builder = (builder[ours] if ours.startswith(".") else getattr(builder, ours))(*used)
        # A method of the collection, such as `list`, leaves the default id out.
        assert str(builder).removesuffix("/~") == call["url"].removesuffix("/~")
        compared += 1
    assert compared == CALLS


def test_of_every_path_the_page_says_whether_the_gateway_has_it(need: Callable[[bool, str], None]) -> None:
    served, left_out = documented.operations()
    begun, used = documented.beginnings(), set()
    # One that the tables name by its methods serves several: entries of each dictionary, pictures of each size.
    patterns = {(method, re.compile(re.escape(path).replace(r"\*", "[^/]+"))) for method, path in served | left_out}
    unknown = set()
    for call in calls(need):
        method, path = call["method"], documented.plain(call["url"])
        beginning = {one for one in begun if f"{path}/".startswith(f"{one}/")}
        used |= beginning
        if not beginning and not any(method == one and pattern.fullmatch(path) for one, pattern in patterns):
            unknown.add((method, path))
    assert unknown == UNMEANT
    assert begun - used == set()
