"""The call log of an extension and of the account, its synchronization, and the calls that go on.

Parameters and their defaults are those of RingCentral's API reference ("Call Log"). The call log of the account has the
records of all extensions, so a call between two of them twice.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, TypeAlias

from msgspec import Meta, Struct

from rcex_ws.gateway.account.call_log import CallLogRecord
from rcex_ws.gateway.account.numbers import same_number
from rcex_ws.gateway.account.people import ACCOUNT_ID
from rcex_ws.gateway.api.operation import ACCOUNT, EXTENSION, Ask, Json, RestArea
from rcex_ws.gateway.api.paging import PagedQuery, PositiveNumber, page_of
from rcex_ws.gateway.clock import iso
from rcex_ws.gateway.problem import Problem

__all__ = ["area"]

area = RestArea("Call Log", permission="ReadCallLog")

Moment: TypeAlias = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
"""A date and time in ISO 8601; without a time zone it is in UTC."""
CallView: TypeAlias = Literal["Simple", "Detailed"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""No call is older, and a day before it is still a date."""
_SYNC_TOKEN = re.compile(r"cl-(\d{1,15})")


class CallLogQuery(PagedQuery, rename="camel"):
    """Which records to list."""

    extension_number: str | None = None
    phone_number: str | None = None
    direction: tuple[Literal["Inbound", "Outbound"], ...] = ()
    type: tuple[Literal["Voice", "Fax"], ...] = ()
    transport: tuple[Literal["PSTN", "VoIP"], ...] = ()
    view: CallView = "Simple"
    recording_type: Literal["Automatic", "OnDemand", "All"] | None = None
    with_recording: bool = False
    date_from: Moment | None = None
    date_to: Moment | None = None
    session_id: str | None = None
    telephony_session_id: str | None = None
    show_deleted: bool = False


class CallLogOrder(PagedQuery, rename="camel"):
    """Which calls that go on to list."""

    direction: tuple[Literal["Inbound", "Outbound"], ...] = ()
    type: tuple[Literal["Voice", "Fax"], ...] = ()
    transport: tuple[Literal["PSTN", "VoIP"], ...] = ()
    view: CallView = "Simple"


class CallLogSync(CallLogOrder, rename="camel"):
    """Which changes to return."""

    sync_type: Literal["FSync", "ISync"] = "FSync"
    sync_token: str | None = None
    date_from: Moment | None = None
    record_count: PositiveNumber = 250
    status_group: tuple[Literal["Missed", "All"], ...] = ()
    show_deleted: bool = False


class CallLogPurge(Struct, rename="camel"):
    """Which records to delete."""

    date_to: Moment | None = None


class CallLogItem(Struct, rename="camel"):
    """How to return a record."""

    view: CallView = "Simple"


@area.get(f"{EXTENSION}/call-log")
def list_call_log(ask: Ask[CallLogQuery, None]) -> Json:
    """List the call log of the caller, newest first; of the last day unless there is a date or a session."""
    return _list(ask, ask.own_extension.id)


@area.get(f"{ACCOUNT}/call-log")
def list_account_call_log(ask: Ask[CallLogQuery, None]) -> Json:
    """List the call log of the account."""
    return _list(ask, None)


@area.delete(f"{EXTENSION}/call-log", permission="EditCallLog")
def purge_call_log(ask: Ask[CallLogPurge, None]) -> None:
    """Delete the call log of the caller, up to a date."""
    until = _moment("dateTo", ask.query.date_to)
    for record in list(ask.core.call_log.of(ask.own_extension.id)):
        if not record.deleted and (until is None or record.main.started <= until):
            ask.core.call_log.delete(record)


@area.get(f"{EXTENSION}/call-log/{{callRecordId}}")
def read_call_record(ask: Ask[CallLogItem, None]) -> Json:
    """Read a record of the call log."""
    return _read(ask, ask.own_extension.id)


@area.get(f"{ACCOUNT}/call-log/{{callRecordId}}")
def read_account_call_record(ask: Ask[CallLogItem, None]) -> Json:
    """Read a record of the call log of the account."""
    return _read(ask, None)


@area.get(f"{EXTENSION}/call-log-sync")
def sync_call_log(ask: Ask[CallLogSync, None]) -> Json:
    """Return the newest records, or what has changed since a sync token."""
    return _sync(ask, ask.own_extension.id)


@area.get(f"{ACCOUNT}/call-log-sync")
def sync_account_call_log(ask: Ask[CallLogSync, None]) -> Json:
    """Return the newest records of the account, or what has changed since a sync token."""
    return _sync(ask, None)


@area.get(f"{EXTENSION}/active-calls")
def list_active_calls(ask: Ask[CallLogOrder, None]) -> Json:
    """List the calls of the caller that go on."""
    return _active(ask, [ask.own_extension.id])


@area.get(f"{ACCOUNT}/active-calls")
def list_account_active_calls(ask: Ask[CallLogOrder, None]) -> Json:
    """List the calls of the account that go on."""
    return _active(ask, [one.id for one in ask.core.people.extensions])


def _list(ask: Ask[CallLogQuery, None], extension_id: str | None) -> Json:
    query = ask.query
    since, until = _moment("dateFrom", query.date_from), _moment("dateTo", query.date_to)
    named = query.session_id is not None or query.telephony_session_id is not None
    if since is None and not named:
        since = (until or ask.core.clock.wall()) - timedelta(days=1)
    is_recorded = query.recording_type is not None or query.with_recording
    found = [
        record.body(ask.server, detailed=query.view == "Detailed")
        for record in ask.core.call_log.of(extension_id)
        if (query.show_deleted or not record.deleted)
        and (not is_recorded or (record.recording_id is not None and query.recording_type != "Automatic"))
        and _is_wanted(record, query)
        and query.session_id in (None, record.session_id)
        and query.telephony_session_id in (None, record.telephony_session_id)
        and (since is None or record.main.started >= since)
        and (until is None or record.main.started <= until)
        and (query.extension_number is None or _has_extension(record, query.extension_number))
        and (query.phone_number is None or _has_number(record, query.phone_number))
    ]
    return page_of(ask, f"{_home(ask, extension_id)}/call-log", found)


def _read(ask: Ask[CallLogItem, None], extension_id: str | None) -> Json:
    record = ask.core.call_log.get(extension_id, ask.path["callRecordId"])
    if record is None or record.deleted:
        raise Problem(404, "CMN-102", "Resource for parameter [callRecordId] is not found")
    return record.body(ask.server, detailed=ask.query.view == "Detailed")


def _sync(ask: Ask[CallLogSync, None], extension_id: str | None) -> Json:
    query, log = ask.query, ask.core.call_log
    is_full = query.sync_type == "FSync"
    since = _moment("dateFrom", query.date_from)
    after = -1 if is_full else _change_in(query.sync_token)
    found = [
        record
        for record in log.of(extension_id)
        if record.change > after
        and (not record.deleted or query.show_deleted or not is_full)
        and (since is None or record.main.started >= since)
        and _is_wanted(record, query)
        and ("Missed" not in query.status_group or "All" in query.status_group or record.main.result == "Missed")
    ]
    records = found[: query.record_count] if is_full else found
    return {
        "uri": f"{_home(ask, extension_id)}/call-log-sync",
        "records": [record.body(ask.server, detailed=query.view == "Detailed") for record in records],
        "syncInfo": {
            "syncType": query.sync_type,
            "syncToken": f"cl-{log.last_change}",
            "syncTime": iso(ask.core.clock.wall()),
        },
    }


def _active(ask: Ask[CallLogOrder, None], extension_ids: list[str]) -> Json:
    records = [
        ask.core.call_log.preview(call, party, extension_id)
        for extension_id in extension_ids
        for call, party in ask.core.calls.parties_of(extension_id)
    ]
    wanted = [one for one in reversed(records) if _is_wanted(one, ask.query)]
    found = [one.body(ask.server, detailed=ask.query.view == "Detailed") for one in wanted]
    return page_of(ask, f"{ask.server}{ask.request.scope['path']}", found)


def _is_wanted(record: CallLogRecord, query: CallLogQuery | CallLogOrder) -> bool:
    return (
        (not query.direction or record.main.direction in query.direction)
        and (not query.type or "Voice" in query.type)
        and (not query.transport or record.main.transport in query.transport)
    )


def _has_extension(record: CallLogRecord, number: str) -> bool:
    return number in (record.main.caller.extension_number, record.main.callee.extension_number)


def _has_number(record: CallLogRecord, number: str) -> bool:
    return any(same_number(end.phone_number, number) for end in (record.main.caller, record.main.callee))


def _home(ask: Ask[Any, None], extension_id: str | None) -> str:
    account = f"{ask.server}/restapi/v1.0/account/{ACCOUNT_ID}"
    return account if extension_id is None else f"{account}/extension/{extension_id}"


def _change_in(token: str | None) -> int:
    """Return the number of the change that a sync token names."""
    found = _SYNC_TOKEN.fullmatch(token or "")
    if found is None:
        raise Problem(400, "CMN-101", "Parameter [syncToken] value is invalid")
    return int(found[1])


def _moment(name: str, text: str | None) -> datetime | None:
    """Return the date in a parameter."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError as error:
        raise Problem(400, "CMN-101", f"Parameter [{name}] value is invalid") from error
    return max(_EPOCH, moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment)
