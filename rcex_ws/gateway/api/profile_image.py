"""The picture of each user: put as raw bytes or as multipart/form-data, got as bytes."""

from __future__ import annotations

from starlette.responses import Response

from rcex_ws.gateway.account.media import MediaFile
from rcex_ws.gateway.api.operation import EXTENSION, Ask, RestArea
from rcex_ws.gateway.api.people import changeable
from rcex_ws.gateway.multipart import boundary_of, read_parts
from rcex_ws.gateway.notices.people import tell_of_extension
from rcex_ws.gateway.problem import Problem

__all__ = ["area"]

_IMAGE = f"{EXTENSION}/profile-image"
_LARGEST = 2**22
_TYPES = ("image/png", "image/jpeg", "image/gif")
_CONSUMES = ("multipart/form-data", *_TYPES)

area = RestArea("Profile image", permission="EditExtensions")


@area.put(_IMAGE, consumes=_CONSUMES)
def put_image(ask: Ask[None, bytes]) -> None:
    """Set the picture of the caller, or as administrator of anybody."""
    _store(ask)


@area.post(_IMAGE, consumes=_CONSUMES)
def post_image(ask: Ask[None, bytes]) -> None:
    """Set the picture of the caller, or as administrator of anybody."""
    _store(ask)


@area.get(_IMAGE, permission="ReadAccounts")
def read_image(ask: Ask[None, None]) -> Response:
    """Read the picture of a user."""
    return _bytes(ask)


@area.get(f"{_IMAGE}/{{scaleSize}}", permission="ReadAccounts")
def read_scaled_image(ask: Ask[None, None]) -> Response:
    """Read the picture of a user, which has one size here."""
    if ask.path["scaleSize"] not in ("90x90", "195x195", "584x584"):
        raise Problem(404, "CMN-102", "Resource for parameter [scaleSize] is not found")
    return _bytes(ask)


@area.delete(_IMAGE)
def delete_image(ask: Ask[None, None]) -> None:
    """Remove the picture of the caller, or as administrator of anybody."""
    one = changeable(ask)
    ask.core.media.delete("image", one.id)
    tell_of_extension(ask.core, one, "Update", "ProfileImage")


def _store(ask: Ask[None, bytes]) -> None:
    one, kind, content = changeable(ask), ask.request.headers.get("content-type", ""), ask.body
    boundary = boundary_of(kind)
    if boundary is not None:
        part = next((part for part in read_parts(content, boundary) if part.content_type in _TYPES), None)
        if part is None:
            raise Problem(400, "CMN-101", "Parameter [image] value is invalid")
        kind, content = part.content_type, part.content
    kind = kind.partition(";")[0].strip().lower()
    if kind not in _TYPES:
        raise Problem(415, "CMN-115", "A picture is PNG, JPEG or GIF")
    if not content or len(content) > _LARGEST:
        raise Problem(400, "CMN-101", "Parameter [image] value is invalid")
    ask.core.media.put("image", one.id, MediaFile("image", kind, content))
    tell_of_extension(ask.core, one, "Update", "ProfileImage")


def _bytes(ask: Ask[None, None]) -> Response:
    file = ask.core.media.get("image", ask.extension.id)
    if file is None:
        raise Problem(404, "CMN-102", "Resource for parameter [image] is not found")
    if ask.socket is not None:
        raise Problem(415, "CMN-115", "Binary content is not available over a WebSocket")
    return Response(file.content, media_type=file.content_type)
