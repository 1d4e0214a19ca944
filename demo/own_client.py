"""A REST client of one's own that hosts the WebSocket extension: a `CoreClient` on httpx, in 60 lines.

    python demo/own_client.py

It logs in with a JWT, refreshes its token when it is about to expire, and sends the extension's calls. What it leaves
out is what `RingCentral` has: rate limits, extensions besides this one, a store, proxies, one refresh at a time.
"""

import ssl
import time
from typing import Any

import httpx

from rcex_ws import (
    LoginRefused,
    NotConnected,
    Request,
    Response,
    RestError,
    Token,
    TransportError,
    WebSocketExtension,
)
from rcex_ws.rest import UNSET, RootTask, Send

TOKEN_PATH = "/restapi/oauth/token"
JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class MyClient:
    """A client of RingCentral's REST API.

    Args:
        server: URL of the API.
        client_id: id of the application.
        client_secret: secret of the application.
    """

    user_agent = "own-client/1.0"
    proxy = None
    https_calls = 0

    def __init__(self, server: str, client_id: str, client_secret: str) -> None:
        self.server, self.client_id = server, client_id
        self.token: Token | None = None
        self.tasks = RootTask("my client")
        self.ssl_context = ssl.create_default_context()
        self.http = httpx.AsyncClient(base_url=server, verify=self.ssl_context)
        self._credentials = (client_id, client_secret)

    async def log_in(self, **form: str) -> Token:
        """Log in, or refresh: the form says which."""
        answer = await self._answer("POST", TOKEN_PATH, data=form, auth=self._credentials)
        if answer.status_code in {400, 401, 403}:
            raise LoginRefused(answer, method="POST", path=TOKEN_PATH)  # the extension gives up, and says so
        self.token = Token.from_dict(answer.json())
        return self.token

    async def ensure_token(self) -> Token:
        """Return a token that is valid now."""
        if self.token is None:
            raise NotConnected("log in first")
        if not self.token.expires_soon(time.time()):
            return self.token
        return await self.log_in(grant_type="refresh_token", refresh_token=self.token.refresh_token or "")

    async def send(self, request: Request, *, transport: Send | None = None) -> Response:
        """Send a call of the extension: over its socket, or by HTTPS."""
        request.start_clock()
        response = await (transport or self._send_by_https)(request)
        if not response.is_success:
            raise RestError(response, method=request.method, path=request.path)
        return response

    async def _send_by_https(self, request: Request) -> Response:
        self.https_calls += 1
        headers = {"Authorization": f"Bearer {(await self.ensure_token()).access_token}"}
        body = {} if request.json is UNSET else {"json": request.json}
        return await self._answer(request.method, request.path, headers=headers, timeout=request.timeout, **body)

    async def _answer(self, method: str, path: str, **options: Any) -> Response:
        try:
            answer = await self.http.request(method, path, **options)
        except httpx.HTTPError as error:
            raise TransportError(f"no answer: {type(error).__name__}") from None  # its text may hold a secret
        return Response(answer.status_code, answer.headers, answer.content)

    async def aclose(self) -> None:
        """End the extension's tasks, then the connections."""
        await self.tasks.aclose()
        await self.http.aclose()


async def main(account: Any) -> None:
    """Print the next event of the message store."""
    client = MyClient(account.server, account.client_id, account.client_secret)
    await client.log_in(grant_type=JWT_GRANT, assertion=account.jwt)
    ws_ext = WebSocketExtension()
    await ws_ext.install(client)
    subscription = await ws_ext.subscribe(["/restapi/v1.0/account/~/extension/~/message-store"])
    print("waiting for a message", flush=True)
    async for notification in subscription:
        print(notification.event, notification.body)
        break
    await ws_ext.aclose()
    await client.aclose()


if __name__ == "__main__":
    from shared import run  # here alone, as others import this file from elsewhere

    run(main, "receive_sms")
