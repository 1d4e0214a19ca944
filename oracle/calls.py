"""What a request means to the model, whichever way it came: the application's calls, and those of a subscription."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from oracle import journal as j
from oracle.model import Model, Session, problem

__all__ = ["SUBSCRIPTION", "Answer", "Calls"]

SUBSCRIPTION = "/restapi/v1.0/subscription"
Answer = tuple[int, dict[str, Any] | None, dict[str, str]]


class Calls:
    """Carry out requests and count how often each was done.

    Args:
        put: takes records.

    Attributes:
        done: how often each call was done.
    """

    def __init__(self, put: Callable[[j.Record], None]) -> None:
        self._put = put
        self.done: Counter[str] = Counter()

    def application(self, method: str, path: str, query: dict[str, str], body: object, via: str) -> Answer:
        """Do a call of the application; its id is in the query, or for a body in that."""
        call = query.get("call") or (str(body.get("call", "")) if isinstance(body, dict) else "")
        if not call:
            return (*problem(404, "CMN-102", f"There is no {path}"), {})
        self.done[call] += 1
        self._put(j.Done(call, method, via, self.done[call]))
        return 200, {"call": call, "times": self.done[call]}, {}

    @staticmethod
    def subscription(model: Model, session: Session | None, method: str, path: str, body: object, now: float) -> Answer:
        """Do a call on the subscription: over its session's own connection, or by HTTPS without one."""
        id_ = path.removeprefix(SUBSCRIPTION).strip("/").removesuffix("/renew")
        raw = body.get("eventFilters", []) if isinstance(body, dict) else []
        filters = [str(one) for one in raw] if isinstance(raw, list) else []
        if method == "DELETE":
            return (*model.delete(session, id_), {})
        if session is None:
            if method == "GET":
                records = [model.describe(one.subscription) for one in model.sessions.values() if one.subscription]
                return 200, {"uri": SUBSCRIPTION, "records": records}, {}
            return (*problem(400, "SUB-511", "WebSocket subscriptions cannot be changed via HTTP"), {})
        if method == "POST" and not id_:
            return (*model.subscribe(session, filters, now), {})
        if method in {"PUT", "POST"}:
            return (*model.change(session, id_, filters if method == "PUT" else [], now), {})
        if session.subscription is not None and method == "GET" and id_ in {"", session.subscription.id}:
            info = model.describe(session.subscription)
            return 200, info if id_ else {"uri": SUBSCRIPTION, "records": [info]}, {}
        return (*problem(404, "CMN-102", "Resource for parameter [subscriptionId] is not found"), {})
