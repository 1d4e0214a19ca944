"""Persons and the company of team messaging: the extensions and the account."""

from __future__ import annotations

from rcex_ws.gateway.account.people import ACCOUNT_ID
from rcex_ws.gateway.api.operation import Ask, Json
from rcex_ws.gateway.api.team.area import TeamArea
from rcex_ws.gateway.problem import Problem

__all__ = ["area"]

area = TeamArea()


@area.get("/persons/{personId}")
def read_person(ask: Ask[None, None]) -> Json:
    """Read a person; `~` means the caller."""
    asked = ask.path["personId"]
    person = ask.caller if asked == "~" else ask.core.people.by_id(asked)
    if person is None:
        raise Problem(404, "CMN-102", "Resource for parameter [personId] is not found")
    return ask.core.team.person_body(person, ACCOUNT_ID)


@area.get("/companies/{companyId}")
def read_company(ask: Ask[None, None]) -> Json:
    """Read the company; `~` means the caller's."""
    if ask.path["companyId"] not in ("~", ACCOUNT_ID):
        raise Problem(404, "CMN-102", "Resource for parameter [companyId] is not found")
    since = ask.core.team.since
    names = {"id": ACCOUNT_ID, "name": "Gateway", "domain": "gateway.invalid"}
    return names | {"creationTime": since, "lastModifiedTime": since}
