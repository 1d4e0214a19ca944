"""The versions and the status of the API, which need no login."""

from __future__ import annotations

from typing import Any

from rcex_ws.gateway.api.operation import Ask, Json, RestArea

__all__ = ["area"]

area = RestArea("API")


@area.get("/restapi")
def read_versions(ask: Ask[None, None]) -> Json:
    """Read the versions of the API."""
    uri = f"{ask.server}/restapi"
    return {"uri": uri, "apiVersions": [_version(ask.server)], "serverVersion": "rcex_ws"}


@area.get("/restapi/v1.0")
def read_version(ask: Ask[None, None]) -> Json:
    """Read the version of the API."""
    return _version(ask.server)


@area.get("/restapi/v1.0/status")
def read_status(ask: Ask[None, None]) -> Json:
    """Read the status of the API."""
    return {"status": "OK"}


def _version(server: str) -> dict[str, Any]:
    return {"uri": f"{server}/restapi/v1.0", "versionString": "1.0.0", "uriString": "v1.0"}
