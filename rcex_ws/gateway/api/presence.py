"""Presence: of the caller, of others and of the account. A changed one triggers the notifications of RingCentral."""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from starlette.responses import Response

from rcex_ws.gateway.account.people import ACCOUNT_ID, ExtensionRecord
from rcex_ws.gateway.api.batch import read_batch
from rcex_ws.gateway.api.operation import ACCOUNT, EXTENSION, Ask, Json, RestArea
from rcex_ws.gateway.api.paging import PagedQuery, page_of
from rcex_ws.gateway.core import GatewayCore
from rcex_ws.gateway.notices.presence import active_calls, tell_presence
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


class PresenceQuery(Struct, rename="camel"):
    """Which members a presence has besides the plain ones."""

    detailed_telephony_state: bool = False
    sip_data: bool = False


class PresencePage(PagedQuery, rename="camel"):
    """Which page of an account's presence to return, and with which members."""

    detailed_telephony_state: bool = False
    sip_data: bool = False


@area.get(f"{EXTENSION}/presence")
def read_presence(ask: Ask[PresenceQuery, None]) -> Response | Json:
    """Read the presence of an extension, or of several whose ids are separated by commas."""

    def read(text: str) -> dict[str, Any]:
        return _presence(ask.core, ask.find_extension(text), ask.server, ask.query)

    extensions = f"{ask.server}/restapi/v1.0/account/{ACCOUNT_ID}/extension"
    return read_batch(ask.path["extensionId"], extensions, read, suffix="/presence")


@area.get(f"{ACCOUNT}/presence")
def list_presence(ask: Ask[PresencePage, None]) -> Json:
    """List the presence of all extensions of the account."""
    found = [_presence(ask.core, one, ask.server, ask.query) for one in ask.core.people.extensions]
    return page_of(ask, f"{ask.server}/restapi/v1.0/account/{ACCOUNT_ID}/presence", found)


@area.put(f"{EXTENSION}/presence", permission="EditPresence")
def write_presence(ask: Ask[None, dict[str, Any]]) -> Json:
    """Change the presence of the caller."""
    one = ask.own_extension
    for name, value in ask.body.items():
        if not _is_settable(name, value):
            raise Problem(400, "CMN-101", f"Parameter [{name}] value is invalid")
    before = ask.core.presence.of(one)["dndStatus"]
    ask.core.presence.change(one, ask.body)
    tell_presence(ask.core, one, is_dnd=ask.core.presence.of(one)["dndStatus"] != before)
    return _presence(ask.core, one, ask.server, PresenceQuery())


def _is_settable(name: str, value: object) -> bool:
    """Return whether a member of a presence may have this value."""
    if name == "message":
        return isinstance(value, str) and len(value) <= _LONGEST_MESSAGE
    return isinstance(value, str | bool) and value in _SETTABLE.get(name, set())


def _presence(
    core: GatewayCore, one: ExtensionRecord, server: str, query: PresenceQuery | PresencePage
) -> dict[str, Any]:
    owner = {"uri": f"{server}{one.uri}", "id": int(one.id), "extensionNumber": one.number}
    body = {"uri": f"{server}{one.uri}/presence", "extension": owner, **core.presence.of(one)}
    if query.detailed_telephony_state:
        body["activeCalls"] = active_calls(core, one, with_sip=query.sip_data)
    return body
