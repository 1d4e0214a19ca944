"""A local RingCentral for tests and demos: OAuth, a part of the REST API, the WebSocket gateway, and faults on command.

Needs the extra: `pip install 'rcex_ws[gateway]'`; what needs it is imported when first used, so that its absence can be
told in one clear line. The gateway shares the WebSocket layer with the client, and nothing above it, so that a mistake
in one is not hidden by the same mistake in the other.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from rcex_ws.gateway.options import GatewayOptions

if TYPE_CHECKING:
    from rcex_ws.gateway.app import GatewayApp
    from rcex_ws.gateway.server import Gateway

__all__ = ["Gateway", "GatewayApp", "GatewayOptions"]

_HOMES = {"Gateway": ".server", "GatewayApp": ".app"}
_EXTRA = {"starlette"}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(_HOMES[name], __name__), name)
    except ModuleNotFoundError as error:
        if str(error.name).partition(".")[0] not in _EXTRA:
            raise
        message = "the local gateway needs an extra: pip install 'rcex_ws[gateway]'"
        raise ModuleNotFoundError(message, name=error.name) from error
