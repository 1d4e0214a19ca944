"""The REST client that extensions wrap: OAuth, calls, paths, and the base class of extensions.

For users and for `rcex_ws.wsg`, which installs itself as an `Extension`; `rcex_ws.slack` uses the HTTPS edge. Depends
on the shared modules and `rcex_ws.websocket.proxies`, never on `rcex_ws.connection`; importing it leaves httpx out.

client.py      RingCentral: builds the parts below, installs extensions
methods.py, session_methods.py   what users call: send calls, log in
paths.py       fluent paths: rc.restapi().account().get()
core_client.py  what the WebSocket extension needs of any client
path_methods.py   where these begin: rc.restapi(), rc.team_messaging(); rc.download()
paging.py, batch.py   lists page by page, many ids in one call
upload.py, download.py   files, read while they are sent and written while they come
extension.py   base class of extensions
extensions/    the small ones: retries, rate limits, events, debug output
lifecycle.py   installed extensions, and closing
calls.py       the path of one call: middlewares, rate gate, transport, 401
auth.py        the OAuth session: log in, renew, revoke
bot.py         the session of a bot
watchers.py    tells extensions of logins, refreshes and logouts
login_pages.py what the addresses of login pages were made with
renewal.py     the timer that renews tokens
keeper.py, store.py   access to the token store; the store in a file
https.py, in_flight.py   sends requests by HTTPS; ends them with their client
http_library.py, http_body.py, http_transport.py   its errors and protocols, arguments, proxies
gate.py, stats.py   rate limits, counters
message.py, headers.py, errors.py, hints.py   requests, answers, errors with an answer, what to do about them
outgoing.py, url.py, user_agent.py   pure: checks of arguments, full URLs, User-Agent
token_owner.py, sdk.py   a session that belongs to somebody else, such as the official SDK
token.py, oauth.py, owner.py   pure: tokens, OAuth's requests, whose session it is
"""

from rcex_ws.errors import NotJSON
from rcex_ws.rest.batch import BatchResult
from rcex_ws.rest.client import PRODUCTION, SANDBOX, RingCentral
from rcex_ws.rest.core_client import CoreClient
from rcex_ws.rest.errors import LoginRefused, PagingError, RestError
from rcex_ws.rest.extension import Extension
from rcex_ws.rest.extensions import (
    DebugExtension,
    EventsExtension,
    RateLimitExtension,
    RestEvents,
    RetryExtension,
    default_retry_delay,
)
from rcex_ws.rest.gate import RateGate
from rcex_ws.rest.headers import Headers
from rcex_ws.rest.http_library import HTTPClient, HTTPResponse
from rcex_ws.rest.https import StreamedResponse
from rcex_ws.rest.message import UNSET, Files, Options, Params, Progress, Request, Response, Send
from rcex_ws.rest.oauth import generate_code_verifier
from rcex_ws.rest.paths import PathBuilder
from rcex_ws.rest.stats import CallCounts, RestStats
from rcex_ws.rest.store import FileTokenStore, TokenStore
from rcex_ws.rest.token import Token
from rcex_ws.rest.token_owner import TokenOwner
from rcex_ws.rest.watchers import SessionChange, SessionPhase, SessionStep
from rcex_ws.tasks import RootTask

__all__ = [
    "PRODUCTION",
    "SANDBOX",
    "UNSET",
    "BatchResult",
    "CallCounts",
    "CoreClient",
    "DebugExtension",
    "EventsExtension",
    "Extension",
    "FileTokenStore",
    "Files",
    "HTTPClient",
    "HTTPResponse",
    "Headers",
    "LoginRefused",
    "NotJSON",
    "Options",
    "PagingError",
    "Params",
    "PathBuilder",
    "Progress",
    "RateGate",
    "RateLimitExtension",
    "Request",
    "Response",
    "RestError",
    "RestEvents",
    "RestStats",
    "RetryExtension",
    "RingCentral",
    "RootTask",
    "Send",
    "SessionChange",
    "SessionPhase",
    "SessionStep",
    "StreamedResponse",
    "Token",
    "TokenOwner",
    "TokenStore",
    "default_retry_delay",
    "generate_code_verifier",
]
