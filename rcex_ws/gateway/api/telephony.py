"""Call Control: telephony sessions and their parties (RingCentral's API reference, "Call Control").

A step of a party is taken by its own extension alone. Whoever is called answers by it, or by the commands of
`commands/calls.py`. Left out: conferences, supervision and bridging.
"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct, field

from rcex_ws.gateway.account.call_parties import CallEnd, CallParty, PhoneCall
from rcex_ws.gateway.account.people import ACCOUNT_ID
from rcex_ws.gateway.api.operation import ACCOUNT, Ask, Json, RestArea
from rcex_ws.gateway.clock import iso
from rcex_ws.gateway.notices.calls import tell_calls
from rcex_ws.gateway.problem import Problem

__all__ = ["area"]

area = RestArea("Call Control", permission="CallControl")

_TELEPHONY = f"{ACCOUNT}/telephony"
_SESSION = f"{_TELEPHONY}/sessions/{{telephonySessionId}}"
_PARTY = f"{_SESSION}/parties/{{partyId}}"

PhoneText = Annotated[str, Meta(min_length=1, max_length=64)]


class CallTarget(Struct, rename="camel"):
    """Whom to call, or to let ring: one of the members."""

    phone_number: PhoneText | None = None
    extension_number: PhoneText | None = None
    extension_id: PhoneText | None = None
    voicemail: PhoneText | None = None
    park_orbit: PhoneText | None = None


class CallOutOrder(Struct, rename="camel"):
    """A call to start from a device of the caller."""

    to: CallTarget
    from_: dict[str, Any] = field(default_factory=dict[str, Any], name="from")


class PartyState(Struct, rename="camel"):
    """What can be set on a party."""

    muted: bool | None = None
    stand_alone: bool | None = None


class RecordingState(Struct):
    """Whether a recording goes on."""

    active: bool


class PartyOrder(Struct, rename="camel"):
    """A change of a party."""

    party: PartyState


@area.post(f"{_TELEPHONY}/call-out", status=201)
def call_out(ask: Ask[None, CallOutOrder]) -> Json:
    """Call a number or an extension from a device of the caller."""
    call = ask.core.calls.start(CallEnd.of(ask.caller), _target(ask, ask.body.to), "CallOut")
    tell_calls(ask.core)
    return {"session": _body(call)}


@area.get(_SESSION)
def read_session(ask: Ask[None, None]) -> Json:
    """Read a telephony session."""
    return _body(_live_call(ask))


@area.delete(_SESSION)
def drop_session(ask: Ask[None, None]) -> None:
    """Hang up for all parties."""
    call = _live_call(ask)
    if not any(party.extension_id == ask.caller.id for party in call.parties):
        raise Problem(403, "CMN-404", "The caller is no party of the session")
    ask.core.calls.hang_up(call)
    tell_calls(ask.core)


@area.get(_PARTY)
def read_party(ask: Ask[None, None]) -> Json:
    """Read a party of a telephony session."""
    return _party_body(_live_call(ask).party(ask.path["partyId"]))


@area.patch(_PARTY)
def change_party(ask: Ask[None, PartyOrder]) -> Json:
    """Mute or unmute a party."""
    call, party = _own(ask)
    if ask.body.party.muted is not None:
        ask.core.calls.mute(call, party, ask.body.party.muted)
    return _told(ask, party)


@area.delete(_PARTY)
def drop_party(ask: Ask[None, None]) -> None:
    """Hang up a party, and with it the call, which has two of them."""
    call, party = _own(ask)
    if not party.is_live:
        raise Problem(409, "TAS-106", "The party has left the call")
    ask.core.calls.hang_up(call)
    tell_calls(ask.core)


@area.post(f"{_PARTY}/answer")
def answer_party(ask: Ask[None, dict[str, Any]]) -> Json:
    """Answer a call that rings."""
    call, party = _own(ask)
    ask.core.calls.answer(call, party)
    return _told(ask, party)


@area.post(f"{_PARTY}/hold")
def hold_party(ask: Ask[None, dict[str, Any]]) -> Json:
    """Put the other side on hold."""
    call, party = _own(ask)
    ask.core.calls.hold(call, party)
    return _told(ask, party)


@area.post(f"{_PARTY}/unhold")
def unhold_party(ask: Ask[None, dict[str, Any]]) -> Json:
    """Go on with a call on hold."""
    call, party = _own(ask)
    ask.core.calls.unhold(call, party)
    return _told(ask, party)


@area.post(f"{_PARTY}/transfer")
def transfer_party(ask: Ask[None, CallTarget]) -> Json:
    """Transfer the other side to a number, to an extension, to its voicemail, or park it."""
    call, party = _own(ask)
    if ask.body.park_orbit is not None:
        ask.core.calls.park(call, party)
        return _told(ask, party)
    new = ask.core.calls.transfer(call, party, _target(ask, ask.body))
    if ask.body.voicemail is not None:
        ask.core.calls.to_voicemail(call, new)
    return _told(ask, party)


@area.post(f"{_PARTY}/forward")
def forward_party(ask: Ask[None, CallTarget]) -> Json:
    """Forward a call that rings to a number, to an extension or to its voicemail."""
    call, party = _own(ask)
    target = _target(ask, ask.body)
    new = party if target == party.own_end else ask.core.calls.forward(call, party, target)
    if ask.body.voicemail is not None:
        ask.core.calls.to_voicemail(call, new)
    return _told(ask, new)


@area.post(f"{_PARTY}/park")
def park_party(ask: Ask[None, dict[str, Any]]) -> Json:
    """Park a call, for somebody to pick up."""
    call, party = _own(ask)
    ask.core.calls.park(call, party)
    return _told(ask, party)


@area.post(f"{_PARTY}/pickup")
def pick_up_party(ask: Ask[None, dict[str, Any]]) -> Json:
    """Take over a call that rings at a colleague's, or that is parked."""
    call = _live_call(ask)
    new = ask.core.calls.pick_up(call, call.party(ask.path["partyId"]), CallEnd.of(ask.caller))
    return _told(ask, new)


@area.post(f"{_PARTY}/flip")
def flip_party(ask: Ask[None, dict[str, Any]]) -> None:
    """Move a call to another device of the caller."""
    call, party = _own(ask)
    ask.core.calls.flip(call, party)
    tell_calls(ask.core)


@area.post(f"{_PARTY}/reject")
def reject_party(ask: Ask[None, dict[str, Any]]) -> None:
    """Send a call that rings to the voicemail."""
    call, party = _own(ask)
    ask.core.calls.to_voicemail(call, party)
    tell_calls(ask.core)


@area.post(f"{_PARTY}/ignore")
def ignore_party(ask: Ask[None, dict[str, Any]]) -> None:
    """Let a call that rings be missed."""
    call, party = _own(ask)
    ask.core.calls.refuse(call, party, "Rejected")
    tell_calls(ask.core)


@area.post(f"{_PARTY}/reply")
def reply_party(ask: Ask[None, dict[str, Any]]) -> Json:
    """Answer a call that rings by a text that is read to the caller, and end it."""
    call, party = _own(ask)
    ask.core.calls.refuse(call, party, "CallReplied")
    return _told(ask, party)


@area.post(f"{_PARTY}/recordings", status=201)
def start_recording(ask: Ask[None, dict[str, Any]]) -> Json:
    """Record a call."""
    call, party = _own(ask)
    ask.core.calls.record(call, party)
    tell_calls(ask.core)
    return party.recordings()[0]


@area.patch(f"{_PARTY}/recordings/{{recordingId}}")
def change_recording(ask: Ask[None, RecordingState]) -> Json:
    """Pause a recording, or go on with it."""
    call, party = _own(ask)
    if party.recording_id != ask.path["recordingId"]:
        raise Problem(404, "CMN-102", "Resource for parameter [recordingId] is not found")
    ask.core.calls.record(call, party, ask.body.active)
    tell_calls(ask.core)
    return party.recordings()[0]


def _live_call(ask: Ask[Any, Any]) -> PhoneCall:
    call = ask.core.calls.get(ask.path["telephonySessionId"])
    if not call.is_live:
        raise Problem(404, "CMN-102", "Resource for parameter [telephonySessionId] is not found")
    return call


def _own(ask: Ask[Any, Any]) -> tuple[PhoneCall, CallParty]:
    """Return the call and the party in the path, which must be the caller's."""
    call = _live_call(ask)
    party = call.party(ask.path["partyId"])
    if party.extension_id != ask.caller.id:
        raise Problem(403, "CMN-404", "The party is not the caller's")
    return call, party


def _target(ask: Ask[Any, Any], target: CallTarget) -> CallEnd:
    extension = target.extension_number or target.extension_id or target.voicemail
    if extension is not None:
        return CallEnd.of(ask.find_extension(extension))
    if target.phone_number is None:
        raise Problem(400, "CMN-101", "Parameter [to] value is invalid")
    return CallEnd.find(ask.core.people, target.phone_number)


def _told(ask: Ask[Any, Any], party: CallParty) -> dict[str, Any]:
    """Notify of what has changed, and return the party."""
    tell_calls(ask.core)
    return _party_body(party)


def _party_body(party: CallParty) -> dict[str, Any]:
    own = {} if party.extension_id is None else {"extensionId": party.extension_id}
    return party.body() | {"owner": {"accountId": ACCOUNT_ID, **own}}


def _body(call: PhoneCall) -> dict[str, Any]:
    return {
        "id": call.id,
        "sessionId": call.session_id,
        "origin": {"type": call.origin},
        "creationTime": iso(call.created),
        "parties": [_party_body(party) for party in call.parties],
    }
