"""Presence: of the caller and of others. A changed one triggers the notification that RingCentral would send."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rcex_ws.gateway.account.people import ExtensionRecord
from rcex_ws.gateway.api.operation import EXTENSION, Ask, Json, RestArea
from rcex_ws.gateway.core import GatewayCore
from rcex_ws.gateway.filters import EventFilter
from rcex_ws.gateway.problem import Problem

__all__ = ["area"]

area = RestArea("Presence", permission="ReadPresence")

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


@area.get(f"{EXTENSION}/presence")
def read_presence(ask: Ask[None, None]) -> Json:
    """Read the presence of an extension."""
    return _presence(ask.core, ask.extension, ask.server)


@area.put(f"{EXTENSION}/presence", permission="EditPresence")
def write_presence(ask: Ask[None, dict[str, Any]]) -> Json:
    """Change the presence of the caller."""
    one = ask.own_extension
    for name, value in ask.body.items():
        if not _is_settable(name, value):
            raise Problem(400, "CMN-101", f"Parameter [{name}] value is invalid")
    presence = ask.core.presence.of(one)
    presence |= ask.body
    if "userStatus" in ask.body:
        presence["presenceStatus"] = ask.body["userStatus"]
    _notify(ask.core, one)
    return _presence(ask.core, one, ask.server)


def _is_settable(name: str, value: object) -> bool:
    """Return whether a member of a presence may have this value."""
    if name == "message":
        return isinstance(value, str) and len(value) <= _LONGEST_MESSAGE
    return isinstance(value, str | bool) and value in _SETTABLE.get(name, set())


def _presence(core: GatewayCore, one: ExtensionRecord, server: str) -> dict[str, Any]:
    owner = {"uri": f"{server}{one.uri}", "id": int(one.id), "extensionNumber": one.number}
    return {"uri": f"{server}{one.uri}/presence", "extension": owner, **core.presence.of(one)}


def _notify(core: GatewayCore, one: ExtensionRecord) -> None:
    sequence = core.presence.next_sequence()

    def body(chosen: EventFilter, _: str) -> Mapping[str, Any]:
        plain = {"extensionId": one.id, "sequence": sequence, **core.presence.of(one)}
        if "detailedTelephonyState" in chosen.query:
            return plain | {"activeCalls": [], "totalActiveCalls": 0}
        return plain

    core.publish("/restapi/v1.0/account/~/extension/~/presence", body, one)
