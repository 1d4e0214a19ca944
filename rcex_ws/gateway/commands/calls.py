"""Commands for phone calls: somebody calls, answers, holds, transfers, parks, hangs up."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Annotated, Literal

from msgspec import Meta

from rcex_ws.errors import ConfigurationError
from rcex_ws.gateway.account.call_parties import CallEnd, CallParty, PhoneCall
from rcex_ws.gateway.commands.command import CommandSet, command
from rcex_ws.gateway.notices.calls import tell_calls
from rcex_ws.gateway.problem import Problem
from rcex_ws.options import HeaderText, Label, Name

__all__ = ["CallCommands"]

PhoneName = Annotated[Label, Meta(max_length=64, description="a number or an id of up to 64 characters")]
DisplayName = Annotated[HeaderText, Meta(max_length=200, description="a name of up to 200 characters")]

_LINE_EVENT = "/restapi/v1.0/account/~/extension/~/presence/line"


class CallCommands(CommandSet):
    """Phone calls, seen from outside; each step sends the notifications that RingCentral sends.

    `session` is the telephonySessionId; without one the call that has begun last is meant.
    """

    @command
    def ring(
        self,
        from_number: PhoneName = "+14155550100",
        to_extension: Name | None = None,
        direction: Literal["Inbound", "Outbound"] = "Inbound",
        *,
        from_name: DisplayName = "",
    ) -> str:
        """Start a call, which rings; return its telephonySessionId.

        Args:
            from_number: the phone number outside, or the number of another extension.
            to_extension: number or id of the extension that is called, by default the first.
            direction: "Outbound" if the extension calls the number instead.
            from_name: the name that is displayed for a number outside.

        Raises:
            ConfigurationError: there is no such extension, or both ends are the same.
        """
        extension = CallEnd.of(self._extension_named("to_extension", to_extension))
        other = CallEnd.find(self.core.people, from_number, from_name)
        if other == extension:
            raise ConfigurationError("from_number: an extension cannot call itself")
        ends = (other, extension) if direction == "Inbound" else (extension, other)
        call = self.core.calls.start(*ends)
        tell_calls(self.core)
        return call.id

    @command
    def answer(self, session: Name | None = None) -> None:
        """Answer a call that rings.

        Raises:
            ConfigurationError: there is no such call, or it does not ring.
        """
        with self._step(session) as call:
            self.core.calls.answer(call)

    @command
    def hold(self, session: Name | None = None, extension: Name | None = None) -> None:
        """Put the other side of a call on hold.

        Args:
            session: the call.
            extension: number or id of the extension that holds, by default the one that was called.

        Raises:
            ConfigurationError: there is no such call or extension, or nobody has answered.
        """
        with self._step(session) as call:
            self.core.calls.hold(call, self._party(call, extension))

    @command
    def unhold(self, session: Name | None = None, extension: Name | None = None) -> None:
        """Go on with a call on hold; see `hold`."""
        with self._step(session) as call:
            self.core.calls.unhold(call, self._party(call, extension))

    @command
    def transfer(self, to: PhoneName, session: Name | None = None, extension: Name | None = None) -> None:
        """Transfer a call, which rings there.

        Args:
            to: number of an extension, or a phone number.
            session: the call.
            extension: number or id of the extension that transfers, by default the one that was called.

        Raises:
            ConfigurationError: there is no such call or extension, or nobody has answered.
        """
        with self._step(session) as call:
            self.core.calls.transfer(call, self._party(call, extension), CallEnd.find(self.core.people, to))

    @command
    def park(self, session: Name | None = None, extension: Name | None = None) -> None:
        """Park a call; see `hold`."""
        with self._step(session) as call:
            self.core.calls.park(call, self._party(call, extension))

    @command
    def record(self, session: Name | None = None, extension: Name | None = None) -> None:
        """Record a call; see `hold`."""
        with self._step(session) as call:
            self.core.calls.record(call, self._party(call, extension))

    @command
    def pick_up(self, by: Name | None = None, session: Name | None = None) -> None:
        """Let another extension take over a call that rings or is parked.

        Args:
            by: number or id of the extension, by default the second.
            session: the call.

        Raises:
            ConfigurationError: there is no such call or extension, or it neither rings nor is parked.
        """
        end = CallEnd.of(self._extension_named("by", by, 2))
        with self._step(session) as call:
            self.core.calls.pick_up(call, self._party(call, None), end)

    @command
    def miss(self, session: Name | None = None, *, voicemail: bool = False) -> None:
        """Let the caller give up a call that rings, or leave a voicemail first.

        Args:
            session: the call.
            voicemail: whether the caller leaves a message.

        Raises:
            ConfigurationError: there is no such call, or it does not ring.
        """
        with self._step(session) as call:
            ringing = call.ringing()
            if ringing is None:
                raise ConfigurationError("session: the call does not ring")
            if voicemail:
                self.core.calls.to_voicemail(call, ringing)
            self.core.calls.hang_up(call)

    @command
    def hang_up(self, session: Name | None = None) -> None:
        """End a call for all.

        Raises:
            ConfigurationError: there is no such call.
        """
        with self._step(session) as call:
            self.core.calls.hang_up(call)

    @command
    def watch_lines(self, extensions: list[str], by: Name | None = None) -> None:
        """Choose the extensions whose presence a user watches on the lines of the phone (`presence/line/presence`).

        Args:
            extensions: their numbers or ids.
            by: number or id of the user's extension, by default the first.

        Raises:
            ConfigurationError: there is no such extension.
        """
        user = self._extension_named("by", by)
        self.core.presence.watched(user.id).lines = [self._extension_named("extensions", one).id for one in extensions]
        self.core.publish(_LINE_EVENT, {"extensionId": user.id, "sequence": self.core.presence.next_sequence()}, user)

    @contextmanager
    def _step(self, session: str | None) -> Generator[PhoneCall]:
        """Find a call for a step, and notify of what the step has changed."""
        live = self.core.calls.live()
        try:
            if session is not None:
                yield self.core.calls.get(session)
            elif live:
                yield live[-1]
            else:
                raise ConfigurationError("session: there is no call; `ring` starts one")
        except Problem as problem:
            raise ConfigurationError(f"session: {problem.message}") from problem
        finally:
            tell_calls(self.core)

    def _party(self, call: PhoneCall, extension: str | None) -> CallParty:
        """Return the live party of an extension, by default the one that was called last."""
        own = None if extension is None else self._extension_named("extension", extension).id
        found = [
            party
            for party in call.parties
            if party.is_live and party.extension_id is not None and own in (None, party.extension_id)
        ]
        if not found:
            raise ConfigurationError("extension: it takes no part in the call")
        return found[-1]
