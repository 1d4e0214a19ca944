"""The REST client that extensions wrap: OAuth, calls, paths, and the base class of extensions.

For users and for `rcex_ws.wsg`, which installs itself as an `Extension`; `rcex_ws.slack` uses the HTTPS edge. Depends
on the shared modules and `rcex_ws.websocket.proxies`, never on `rcex_ws.connection`; importing it leaves httpx out.

client.py      RingCentral: builds the parts below, installs extensions
methods.py     what users call: log in, send calls
paths.py       fluent paths: rc.restapi().account().get()
core_client.py  what the WebSocket extension needs of any client
extension.py   base class of extensions
lifecycle.py   installed extensions, and closing
calls.py       the path of one call: middlewares, rate gate, transport, 401
auth.py        the OAuth session: log in, renew, revoke
renewal.py     the timer that renews tokens
keeper.py, store.py   access to the token store; the store in a file
https.py       sends requests by HTTPS
http_library.py, http_body.py, http_transport.py   its errors and protocols, arguments, proxies
gate.py        rate limits
message.py, headers.py, errors.py   requests, answers, errors with an answer
outgoing.py, url.py, user_agent.py   pure: checks of arguments, full URLs, User-Agent
token_owner.py, sdk.py   a session that belongs to somebody else, such as the official SDK
token.py, oauth.py, owner.py   pure: tokens, OAuth's requests, whose session it is
"""

from rcex_ws.errors import NotJSON
from rcex_ws.rest.client import PRODUCTION, SANDBOX, RingCentral
from rcex_ws.rest.core_client import CoreClient
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
from rcex_ws.rest.token_owner import TokenOwner
from rcex_ws.tasks import RootTask

__all__ = [
    "PRODUCTION",
    "SANDBOX",
    "UNSET",
    "CoreClient",
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
    "RootTask",
    "Send",
    "StreamedResponse",
    "Token",
    "TokenOwner",
    "TokenStore",
    "generate_code_verifier",
]
