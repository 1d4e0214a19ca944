"""The phone calls that are going on, and the steps of each from ringing to hanging up. No I/O.

A step changes parties and keeps each change until `notices/calls.py` takes it, which notifies, and fills the call log.

    Setup -> Proceeding -> Answered <-> Hold
    any of them -> Disconnected (hung up), Gone (replaced by the party of `peer_id`), Parked, VoiceMail
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from itertools import count
from typing import Literal

from rcex_ws.gateway.account.call_parties import (
    RINGING,
    TELEPHONY_STATUS,
    CallChange,
    CallEnd,
    CallParty,
    OriginType,
    PartyCode,
    PhoneCall,
)
from rcex_ws.gateway.clock import Clock
from rcex_ws.gateway.problem import Problem

__all__ = ["CallSwitch"]

_MOST_CALLS = 1000
"""The oldest call is hung up then. Of ended calls so many are known still, for RingOut."""
_MOST_PARTIES = 50


class CallSwitch:
    """All calls of the account.

    Args:
        clock: the source of dates.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._all: dict[str, PhoneCall] = {}
        self._changes: list[CallChange] = []
        # Unlike before a restart: the call log outlives it, and a program keeps the ids that it has seen.
        self._session_ids = count(int(clock.wall().timestamp() * 1000))
        self._park_ids = count(801)

    def start(self, caller: CallEnd, callee: CallEnd, origin: OriginType = "Call") -> PhoneCall:
        """Start a call, which rings then.

        Raises:
            Problem: 400 CMN-101 if neither end is an extension, or both are the same one.
        """
        if caller.extension_id == callee.extension_id:
            raise Problem(400, "CMN-101", "Parameter [to] value is invalid")
        session_id = str(next(self._session_ids))
        call = PhoneCall(f"s-{secrets.token_hex(16)}", session_id, origin, self._clock.wall())
        self._all[call.id] = call
        self._add(call, "Outbound", caller, callee)
        self._add(call, "Inbound", caller, callee)
        live = [one for one in self._all.values() if one.is_live]
        if len(live) > _MOST_CALLS:
            self.hang_up(live[0])
        while len(self._all) - len(live) > _MOST_CALLS:
            del self._all[next(key for key, one in self._all.items() if not one.is_live)]
        return call

    def get(self, call_id: str) -> PhoneCall:
        """Return a call by its id, perhaps an ended one.

        Raises:
            Problem: 404 CMN-102 if there is none.
        """
        found = self._all.get(call_id)
        if found is None:
            raise Problem(404, "CMN-102", "Resource for parameter [telephonySessionId] is not found")
        return found

    def live(self) -> list[PhoneCall]:
        """Return the calls that go on, oldest first."""
        return [call for call in self._all.values() if call.is_live]

    def parties_of(self, extension_id: str) -> Iterator[tuple[PhoneCall, CallParty]]:
        """Yield the live parties of an extension with their calls, oldest first."""
        for call in self._all.values():
            for party in call.parties:
                if party.is_live and party.extension_id == extension_id:
                    yield call, party

    def telephony_status(self, extension_id: str) -> str:
        """Return the telephony status of an extension, as presence has it."""
        statuses = {party.telephony_status for _, party in self.parties_of(extension_id)}
        return next((one for one in TELEPHONY_STATUS.values() if one in statuses), "NoCall")

    def answer(self, call: PhoneCall, party: CallParty | None = None) -> CallParty:
        """Answer a call that rings.

        Args:
            call: the call.
            party: the party that answers, by default the one that rings.
        """
        answering = party or call.ringing()
        if answering is None or answering.code not in RINGING or answering is call.caller:
            raise _wrong_state("The call does not ring")
        self._set(call, answering, "Answered")
        if call.caller.code in RINGING:
            self._set(call, call.caller, "Answered")
        return answering

    def hold(self, call: PhoneCall, party: CallParty) -> None:
        """Put the other side on hold."""
        self._require(party, "Answered")
        self._set(call, party, "Hold")

    def unhold(self, call: PhoneCall, party: CallParty) -> None:
        """Go on with a call on hold."""
        self._require(party, "Hold")
        self._set(call, party, "Answered")

    def transfer(self, call: PhoneCall, party: CallParty, to: CallEnd) -> CallParty:
        """Let the other side ring somebody else, and leave the call."""
        self._require(party, "Answered", "Hold")
        return self._replace(call, party, to, "BlindTransfer")

    def forward(self, call: PhoneCall, party: CallParty, to: CallEnd) -> CallParty:
        """Let a call that rings ring elsewhere."""
        self._require_ringing(call, party)
        return self._replace(call, party, to, "CallRedirected")

    def park(self, call: PhoneCall, party: CallParty) -> None:
        """Park a call, for somebody to pick up."""
        self._require(party, "Answered", "Hold")
        party.park_id = f"*{next(self._park_ids)}"
        self._set(call, party, "Parked", "CallPark")

    def pick_up(self, call: PhoneCall, party: CallParty, by: CallEnd) -> CallParty:
        """Take over a call that rings or is parked; return the new party."""
        if party.code != "Parked":
            self._require_ringing(call, party)
        return self.answer(call, self._replace(call, party, by, "Pickup"))

    def flip(self, call: PhoneCall, party: CallParty) -> None:
        """Move a call to another device of the same extension."""
        self._require(party, "Answered", "Hold")
        self._set(call, party, "Answered", "CallFlip")

    def mute(self, call: PhoneCall, party: CallParty, muted: bool) -> None:
        """Mute or unmute a party."""
        self._require(party, "Answered", "Hold")
        party.muted = muted
        self._note(call, party, is_status=False)

    def record(self, call: PhoneCall, party: CallParty, is_recording: bool = True) -> None:
        """Start, stop or go on with the recording of a party, which has one at most."""
        self._require(party, "Answered", "Hold")
        number = party.id.rpartition("-")[2]
        party.recording_id, party.is_recording = f"{call.session_id}{number}", is_recording
        self._note(call, party, is_status=False)

    def to_voicemail(self, call: PhoneCall, party: CallParty) -> None:
        """Let a call that rings leave a message, until the caller hangs up."""
        self._require_ringing(call, party)
        party.missed = party.to_voicemail = True
        self._set(call, party, "VoiceMail")
        if call.caller.code in RINGING:
            self._set(call, call.caller, "Answered")

    def refuse(self, call: PhoneCall, party: CallParty, reason: str) -> None:
        """End a call that rings without answering it."""
        self._require_ringing(call, party)
        self._end(call, reason)

    def hang_up(self, call: PhoneCall) -> None:
        """End a call for all."""
        if not call.is_live:
            raise _wrong_state("The call has ended")
        self._end(call, None)

    def take_changes(self) -> list[CallChange]:
        """Return the changes since the last time, in their order."""
        taken, self._changes = self._changes, []
        return taken

    def _end(self, call: PhoneCall, reason: str | None) -> None:
        for party in call.parties:
            if party.is_live:
                party.missed = party.missed or (party is not call.caller and party.code in RINGING)
                self._set(call, party, "Disconnected", reason)

    def _add(
        self, call: PhoneCall, direction: Literal["Inbound", "Outbound"], caller: CallEnd, callee: CallEnd
    ) -> CallParty:
        party_id = f"p-{call.id.removeprefix('s-')}-{len(call.parties) + 1}"
        party = CallParty(party_id, direction, caller, callee, self._clock.wall())
        call.parties.append(party)
        self._set(call, party, "Setup")
        self._set(call, party, "Proceeding")
        return party

    def _replace(self, call: PhoneCall, party: CallParty, to: CallEnd, reason: str) -> CallParty:
        """Let a new party take the place of this one."""
        if len(call.parties) >= _MOST_PARTIES:
            raise _wrong_state("The call has too many parties")
        other = party.caller if party.direction == "Inbound" else party.callee
        if to in (party.own_end, other):
            raise Problem(400, "CMN-101", "The target takes part in the call already")
        new_id = f"p-{call.id.removeprefix('s-')}-{len(call.parties) + 1}"
        party.peer_id = {"sessionId": call.session_id, "telephonySessionId": call.id, "partyId": new_id}
        self._set(call, party, "Gone", reason)
        return self._add(call, "Inbound", other, to)

    def _require(self, party: CallParty, *codes: PartyCode) -> None:
        if party.code not in codes:
            raise _wrong_state(f"The party is {party.code}, not {' or '.join(codes)}")

    def _require_ringing(self, call: PhoneCall, party: CallParty) -> None:
        self._require(party, *RINGING)
        if party is call.caller:
            raise _wrong_state("The party is the caller")

    def _set(self, call: PhoneCall, party: CallParty, code: PartyCode, reason: str | None = None) -> None:
        party.code, party.reason = code, reason
        if code == "Answered" and party.answered is None:
            party.answered = self._clock.wall()
        if not party.is_live:
            party.is_recording = False
            party.ended = self._clock.wall()
        self._note(call, party, is_status=True)

    def _note(self, call: PhoneCall, party: CallParty, *, is_status: bool) -> None:
        if party.extension_id is None:
            return
        call.sequence += 1
        body, moment = party.body(), self._clock.wall()
        self._changes.append(
            CallChange(call, party, call.sequence, moment, body, party.missed, party.recordings(), is_status)
        )


def _wrong_state(message: str) -> Problem:
    """Return the refusal of a step that a call does not admit now. RingCentral's own code is not known."""
    return Problem(409, "TAS-106", message)
