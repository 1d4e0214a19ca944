"""Extension info, presence, and the endpoints for the API's versions and status.

Routes of the REST application. A changed presence triggers the notification that RingCentral would send.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rcex_ws.gateway.call import json_body, login_of, server_of
from rcex_ws.gateway.core import GatewayCore
from rcex_ws.gateway.filters import EventFilter
from rcex_ws.gateway.problem import Problem
from rcex_ws.gateway.store import ACCOUNT_ID, ExtensionRecord

__all__ = ["EXTENSION", "extension_of", "own_extension_of", "routes"]

EXTENSION = "/restapi/v1.0/account/{account_id}/extension/{extension_id}"

_SETTABLE: dict[str, set[str] | set[bool]] = {
    "userStatus": {"Offline", "Busy", "Available"},
    "dndStatus": {
        "TakeAllCalls",
        "DoNotAcceptAnyCalls",
        "DoNotAcceptDepartmentCalls",
        "TakeDepartmentCallsOnly",
        "Unknown",
    },
    "dndStatusPersonal": {"TakeAllCalls", "DoNotAcceptAnyCalls", "Unknown"},
    "callerIdVisibility": {"All", "None", "PermittedUsers"},
    "acceptCallQueueCalls": {True, False},
    "allowSeeMyPresence": {True, False},
    "ringOnMonitoredCall": {True, False},
    "pickUpCallsOnHold": {True, False},
}
"""The members that PUT may change, with their values; also `message`, to any text (RingCentral's API reference)."""
_LONGEST_MESSAGE = 1000


def extension_of(core: GatewayCore, request: Request) -> ExtensionRecord:
    """Return the extension named in the path; `~` means the caller's.

    Raises:
        Problem: 404 CMN-102 for another account or an unknown extension.
    """
    account, extension = request.path_params["account_id"], request.path_params["extension_id"]
    if account not in ("~", ACCOUNT_ID):
        raise Problem(404, "CMN-102", "Resource for parameter [accountId] is not found")
    found = login_of(request).owner if extension == "~" else core.store.by_id(extension)
    if found is None:
        raise Problem(404, "CMN-102", "Resource for parameter [extensionId] is not found")
    return found


def own_extension_of(core: GatewayCore, request: Request) -> ExtensionRecord:
    """Return the extension named in the path, which must be the caller's: there are no administrators here.

    Raises:
        Problem: 404 CMN-102 as in `extension_of`, 403 CMN-404 for the extension of another user.
    """
    found = extension_of(core, request)
    if found is not login_of(request).owner:
        raise Problem(403, "CMN-404", "Attempt to access another extension")
    return found


def routes(core: GatewayCore) -> list[Route]:
    """Return the routes."""

    async def versions(request: Request) -> Response:
        uri = f"{server_of(request)}/restapi"
        return JSONResponse({"uri": uri, "apiVersions": [_version(request)], "serverVersion": "rcex_ws"})

    async def version(request: Request) -> Response:
        return JSONResponse(_version(request))

    async def status(request: Request) -> Response:
        return JSONResponse({"status": "OK"})

    async def info(request: Request) -> Response:
        one = extension_of(core, request)
        server = server_of(request)
        first, _, last = one.name.partition(" ")
        return JSONResponse(
            {
                "uri": f"{server}{one.uri}",
                "id": int(one.id),
                "extensionNumber": one.number,
                "name": one.name,
                "type": "User",
                "status": "Enabled",
                "account": {"id": ACCOUNT_ID, "uri": f"{server}/restapi/v1.0/account/{ACCOUNT_ID}"},
                "contact": {"firstName": first, "lastName": last, "email": one.username},
            }
        )

    async def read_presence(request: Request) -> Response:
        return JSONResponse(_presence(core, extension_of(core, request), server_of(request)))

    async def write_presence(request: Request) -> Response:
        one = own_extension_of(core, request)
        wanted = await json_body(request)
        for name, value in wanted.items():
            if not _is_settable(name, value):
                raise Problem(400, "CMN-101", f"Parameter [{name}] value is invalid")
        presence = core.store.presence(one)
        presence |= wanted
        if "userStatus" in wanted:
            presence["presenceStatus"] = wanted["userStatus"]
        _notify(core, one)
        return JSONResponse(_presence(core, one, server_of(request)))

    return [
        Route("/restapi", versions, methods=["GET"]),
        Route("/restapi/v1.0", version, methods=["GET"]),
        Route("/restapi/v1.0/status", status, methods=["GET"]),
        Route(EXTENSION, info, methods=["GET"]),
        Route(f"{EXTENSION}/presence", read_presence, methods=["GET"]),
        Route(f"{EXTENSION}/presence", write_presence, methods=["PUT"]),
    ]


def _version(request: Request) -> dict[str, Any]:
    return {"uri": f"{server_of(request)}/restapi/v1.0", "versionString": "1.0.0", "uriString": "v1.0"}


def _is_settable(name: str, value: object) -> bool:
    """Return whether a member of a presence may have this value."""
    if name == "message":
        return isinstance(value, str) and len(value) <= _LONGEST_MESSAGE
    return isinstance(value, str | bool) and value in _SETTABLE.get(name, set())


def _presence(core: GatewayCore, one: ExtensionRecord, server: str) -> dict[str, Any]:
    owner = {"uri": f"{server}{one.uri}", "id": int(one.id), "extensionNumber": one.number}
    return {"uri": f"{server}{one.uri}/presence", "extension": owner, **core.store.presence(one)}


def _notify(core: GatewayCore, one: ExtensionRecord) -> None:
    sequence = core.store.next_presence_sequence()

    def body(chosen: EventFilter, _: str) -> Mapping[str, Any]:
        plain = {"extensionId": one.id, "sequence": sequence, **core.store.presence(one)}
        if "detailedTelephonyState" in chosen.query:
            return plain | {"activeCalls": [], "totalActiveCalls": 0}
        return plain

    core.publish("/restapi/v1.0/account/~/extension/~/presence", body, one)
