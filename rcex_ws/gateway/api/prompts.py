"""The prompts of the account's menus (IVR): uploaded, listed, renamed, removed, and their sound."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct
from starlette.responses import Response

from rcex_ws.gateway.account.media import MediaFile
from rcex_ws.gateway.account.people import ACCOUNT_ID
from rcex_ws.gateway.api.operation import ACCOUNT, Ask, Json, RestArea
from rcex_ws.gateway.api.paging import PagedQuery, page_of
from rcex_ws.gateway.multipart import boundary_of, read_parts
from rcex_ws.gateway.problem import Problem

__all__ = ["area"]

_PROMPTS = f"{ACCOUNT}/ivr-prompts"
_ONE = f"{_PROMPTS}/{{promptId}}"
_LARGEST = 2**24

area = RestArea("IVR prompts", permission="EditAccounts")


class PromptChange(Struct):
    """The new name of a prompt."""

    filename: Annotated[str, Meta(min_length=1, max_length=255)]


@area.get(_PROMPTS, permission="ReadAccounts")
def list_prompts(ask: Ask[PagedQuery, None]) -> Json:
    """List the prompts."""
    found = [_body(ask, name, file) for name, file in ask.core.media.of("prompt").items()]
    return page_of(ask, f"{ask.server}/restapi/v1.0/account/{ACCOUNT_ID}/ivr-prompts", found)


@area.post(_PROMPTS, consumes=("multipart/form-data",))
def add_prompt(ask: Ask[None, bytes]) -> Json:
    """Upload a prompt."""
    boundary = boundary_of(ask.request.headers.get("content-type", ""))
    if boundary is None:
        raise Problem(415, "CMN-115", "A prompt is sent as multipart/form-data")
    parts = read_parts(ask.body, boundary)
    sound = next((part for part in parts if part.name == "attachment" or part.filename is not None), None)
    if sound is None or not sound.content or len(sound.content) > _LARGEST:
        raise Problem(400, "CMN-101", "Parameter [attachment] value is invalid")
    named = next((part.content.decode("utf-8", "replace") for part in parts if part.name == "name"), "")
    name = ask.core.media.new_id()
    file = MediaFile((named or sound.filename or "prompt")[:255], sound.content_type, sound.content)
    ask.core.media.put("prompt", name, file)
    return _body(ask, name, file)


@area.get(_ONE, permission="ReadAccounts")
def read_prompt(ask: Ask[None, None]) -> Json:
    """Read a prompt."""
    return _body(ask, ask.path["promptId"], _prompt(ask))


@area.put(_ONE)
def rename_prompt(ask: Ask[None, PromptChange]) -> Json:
    """Rename a prompt."""
    file = _prompt(ask)
    file.name = ask.body.filename
    return _body(ask, ask.path["promptId"], file)


@area.delete(_ONE)
def delete_prompt(ask: Ask[None, None]) -> None:
    """Remove a prompt."""
    _prompt(ask)
    ask.core.media.delete("prompt", ask.path["promptId"])


@area.get(f"{_ONE}/content", permission="ReadAccounts")
def read_sound(ask: Ask[None, None]) -> Response:
    """Read the sound of a prompt."""
    file = _prompt(ask)
    if ask.socket is not None:
        raise Problem(415, "CMN-115", "Binary content is not available over a WebSocket")
    return Response(file.content, media_type=file.content_type)


def _prompt(ask: Ask[Any, Any]) -> MediaFile:
    file = ask.core.media.get("prompt", ask.path["promptId"])
    if file is None:
        raise Problem(404, "CMN-102", "Resource for parameter [promptId] is not found")
    return file


def _body(ask: Ask[Any, Any], name: str, file: MediaFile) -> dict[str, Any]:
    uri = f"{ask.server}/restapi/v1.0/account/{ACCOUNT_ID}/ivr-prompts/{name}"
    return {
        "uri": uri,
        "id": name,
        "contentType": file.content_type,
        "contentUri": f"{uri}/content",
        "filename": file.name,
    }
