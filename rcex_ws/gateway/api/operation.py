"""One operation of the REST API, and everything that follows from the annotations of its handler.

    area = RestArea("Messages", permission="ReadMessages")

    @area.get("/restapi/v1.0/account/{accountId}/extension/{extensionId}/message-store")
    def list_messages(ask: Ask[MessageFilter, None]) -> Json:
        \"\"\"List the messages of the caller, newest first.\"\"\"
        return {"records": [... for message in ask.core.messages.of(ask.own_extension.id)]}

The two parameters of `Ask` are the query and the body: a msgspec Struct is decoded and checked, `dict[str, Any]` takes
any JSON object, `Upload` of a Struct one that may come with files, `bytes` the raw body, None nothing. The first line
of the docstring is the summary in the OpenAPI document, the return annotation the form of the answer. A path parameter
`accountId` is checked before the handler runs.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar, get_args, get_type_hints

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rcex_ws.gateway.account.people import ACCOUNT_ID, ExtensionRecord
from rcex_ws.gateway.api.arguments import read_body, read_query
from rcex_ws.gateway.call import CallSocket, login_of, server_of, socket_of
from rcex_ws.gateway.core import GatewayCore
from rcex_ws.gateway.oauth import OAuthSession
from rcex_ws.gateway.problem import Problem

__all__ = ["ACCOUNT", "EXTENSION", "Ask", "Json", "RestArea", "RestOperation"]

ACCOUNT = "/restapi/v1.0/account/{accountId}"
EXTENSION = f"{ACCOUNT}/extension/{{extensionId}}"

Json: TypeAlias = dict[str, Any] | list[Any]
Answer: TypeAlias = Mapping[str, Any] | list[Any] | Response | None

_Query = TypeVar("_Query", covariant=True)
_Body = TypeVar("_Body", covariant=True)
_Handler = TypeVar("_Handler", bound=Callable[..., Answer | Awaitable[Answer]])


@dataclass(frozen=True, slots=True)
class Ask(Generic[_Query, _Body]):
    """One request, as its handler gets it.

    Attributes:
        core: the rules and the state of the gateway.
        path: the path parameters, decoded.
        query: the query, of the type that the handler's annotation names.
        body: the body, likewise.
        request: the request itself, for what is rarely needed (headers).
    """

    core: GatewayCore
    path: Mapping[str, str]
    query: _Query
    body: _Body
    request: Request

    @property
    def login(self) -> OAuthSession:
        """The login of the caller."""
        return login_of(self.request)

    @property
    def caller(self) -> ExtensionRecord:
        """The extension of the caller."""
        return self.login.owner

    @property
    def server(self) -> str:
        """The base URL that the client has used, for the URIs in the answer."""
        return server_of(self.request)

    @property
    def socket(self) -> CallSocket | None:
        """The WebSocket that the request came over, None over HTTP."""
        return socket_of(self.request)

    @property
    def extension(self) -> ExtensionRecord:
        """The extension named in the path; `~` means the caller's.

        Raises:
            Problem: 404 CMN-102 for an unknown extension.
        """
        return self.find_extension(self.path["extensionId"])

    @property
    def own_extension(self) -> ExtensionRecord:
        """The extension named in the path, which must be the caller's.

        Raises:
            Problem: 404 CMN-102 for an unknown extension, 403 CMN-404 for that of another user.
        """
        found = self.extension
        if found is not self.caller:
            raise Problem(403, "CMN-404", "Attempt to access another extension")
        return found

    def find_extension(self, text: str) -> ExtensionRecord:
        """Return the extension with this id or extension number; `~` means the caller's.

        Raises:
            Problem: 404 CMN-102 for an unknown extension.
        """
        found = self.caller if text == "~" else self.core.people.by_id(text)
        if found is None:
            raise Problem(404, "CMN-102", "Resource for parameter [extensionId] is not found")
        return found


@dataclass(frozen=True, slots=True)
class RestOperation:
    """One operation of the API.

    Attributes:
        method: the HTTP method.
        path: the path with its parameters in braces.
        handler: called with an `Ask`.
        tag: the area, for the OpenAPI document.
        permission: the permission that the application needs, None for none.
        status: the status of the answer, unless the handler returns a Response; 204 if it returns None.
        consumes: the media types of the body.
        query: the type of the query, None for none.
        body: the type of the body, None for none.
        answer: the type of the answer.
    """

    method: str
    path: str
    handler: Callable[..., Answer | Awaitable[Answer]]
    tag: str
    permission: str | None
    status: int
    consumes: tuple[str, ...]
    query: Any
    body: Any
    answer: Any

    @property
    def summary(self) -> str:
        """What it does, in one line."""
        return (inspect.getdoc(self.handler) or "").partition("\n")[0]

    def route(self) -> Route:
        """Return the route that serves it in each application whose `state.core` is a `GatewayCore`."""
        return Route(self.path, self._answer, methods=[self.method])

    async def _answer(self, request: Request) -> Response:
        if request.path_params.get("accountId", "~") not in ("~", ACCOUNT_ID):
            raise Problem(404, "CMN-102", "Resource for parameter [accountId] is not found")
        if self.permission is not None:
            login_of(request).app.require(self.permission)
        query = read_query(request.query_params, self.query)
        body = await read_body(request, self.body, self.consumes)
        answer = self.handler(Ask(request.app.state.core, request.path_params, query, body, request))
        if inspect.isawaitable(answer):
            answer = await answer
        if isinstance(answer, Response):
            return answer
        return Response(status_code=204) if answer is None else JSONResponse(answer, self.status)


class RestArea:
    """The operations of one area, in the order in which they are written.

    Args:
        tag: the area, for the OpenAPI document.
        permission: the permission that the application needs, unless an operation names another; None for none.
    """

    def __init__(self, tag: str, *, permission: str | None = None) -> None:
        self._tag = tag
        self._permission = permission
        self._all: list[RestOperation] = []

    def __iter__(self) -> Iterator[RestOperation]:
        return iter(self._all)

    def get(self, path: str, **options: Any) -> Callable[[_Handler], _Handler]:
        """Decorate the handler of a GET; see `add`."""
        return self.add("GET", path, **options)

    def post(self, path: str, **options: Any) -> Callable[[_Handler], _Handler]:
        """Decorate the handler of a POST; see `add`."""
        return self.add("POST", path, **options)

    def put(self, path: str, **options: Any) -> Callable[[_Handler], _Handler]:
        """Decorate the handler of a PUT; see `add`."""
        return self.add("PUT", path, **options)

    def patch(self, path: str, **options: Any) -> Callable[[_Handler], _Handler]:
        """Decorate the handler of a PATCH; see `add`."""
        return self.add("PATCH", path, **options)

    def delete(self, path: str, **options: Any) -> Callable[[_Handler], _Handler]:
        """Decorate the handler of a DELETE; see `add`."""
        return self.add("DELETE", path, **options)

    def add(
        self,
        method: str,
        path: str,
        *,
        permission: str | None = None,
        status: int = 200,
        consumes: tuple[str, ...] = ("application/json",),
    ) -> Callable[[_Handler], _Handler]:
        """Decorate the handler of an operation.

        Args:
            method: the HTTP method.
            path: the path with its parameters in braces, named as in RingCentral's API reference.
            permission: the permission that the application needs, by default that of the area.
            status: the status of the answer.
            consumes: the media types of the body.
        """

        def register(handler: _Handler) -> _Handler:
            hints = get_type_hints(handler)
            query, body = get_args(hints["ask"])
            self._all.append(
                RestOperation(
                    method=method,
                    path=path,
                    handler=handler,
                    tag=self._tag,
                    permission=permission or self._permission,
                    status=status,
                    consumes=consumes,
                    query=None if query is type(None) else query,
                    body=None if body is type(None) else body,
                    answer=hints["return"],
                )
            )
            return handler

        return register
