"""What `rcex-ws doctor` examines, and what it finds: the steps in order, and the result of one. Pure."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from rcex_ws.errors import RcexError

__all__ = ["DoctorStep", "Finding", "StepResult", "StepVerdict"]


class DoctorStep(StrEnum):
    """A step of the examination, in this order."""

    CREDENTIALS = "credentials"  #: server, application and login are known
    ADDRESS = "address"  #: the proxy is chosen, and its name, or the server's, is resolved
    CONNECTION = "connection"  #: TCP to the server, through the proxy
    TLS = "TLS"  #: the certificate is trusted
    CLOCK = "clock"  #: our clock agrees with the server's
    LOGIN = "login"  #: there is a token
    PERMISSIONS = "permissions"  #: the token's scopes include WebSockets
    WSTOKEN = "wstoken"  #: the token that opens a WebSocket was issued
    UPGRADE = "upgrade"  #: the WebSocket was opened
    DETAILS = "connection details"  #: the gateway has begun a session
    HEARTBEAT = "heartbeat"  #: a round trip over the WebSocket
    SUBSCRIBE = "subscribe"  #: a subscription was made
    NOTIFICATION = "notification"  #: an event came
    RECOVERY = "recovery"  #: the session was recovered after a cut
    CLEANUP = "clean-up"  #: nothing is left at the server

    @property
    def is_fatal(self) -> bool:
        """Whether no later step can succeed when this one fails."""
        return self not in _NOT_FATAL


#: After these it goes on: what they find is a risk, or a guess that the next step proves right or wrong.
_NOT_FATAL = frozenset(
    {DoctorStep.CLOCK, DoctorStep.PERMISSIONS, DoctorStep.NOTIFICATION, DoctorStep.RECOVERY, DoctorStep.CLEANUP}
)


class StepVerdict(StrEnum):
    """How a step has ended."""

    OK = "ok"
    FAILED = "failed"
    SKIPPED = "skipped"  #: it does not apply, or was not asked for


class Finding(Struct, frozen=True):
    """What a step has found.

    Attributes:
        detail: for people; has no secret.
        seconds: how long it took, if that is not the time of the whole step.
        verdict: how it has ended.
        error: why it has failed, if an error says so.
    """

    detail: str
    seconds: float | None = None
    verdict: StepVerdict = StepVerdict.OK
    error: RcexError | None = None

    @classmethod
    def failure(cls, error: RcexError, seconds: float | None = None) -> Finding:
        """Return the finding of a step that has failed with an error of the library, which has no secret in it."""
        return cls(str(error), seconds, StepVerdict.FAILED, error)


class StepResult(Struct, frozen=True):
    """The result of one step; JSON-ready by `msgspec.to_builtins`.

    Attributes:
        step: the step.
        verdict: how it has ended.
        seconds: how long it took.
        detail: what was found, or the error; has no secret.
        advice: what to do, if it has failed; else "".
    """

    step: DoctorStep
    verdict: StepVerdict
    seconds: float
    detail: str
    advice: str = ""

    @property
    def ends_it(self) -> bool:
        """Whether the examination ends with this step."""
        return self.verdict is StepVerdict.FAILED and self.step.is_fatal
