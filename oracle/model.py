"""What RingCentral's server knows and decides: sessions, subscriptions, events, buffers. Pure: no I/O, `now` passed in.

Facts are those of the protocol's notes; where they are silent, the model is kind to the client. All it decides it also
writes to the journal. Frames leave by `write`, which only puts them in a connection's queue: what was written to a
connection that is dead without the server's knowledge is lost, and is not in the buffer.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from oracle import journal as j
from oracle.faults import Plan
from oracle.login import Login, Logins
from oracle.sessions import Event, Session, Subscription, problem, stamp
from oracle.topics import matches, name, resolve

__all__ = ["Event", "Frame", "Model", "Session", "problem"]

Frame = list[dict[str, Any]]
Write = Callable[[int, Frame], None]


class Model:
    """One server from its start to its restart.

    Args:
        plan: which faults strike.
        rng: for ids and secrets.
        write: takes a frame for a connection.
        put: takes records.
        number: gives a new session its number.
        clock: the server's own time at judge's time zero; added to every `now`.
    """

    def __init__(
        self,
        plan: Plan,
        rng: random.Random,
        write: Write,
        put: Callable[[j.Record], None],
        *,
        number: Callable[[], int],
        clock: float,
    ) -> None:
        self.plan = plan
        self.logins = Logins(self._new_token)
        self.sessions: dict[int, Session] = {}
        self.wscs: dict[str, Session] = {}
        self.clock = clock
        self.refuses_until = 0.0
        self.refuses_with = 403
        self._rng = rng
        self._write = write
        self._put = put
        self._number = number

    # The world.

    def happen(self, event: Event) -> None:
        """Give an event to everyone who asked for it."""
        for session in list(self.sessions.values()):
            subscription = session.subscription
            if subscription is None or not any(matches(one, event.topic) for one in subscription.filters):
                continue
            if session.conn is not None:
                self.notify(session, event, "live")
                continue
            self._keep(session, subscription, event)

    def _keep(self, session: Session, subscription: Subscription, event: Event) -> None:
        session.buffer.append(event)
        self._put(j.Buffered(event.n, session.number, subscription.id))
        if len(session.buffer) > self.plan.buffer_size:
            self._put(j.Dropped(session.buffer.popleft().n, session.number, "full"))

    def notify(self, session: Session, event: Event, how: str) -> None:
        """Write an event to a session's connection."""
        subscription, conn = session.subscription, session.conn
        if subscription is None or conn is None:
            return
        meta: dict[str, Any] = {"type": "ServerNotification", "messageId": event.uuid, "status": 200, "headers": {}}
        body = {
            "uuid": event.uuid,
            "event": self._name(subscription, event),
            "timestamp": stamp(event.made_at + self.clock + self._skew(event)),
            "subscriptionId": subscription.id,
            "ownerId": "500",
            "body": event.body,
        }
        if self.plan.strikes("stamp-none"):
            self._put(j.Struck("stamp-none", conn=conn))
            del body["timestamp"]
        if how == "live":
            session.recent.append(event)
        self._put(j.Written(event.n, conn, session.number, subscription.id, how))
        self._write(conn, [self.with_wsc(session, meta), body])

    def _name(self, subscription: Subscription, event: Event) -> str:
        """Give the event's path as one of the filters that caused it would have it."""
        causes = [one for one in subscription.filters if matches(one, event.topic)]
        if "event-paths" not in self.plan.kinds:
            return name(causes[0], event.topic, None) if causes else event.topic
        dice = self.plan.dice("event-paths")
        return name(dice.choice(causes) if causes else event.topic, event.topic, dice)

    def _skew(self, event: Event) -> float:
        """Give the seconds by which the part that stamps an event is ahead."""
        if "stamp-skew" not in self.plan.kinds or self.plan.calm:
            return 0.0
        return self.plan.dice(f"stamp-skew of {event.n % 7}").uniform(-4, 4)

    def with_wsc(self, session: Session, meta: dict[str, Any]) -> dict[str, Any]:
        """Add a new wsc to a frame, if the plan wants it."""
        if self.plan.strikes("wsc-anywhere"):
            return {**meta, "wsc": self._next_wsc(session)}
        return meta

    # Connections.

    def connect(self, conn: int, login: Login, wsc: str | None, now: float) -> tuple[Session, Frame, str] | Frame:
        """Give a connection its session and first frame, and the name of an old connection to end; or an Error frame.

        Nothing may be written before `details` were; so the caller writes them, and calls `replay` after it.
        """
        recovery, code, session, replaced = "", "", None, ""
        if wsc is not None:
            if not wsc.startswith("wsc") or self.plan.strikes("bad-wsc"):
                self._put(j.Struck("bad-wsc", "upgrade", conn))
                return self.error(400, "WSG-400", "Malformed WebSocket session context token")
            session, code = self._find(wsc, login, now, conn)
            if session is not None and session.conn is not None and session.conn > conn:
                return self.error(409, "WSG-911", "There is a newer connection")
            recovery = "Successful" if session is not None else "Failed"
        if session is None:
            session = Session(self._number(), login)
            self.sessions[session.number] = session
        elif session.conn is not None:
            # The server does not know yet that the old one is dead; the newest wins.
            replaced = str(session.conn)
            self._put(j.ConnEnded(session.conn, session.number, "replaced"))
        session.conn = conn
        session.sequence = 0
        self._put(j.ConnOpened(conn, session.number, login.number, recovery, code, len(session.buffer)))
        details: dict[str, Any] = {
            "creationTime": stamp(now + self.clock),
            "maxConnectionsPerSession": 50,
            "recoveryBufferSize": self.plan.buffer_size,
            "recoveryTimeout": self.plan.recovery_timeout,
            "idleTimeout": self.plan.idle_timeout,
            "absoluteTimeout": self.plan.absolute_timeout,
            "maxActiveRequests": 10,
        }
        if recovery:
            details["recoveryState"] = recovery
        if code:
            details["recoveryErrorCode"] = code
        meta = {
            "type": "ConnectionDetails",
            "messageId": self._new_token("details"),
            "status": 200,
            "wsc": self._next_wsc(session),
            "headers": {},
        }
        return session, [meta, details], replaced

    def replay_one(self, session: Session) -> bool:
        """Write the oldest that was buffered; False when there is none."""
        if not session.buffer or session.conn is None:
            return False
        self.notify(session, session.buffer.popleft(), "replay")
        return True

    def replay(self, session: Session) -> None:
        """Write what was buffered, in order; some of it twice if the plan wants that."""
        events = list(session.buffer)
        session.buffer.clear()
        for event in events:
            self.notify(session, event, "replay")
        if events and self.plan.strikes("replay-doubled"):
            self._put(j.Struck("replay-doubled", conn=session.conn or 0))
            for event in (dice := self.plan.dice("replay-doubled")).sample(events, dice.randint(1, len(events))):
                self.notify(session, event, "again")

    def lost(self, conn: int, how: str, now: float, *, by_plan: bool = False) -> None:
        """Take note that a connection is gone: from now on its session's events are buffered."""
        for session in self.sessions.values():
            if session.conn == conn:
                session.conn, session.lost_at = None, now
                self._put(j.ConnEnded(conn, session.number, how, by_plan))
                self._keep_again(session)

    def _keep_again(self, session: Session) -> None:
        """Keep the last that was written live, as if it might not have arrived."""
        recent, subscription = list(session.recent), session.subscription
        session.recent.clear()
        if session.buffer or not recent or subscription is None or not self.plan.strikes("replay-again"):
            return
        self._put(j.Struck("replay-again", "session", detail=str(session.number)))
        for event in recent[-self.plan.dice("replay-again").randint(1, len(recent)) :]:
            self._keep(session, subscription, event)

    def vanish(self) -> None:
        """Lose the subscription of a session that is connected, and tell nobody."""
        for session in self.sessions.values():
            if session.conn is not None and session.subscription is not None:
                self._put(j.Struck("vanish", "subscription", session.conn))
                self._forget_subscription(session, "vanished")
                return

    def _forget_subscription(self, session: Session, by: str) -> None:
        session.subscription = None
        self._empty(session, by)
        self._in_force(session, by)

    def expire(self, now: float) -> None:
        """Forget the sessions that were lost too long ago."""
        for session in list(self.sessions.values()):
            if session.conn is None and now - session.lost_at > self.plan.recovery_timeout:
                self.forget(session, "timeout")

    def forget(self, session: Session, why: str) -> None:
        """Forget a session with all it has."""
        self._empty(session, "forgotten")
        self.sessions.pop(session.number, None)
        self._put(j.SessionLost(session.number, why))

    def _empty(self, session: Session, why: str) -> None:
        for event in session.buffer:
            self._put(j.Dropped(event.n, session.number, why))
        session.buffer.clear()

    def error(self, status: int, code: str, message: str) -> Frame:
        """Build an Error frame."""
        meta = {"type": "Error", "messageId": self._new_token("error"), "status": status, "headers": {}}
        return [meta, {"errorCode": code, "message": message}]

    # The subscription of a session.

    def subscribe(self, session: Session, filters: list[str], now: float) -> tuple[int, dict[str, Any]]:
        """POST: make a subscription; the one before is cancelled."""
        if not filters:
            return problem(400, "SUB-508", "Event filters are invalid")
        id_ = self._new_token("sub")
        session.subscription = Subscription(id_, filters, self._disabled(session, filters), now)
        self._in_force(session, "POST")
        return 200, self.describe(session.subscription)

    def change(self, session: Session, id_: str, filters: list[str], now: float) -> tuple[int, dict[str, Any]]:
        """PUT: new filters, or a renewal when there are none."""
        subscription = self._mine(session, id_)
        if subscription is None:
            self._in_force(session, "missing")
            if self.plan.strikes("forgotten-refused"):
                dice = self.plan.dice("forgotten-refused")
                self.refuses_until = now + self.plan.paced(dice.choice((10.0, 60.0, 300.0)))
                self.refuses_with = dice.choice((403, 429, 500, 503))
                self._put(j.Struck("forgotten-refused", "subscription", detail=str(self.refuses_with)))
            return problem(404, "CMN-102", "Resource for parameter [subscriptionId] is not found")
        if filters:
            subscription.asked = filters
            subscription.disabled = self._disabled(session, filters)
            self._in_force(session, "PUT")
        return 200, self.describe(subscription)

    def delete(self, session: Session | None, id_: str) -> tuple[int, dict[str, Any] | None]:
        """DELETE, over the session's own connection or, without one, by HTTPS."""
        for one in list(self.sessions.values()) if session is None else [session]:
            if self._mine(one, id_) is not None:
                one.subscription = None
                self._empty(one, "deleted")
                self._in_force(one, "DELETE")
                return 204, None
        return problem(404, "CMN-102", "Resource for parameter [subscriptionId] is not found")

    def describe(self, subscription: Subscription) -> dict[str, Any]:
        """Give the SubscriptionInfo of the wire."""
        info: dict[str, Any] = {
            "uri": f"/restapi/v1.0/subscription/{subscription.id}",
            "id": subscription.id,
            "creationTime": stamp(subscription.made_at + self.clock),
            "status": "Active",
            "eventFilters": subscription.filters,
            "expirationTime": stamp(subscription.made_at + self.clock + 86399),
            "expiresIn": 86399,
            "deliveryMode": {"transportType": "WebSocket", "encryption": False},
        }
        if subscription.disabled:
            info["disabledFilters"] = [
                {"filter": resolve(one), "reason": "SUB-403", "message": "Not allowed"} for one in subscription.disabled
            ]
        return info

    def known(self) -> list[str]:
        """Give the subscriptions that are left, for the journal."""
        return [
            f"{session.number}:{session.subscription.id}:{','.join(session.subscription.filters)}"
            for session in self.sessions.values()
            if session.subscription is not None
        ]

    # How it is done.

    def _find(self, wsc: str, login: Login, now: float, conn: int) -> tuple[Session | None, str]:
        """Find the session of a recovery token, or say why it cannot be recovered; then it is gone."""
        self.expire(now)
        session = self.wscs.get(wsc)
        if session is None or session.number not in self.sessions:
            return None, "WSG-1005"
        if session.login is not login:
            self.forget(session, "oauth")
            return None, "WSG-1003"
        if session.subscription is None:
            return None, "WSG-1005"
        if self.plan.strikes("recovery-failed"):
            self._put(j.Struck("recovery-failed", "upgrade", conn))
            self.forget(session, "failed")
            return None, self.plan.dice("recovery-failed").choice(("WSG-1003", "WSG-1005"))
        return session, ""

    def _mine(self, session: Session, id_: str) -> Subscription | None:
        subscription = session.subscription
        if subscription is None or subscription.id != id_:
            return None
        if self.plan.strikes("forgotten"):
            self._put(j.Struck("forgotten", "subscription", session.conn or 0))
            self._forget_subscription(session, "forgotten")
            return None
        return subscription

    def _disabled(self, session: Session, filters: list[str]) -> list[str]:
        disabled = self.plan.disabled(filters)
        if disabled:
            self._put(j.Struck("disabled", "subscription", session.conn or 0, ",".join(disabled)))
        return disabled

    def _in_force(self, session: Session, by: str) -> None:
        subscription = session.subscription
        if subscription is None:
            self._put(j.InForce(session.number, by))
        else:
            disabled = [resolve(one) for one in subscription.disabled]
            self._put(j.InForce(session.number, by, subscription.id, subscription.filters, disabled))

    def _next_wsc(self, session: Session) -> dict[str, Any]:
        session.sequence += 1
        session.token = self._new_token("wsc")
        self.wscs[session.token] = session
        return {"token": session.token, "sequence": session.sequence}

    def _new_token(self, kind: str) -> str:
        return f"{kind}-{self._rng.getrandbits(64):016x}"
