"""RingOut: a call between two phones, each of which rings (RingCentral's API reference, "RingOut").

Here the caller's own phone answers at once; whether the other one does is up to the commands.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field

from rcex_ws.gateway.account.call_parties import RINGING, CallEnd, PhoneCall
from rcex_ws.gateway.api.operation import EXTENSION, Ask, Json, RestArea
from rcex_ws.gateway.api.telephony import PhoneText
from rcex_ws.gateway.notices.calls import tell_calls
from rcex_ws.gateway.problem import Problem

__all__ = ["area"]

area = RestArea("RingOut", permission="RingOut")

_RING_OUT = f"{EXTENSION}/ring-out"
_ONE = f"{_RING_OUT}/{{ringoutId}}"


class RingOutPhone(Struct, rename="camel"):
    """One of the two phones."""

    phone_number: PhoneText


class RingOutOrder(Struct, rename="camel", kw_only=True):
    """A call to make."""

    from_: RingOutPhone = field(name="from")
    to: RingOutPhone
    play_prompt: bool = False


@area.post(_RING_OUT)
def ring_out(ask: Ask[None, RingOutOrder]) -> Json:
    """Call a number from a phone of the caller."""
    to = CallEnd.find(ask.core.people, ask.body.to.phone_number)
    call = ask.core.calls.start(CallEnd.of(ask.own_extension), to, "RingOut")
    tell_calls(ask.core)
    return _body(ask, call)


@area.get(_ONE)
def read_ring_out(ask: Ask[None, None]) -> Json:
    """Read how far a call is."""
    return _body(ask, _call(ask))


@area.delete(_ONE)
def cancel_ring_out(ask: Ask[None, None]) -> None:
    """Cancel a call that is not answered yet."""
    call = _call(ask)
    if call.ringing() is None:
        raise Problem(409, "TAS-106", "The call does not ring")
    ask.core.calls.hang_up(call)
    tell_calls(ask.core)


def _call(ask: Ask[None, None]) -> PhoneCall:
    owner = ask.own_extension
    call = ask.core.calls.get(ask.path["ringoutId"])
    if call.origin != "RingOut" or call.caller.extension_id != owner.id:
        raise Problem(404, "CMN-102", "Resource for parameter [ringoutId] is not found")
    return call


def _body(ask: Ask[Any, Any], call: PhoneCall) -> dict[str, Any]:
    callee = call.parties[-1]
    if callee.code in RINGING:
        status, answered = "InProgress", "InProgress"
    elif callee.answered is not None:
        status, answered = ("Success" if call.is_live else "Finished"), "Success"
    else:
        status, answered = "NoAnswer", "NoAnswer"
    return {
        "id": call.id,
        "uri": f"{ask.server}{ask.own_extension.uri}/ring-out/{call.id}",
        "status": {"callStatus": status, "callerStatus": "Success", "calleeStatus": answered},
    }
