"""Recordings of calls: silence, under the ids that the call log names.

Source: RingCentral's API reference, "Call Recordings".
"""

from __future__ import annotations

from starlette.responses import Response

from rcex_ws.gateway.account.call_log import CallLogRecord
from rcex_ws.gateway.api.operation import ACCOUNT, Ask, Json, RestArea
from rcex_ws.gateway.notices.voicemail import SILENCE
from rcex_ws.gateway.problem import Problem

__all__ = ["area"]

area = RestArea("Call Recordings", permission="ReadCallRecording")

_ONE = f"{ACCOUNT}/recording/{{recordingId}}"
_TYPE = "audio/mpeg"


@area.get(_ONE)
def read_recording(ask: Ask[None, None]) -> Json:
    """Read what is known of a recording."""
    record = _recorded(ask)
    return record.recording(ask.server) | {"contentType": _TYPE, "duration": record.main.duration_ms // 1000}


@area.get(f"{_ONE}/content")
def read_recording_content(ask: Ask[None, None]) -> Response:
    """Read the sound of a recording."""
    _recorded(ask)
    if ask.socket is not None:
        # As for the attachments of messages; the wording is ours.
        raise Problem(415, "CMN-115", "Binary content is not available over a WebSocket")
    return Response(SILENCE, media_type=_TYPE)


def _recorded(ask: Ask[None, None]) -> CallLogRecord:
    """Return the record of the call log that has a recording, once the call has ended."""
    wanted = ask.path["recordingId"]
    found = next((one for one in ask.core.call_log.of(None) if one.recording_id == wanted), None)
    if found is None or found.deleted:
        raise Problem(404, "CMN-102", "Resource for parameter [recordingId] is not found")
    return found
