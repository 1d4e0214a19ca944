"""Notifications of a changed presence: to its owner, to the account, and to those who watch it.

Used by REST handlers and `calls.py`. The members are those of RingCentral's API reference ("Extension Presence
Event", plain, detailed and with SIP data).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rcex_ws.gateway.account.call_parties import CallParty, PhoneCall
from rcex_ws.gateway.account.people import ExtensionRecord
from rcex_ws.gateway.clock import iso
from rcex_ws.gateway.core import Body, GatewayCore
from rcex_ws.gateway.filters import EventFilter

__all__ = ["active_calls", "sip_data", "tell_presence"]

_EXTENSION = "/restapi/v1.0/account/~/extension/~"
_MOST_CALLS = 7
"""In one notification: the latest ones (RingCentral's documentation)."""
_NOT_NOTIFIED = ("message", "callerIdVisibility")
"""Members of a presence that are in REST answers alone."""


def tell_presence(
    core: GatewayCore,
    one: ExtensionRecord,
    *,
    ended: Sequence[tuple[PhoneCall, CallParty]] = (),
    is_dnd: bool = False,
) -> None:
    """Notify everybody who may watch the presence of an extension.

    Args:
        core: the gateway.
        one: the extension.
        ended: parties that have just ended, which are in the notification for the last time.
        is_dnd: whether `dndStatus` has changed.
    """
    body = _body(core, one, ended)
    core.publish(f"{_EXTENSION}/presence", body, one)
    if is_dnd:
        dnd = {name: core.presence.of(one)[name] for name in ("dndStatus", "dndStatusPersonal", "acceptCallQueueCalls")}
        core.publish(f"{_EXTENSION}/presence/dnd", {"extensionId": one.id, **dnd}, one)
    for other in core.people.extensions:
        watched = core.presence.watched(other.id)
        if one.id in watched.lines:
            core.publish(f"{_EXTENSION}/presence/line/presence", body, other)
        if one.id in watched.favorites:
            core.publish(f"{_EXTENSION}/favorite/presence", body, other)


def active_calls(
    core: GatewayCore,
    one: ExtensionRecord,
    *,
    ended: Sequence[tuple[PhoneCall, CallParty]] = (),
    with_sip: bool = False,
) -> list[dict[str, Any]]:
    """Return the calls of an extension as a presence has them, the latest ones.

    Args:
        core: the gateway.
        one: the extension.
        ended: parties that have just ended.
        with_sip: whether to add the SIP data.
    """
    live = core.calls.parties_of(one.id)
    calls = [*ended, *live]
    return [_active_call(call, party, with_sip=with_sip) for call, party in calls[-_MOST_CALLS:]]


def sip_data(party: CallParty) -> dict[str, str]:
    """Return the SIP data of a party, which look like RingCentral's and lead nowhere."""
    number = party.id.removeprefix("p-")
    return {"toTag": f"to-{number}", "fromTag": f"from-{number}", "callId": f"{number}@gateway.invalid"}


def _body(core: GatewayCore, one: ExtensionRecord, ended: Sequence[tuple[PhoneCall, CallParty]]) -> Body:
    sequence = core.presence.next_sequence()
    told = {name: value for name, value in core.presence.of(one).items() if name not in _NOT_NOTIFIED}
    total = sum(1 for _ in core.calls.parties_of(one.id))

    def body(chosen: EventFilter, _: str) -> Mapping[str, Any]:
        plain = {"extensionId": one.id, "sequence": sequence, **told}
        if not chosen.wants("detailedTelephonyState"):
            return plain
        calls = active_calls(core, one, ended=ended, with_sip=chosen.wants("sipData"))
        return plain | {"activeCalls": calls, "totalActiveCalls": total}

    return body


def _active_call(call: PhoneCall, party: CallParty, *, with_sip: bool) -> dict[str, Any]:
    body: dict[str, Any] = {
        "id": party.id.removeprefix("p-"),
        "direction": party.direction,
        "queueCall": False,
        "from": party.caller.phone_number,
        "fromName": party.caller.name,
        "to": party.callee.phone_number,
        "toName": party.callee.name,
        "startTime": iso(party.started),
        "telephonyStatus": party.telephony_status,
        "terminationType": "intermediate" if party.is_live else "final",
        "sessionId": call.session_id,
        "partyId": party.id,
        "telephonySessionId": call.id,
    }
    if with_sip:
        own, other = party.own_end, party.caller if party.direction == "Inbound" else party.callee
        uris = {"remoteUri": _sip_uri(other.phone_number), "localUri": _sip_uri(own.phone_number)}
        body["sipData"] = sip_data(party) | uris
    return body


def _sip_uri(number: str) -> str:
    return f"sip:{number.lstrip('+')}@gateway.invalid"
