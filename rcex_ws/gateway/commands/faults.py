"""Commands that need no connection: refusals and other faults of the next requests, notifications, the log."""

from __future__ import annotations

from typing import Any, Literal

from rcex_ws.errors import ConfigurationError
from rcex_ws.gateway.commands.command import CommandSet, command
from rcex_ws.gateway.faults import AnswerFault, RecoveryFault, RefusalFault
from rcex_ws.options import Count, EventFilter, Status, Wait

__all__ = ["FaultCommands"]


class FaultCommands(CommandSet):
    """Faults that wait for the next requests, notifications, and the log."""

    @command
    def refuse(
        self,
        where: str,
        status: Status | Literal["hang", "rst"] = 503,
        *,
        retry_after: Wait | None = None,
        times: Count | None = 1,
        error_code: str | None = None,
        message: str | None = None,
    ) -> None:
        """Refuse the next requests of one kind.

        Args:
            where: "upgrade", "details" (101, but no ConnectionDetails), "wstoken", "token", "subscription", or any
                "METHOD /path", with `*` for any text.
            status: the HTTP status of the refusal, "hang" for no answer at all, "rst" to reset the connection.
            retry_after: seconds for a Retry-After header.
            times: how often; None until `clear_faults`.
            error_code: RingCentral's error code in the body.
            message: the text in the body.

        Raises:
            ConfigurationError: `where` can never match, or an argument is invalid.
        """
        self.core.faults.add(
            RefusalFault(
                where=where, times=times, status=status, retry_after=retry_after, error_code=error_code, message=message
            )
        )

    @command
    def fail_recovery(self, code: str = "WSG-1003", times: Count | None = 1) -> None:
        """Answer the next recoveries with recoveryState Failed; "WSG-400" sends the Error frame for a malformed wsc."""
        self.core.faults.add(RecoveryFault(where="recovery", times=times, code=code))

    @command
    def answer_fault(
        self,
        where: str,
        *,
        drop: bool = False,
        strip: Literal["headers", "body"] | None = None,
        delay: Wait = 0.0,
        notify: dict[str, Any] | None = None,
        times: Count | None = 1,
    ) -> None:
        """Process the next requests of one kind, but tamper with their answers.

        Args:
            where: as for `refuse`; "details" can be delayed.
            drop: never send the answer.
            strip: send it without its "headers" or without its "body".
            delay: seconds to wait before sending it.
            notify: `{"event": ..., "body": ...}`, a notification sent before the answer; a `filter` as for `notify`.
            times: how often; None until `clear_faults`.

        Raises:
            ConfigurationError: `where` can never match, or `notify` lacks a member.
        """
        if where == "details" and (drop or strip or notify):
            raise ConfigurationError('where="details" accepts a delay only; use `refuse` to withhold ConnectionDetails')
        if notify is not None and (not {"event", "body"} <= notify.keys() <= {"event", "body", "filter"}):
            raise ConfigurationError("notify: a notification has an event and a body, and perhaps a filter")
        if notify is not None and not _is_notification(**notify):
            raise ConfigurationError("notify: the event and the filter are paths, the body is an object")
        self.core.faults.add(AnswerFault(where=where, times=times, drop=drop, strip=strip, delay=delay, notify=notify))

    @command
    def clear_faults(self) -> None:
        """Cancel every fault that is still pending."""
        self.core.faults.clear()

    @command
    def notify(self, event: EventFilter, body: dict[str, Any], filter: EventFilter | None = None) -> list[str]:
        """Send a notification to every session whose filters match; return the uuids of the notifications.

        If none matches, the log records that, with the filters that exist.

        Args:
            event: path and query of the event; `~` stands for the first user.
            body: the inner body.
            filter: the filter to deliver it to, for events whose name at RingCentral differs from the filter (filters
                with a query, or for a whole account); the `event` member is then the event itself. Without it the
                event is matched against all filters, and `event` is the matching filter, as mostly at RingCentral.
        """
        return self.core.publish_on_command(event, body, filter)

    def log(self) -> list[dict[str, Any]]:
        """Return the entries of the log, oldest first."""
        return self.core.journal.entries()

    def near_misses(self) -> list[dict[str, Any]]:
        """Return what was asked that is not there, with the closest path that is, and how often, oldest first."""
        return self.core.near_misses.entries()

    @command
    def clear_log(self) -> None:
        """Clear the log and the near misses."""
        self.core.journal.clear()
        self.core.near_misses.clear()


def _is_notification(event: object, body: object, filter: object = None) -> bool:
    """Return whether these arguments of `notify` have the right types."""
    return isinstance(event, str) and isinstance(body, dict) and (filter is None or isinstance(filter, str))
