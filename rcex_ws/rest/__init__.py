"""The REST client that extensions wrap: requests, OAuth, paths, the extension base class.

Knows nothing of WebSockets; `rcex_ws.wsg` installs itself as an `Extension`. Importing it does not import httpx.
"""

from rcex_ws.errors import NotJSON
from rcex_ws.rest.client import PRODUCTION, SANDBOX, RingCentral
from rcex_ws.rest.errors import LoginRefused, RestError
from rcex_ws.rest.extension import Extension
from rcex_ws.rest.gate import RateGate
from rcex_ws.rest.headers import Headers
from rcex_ws.rest.http_library import HTTPClient, HTTPResponse
from rcex_ws.rest.https import StreamedResponse
from rcex_ws.rest.message import UNSET, Files, Options, Params, Request, Response, Send
from rcex_ws.rest.oauth import generate_code_verifier
from rcex_ws.rest.paths import PathBuilder
from rcex_ws.rest.store import FileTokenStore, TokenStore
from rcex_ws.rest.token import Token

__all__ = [
    "PRODUCTION",
    "SANDBOX",
    "UNSET",
    "Extension",
    "FileTokenStore",
    "Files",
    "HTTPClient",
    "HTTPResponse",
    "Headers",
    "LoginRefused",
    "NotJSON",
    "Options",
    "Params",
    "PathBuilder",
    "RateGate",
    "Request",
    "Response",
    "RestError",
    "RingCentral",
    "Send",
    "StreamedResponse",
    "Token",
    "TokenStore",
    "generate_code_verifier",
]
