"""Records of what clients of the fake Slack have done, for tests to inspect."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["Accepted", "ClientClose", "HttpCall", "Received"]


@dataclass(frozen=True, slots=True)
class HttpCall:
    """One call of the Web API.

    Attributes:
        time: seconds since the fake Slack was started.
        verb: GET or POST.
        method: the API method, such as "rtm.connect".
        fields: its arguments: query, form and JSON body combined, with the token if it was sent there.
        headers: the header fields, their names in lower case.
        status: the HTTP status of the answer, or "hang" or "rst".
    """

    time: float
    verb: str
    method: str
    fields: dict[str, Any] = field(repr=False)
    headers: dict[str, str] = field(repr=False)
    status: int | str


@dataclass(frozen=True, slots=True)
class Received:
    """One frame from a client.

    Attributes:
        time: seconds since the fake Slack was started.
        connection: the number of its connection, the first being 1.
        data: the decoded JSON, or the bytes if they are not JSON.
    """

    time: float
    connection: int
    data: Any


@dataclass(frozen=True, slots=True)
class Accepted:
    """One message that was received over a WebSocket and accepted.

    Attributes:
        connection: the number of its connection.
        id: the id that the client has sent.
        channel: the id of its channel.
        text: its text.
        ts: its time stamp, which identifies it in Slack.
    """

    connection: int
    id: int
    channel: str
    text: str
    ts: str


@dataclass(frozen=True, slots=True)
class ClientClose:
    """The end of a connection on the client's side.

    Attributes:
        connection: the number of the connection.
        code: the code of the client's close frame; 1005 for one without a code, 1006 if there was no close frame.
        reason: the reason in the close frame.
        answered: whether it was the answer to a close frame of the server.
    """

    connection: int
    code: int
    reason: str
    answered: bool
