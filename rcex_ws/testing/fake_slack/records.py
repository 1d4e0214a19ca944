"""What the fake Slack notes of its clients, for tests to look at."""

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
        fields: its arguments: query, form and JSON body together, the token among them if it stood there.
        headers: header fields, their names in lower case.
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
        data: the decoded JSON; the bytes when they were none.
    """

    time: float
    connection: int
    data: Any


@dataclass(frozen=True, slots=True)
class Accepted:
    """One message that came over a WebSocket and was taken.

    Attributes:
        connection: the number of its connection.
        id: the client's id.
        channel: where it went.
        text: its text.
        ts: the time stamp that names it in Slack.
    """

    connection: int
    id: int
    channel: str
    text: str
    ts: str


@dataclass(frozen=True, slots=True)
class ClientClose:
    """How a client ended a connection.

    Attributes:
        connection: its number.
        code: the code of the client's close frame; 1005 for one without code, 1006 when there was no close frame.
        reason: its reason.
        answered: whether it was the answer to our close frame.
    """

    connection: int
    code: int
    reason: str
    answered: bool
