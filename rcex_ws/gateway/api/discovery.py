"""Discovery: an application asks one address where everything else is, before and after its login.

Off by default in `@ringcentral/sdk` (`enableDiscovery`), on in RingCentral's own applications. Forms: its Discovery.ts.
"""

from __future__ import annotations

from typing import Any

import msgspec

from rcex_ws.gateway.api.operation import Ask, Json, RestArea

__all__ = ["area"]

_PATH = "/.well-known/entry-points"
_EXPIRES_IN = 24 * 3600
"""Seconds for which an answer may be kept; any number does, since nothing moves here."""

area = RestArea("Discovery")


class DiscoveryQuery(msgspec.Struct, rename="camel"):
    """Who asks; everybody gets the same."""

    client_id: str = ""
    brand_id: str = ""


@area.get(f"{_PATH}/initial")
def read_initial_entry_points(ask: Ask[DiscoveryQuery, None]) -> Json:
    """Read where to log in; this needs no login."""
    found = _common(ask.server, defaultTokenUri=f"{ask.server}/restapi/oauth/token")
    return found | {"discoveryApi": {"defaultExternalUri": f"{ask.server}{_PATH}/external"}}


@area.get(f"{_PATH}/external")
def read_external_entry_points(ask: Ask[None, None]) -> Json:
    """Read where the caller's data is."""
    here = f"{ask.server}{_PATH}"
    found = _common(ask.server, baseUri=ask.server, tokenUri=f"{ask.server}/restapi/oauth/token")
    found["discoveryApi"] = {"externalUri": f"{here}/external", "initialUri": f"{here}/initial"}
    return found | {"expiresIn": _EXPIRES_IN, "retryCycleDelay": 60}


def _common(server: str, **of_auth: str) -> dict[str, Any]:
    """Return what both have; of the video API only the address, since SDKs insist on it."""
    return {
        "version": "1.0.0",
        "retryCount": 3,
        "retryInterval": 3,
        "authApi": {"authorizationUri": f"{server}/restapi/oauth/authorize", **of_auth},
        "coreApi": {"baseUri": server},
        "rcv": {"baseApiUri": server, "baseWebUri": server},
    }
