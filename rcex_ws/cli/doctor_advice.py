"""What to do if a step of `rcex-ws doctor` fails, in words. Pure.

The codes are RingCentral's (developer guide, "API error codes" and "WebSockets"; API reference, "Create Subscription");
the hints for a login are those of `rcex_ws.rest`, which stand in the error already.
"""

from __future__ import annotations

from rcex_ws.cli.doctor_steps import DoctorStep
from rcex_ws.errors import ConfigurationError, ConnectFailed, TransportError, UpgradeRefused
from rcex_ws.rest import RestError

__all__ = ["advice_for", "advice_for_error"]

_WEBSOCKETS = (
    "give the application the permission WebSocketsSubscriptions (Developer Console: your application, Settings, "
    "Permissions), then log in again: a token keeps the permissions it was made with"
)
_LATER = "the server is overloaded or under maintenance: try again later; see https://status.ringcentral.com"
_RATE = "the rate limit is reached (5 logins and wstokens a minute for each user and application): wait a minute"
_PROXY = (
    "check HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY; a login goes into the proxy's URL, "
    "http://user:password@host:port, with special characters percent-encoded"
)
_CERTIFICATE = (
    "a proxy or a virus scanner may intercept TLS: set SSL_CERT_FILE to a PEM file with its root certificate; if the "
    "certificate has expired or is not valid yet, check the clock"
)
_WEBSOCKET_BLOCKED = (
    "a proxy or firewall may let HTTPS through and block WebSockets: it has to allow `Upgrade: websocket` to "
    "ws-api.ringcentral.com, without a time limit on the connection"
)

_NO_ANSWER = (
    "no answer came: the server is slow, or something in between drops the connection; try again, with `--timeout 60` "
    "to wait longer"
)

_NOT_THEIRS = (
    "RingCentral does not answer so: RINGCENTRAL_SERVER_URL names another server, or something in between answers in "
    "its place, such as a captive portal or a proxy"
)

#: By the error code of an answer; `_BY_STEP` has what is the same whatever the code.
_BY_CODE = {
    "CMN-301": _RATE,
    "SUB-505": (
        "too many subscriptions, some left behind by programs that were killed: `rcex-ws subscriptions ls` lists "
        "them, `rcex-ws subscriptions rm` deletes them"
    ),
    "SUB-528": _WEBSOCKETS,
}
_BY_STEP = {
    DoctorStep.CREDENTIALS: "see `rcex-ws login --help`",
    DoctorStep.ADDRESS: (
        "check RINGCENTRAL_SERVER_URL for a typing mistake, then the network and its DNS; behind a proxy, set "
        "HTTPS_PROXY"
    ),
    DoctorStep.CONNECTION: (
        "a firewall may block the port, or the network needs a proxy (HTTPS_PROXY); for a local gateway: is it "
        "still running, at this port?"
    ),
    DoctorStep.TLS: _CERTIFICATE,
    DoctorStep.CLOCK: (
        "set the clock, best by NTP (`timedatectl set-ntp true`): with a wrong clock, tokens are renewed too late "
        "or too early, and a JWT may count as expired"
    ),
    DoctorStep.LOGIN: "check RINGCENTRAL_CLIENT_ID, RINGCENTRAL_CLIENT_SECRET and RINGCENTRAL_JWT",
    DoctorStep.PERMISSIONS: _WEBSOCKETS,
    DoctorStep.WSTOKEN: "the login works but WebSockets do not: ask RingCentral's support, and quote the error above",
    DoctorStep.UPGRADE: _WEBSOCKET_BLOCKED,
    DoctorStep.DETAILS: f"the WebSocket opened, but nothing came through: {_WEBSOCKET_BLOCKED}",
    DoctorStep.HEARTBEAT: (
        f"what is sent over the open WebSocket gets lost: {_WEBSOCKET_BLOCKED}. Programs that use this library notice "
        "this by the heartbeat, and reconnect"
    ),
    DoctorStep.SUBSCRIBE: "the application needs the permission for this event, such as ReadMessages or ReadPresence",
    DoctorStep.NOTIFICATION: (
        "calls work but events do not arrive: check in the RingCentral app whether the message arrived, and whether "
        "the user gets message notifications at all"
    ),
    DoctorStep.RECOVERY: (
        "after a lost connection events are missing, and programs get a gap: read the data of that period again by "
        "REST, see docs/guarantees.md. Are there more than five logins with this application and user?"
    ),
    DoctorStep.CLEANUP: "`rcex-ws subscriptions ls` shows what is left; the server deletes it after a day",
}


#: Steps whose own advice covers the case that no answer comes.
_WAY_THERE = frozenset(
    {DoctorStep.ADDRESS, DoctorStep.CONNECTION, DoctorStep.TLS, DoctorStep.UPGRADE, DoctorStep.DETAILS}
)


def advice_for(step: DoctorStep) -> str:
    """Return what to do about a step that failed without an error."""
    return _BY_STEP[step]


def advice_for_error(step: DoctorStep, error: Exception) -> str:
    """Return what to do about a step that failed with an error; "" if the error says so itself.

    Args:
        step: the step.
        error: why it failed.
    """
    if isinstance(error, ConfigurationError):
        return ""
    if isinstance(error, RestError):
        return _for_answer(step, error)
    if "proxy" in str(error):  # the library's own words, as below
        return _PROXY
    if "TLS: " in str(error):
        return _CERTIFICATE
    if isinstance(error, UpgradeRefused) and (error.status == 429 or error.status >= 500):
        return _RATE if error.status == 429 else _LATER
    if "cannot be read" in str(error):
        return _NOT_THEIRS
    if step is DoctorStep.DETAILS and "refused" in str(error):
        return "the gateway refused to begin a session: try again in a minute, then ask RingCentral's support"
    if isinstance(error, (TransportError, ConnectFailed, TimeoutError)) and step not in _WAY_THERE:
        return _NO_ANSWER
    return _BY_STEP[step]


def _for_answer(step: DoctorStep, error: RestError) -> str:
    if error.hint is not None:
        return error.hint
    if by_code := _BY_CODE.get(error.error_code or ""):
        return by_code
    if error.status_code == 429:
        return _RATE
    if error.status_code >= 500:
        return _LATER
    if step is DoctorStep.WSTOKEN and error.status_code == 403:
        return _WEBSOCKETS
    if step is DoctorStep.NOTIFICATION:
        return "the message was not sent, so there was no event: sending needs the permission InternalMessages"
    return _BY_STEP[step]
