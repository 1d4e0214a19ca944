"""Journals written by hand: a short life in which all goes well, to break one thing of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from oracle import journal as j
from oracle.judge import judge
from oracle.topics import TOPICS, resolve
from oracle.violation import Violation

# The server's own clock at the journals' time zero.
CLOCK = 1_800_000_000.0
PRESENCE = "/restapi/v1.0/account/~/extension/~/presence"
SMS = "/restapi/v1.0/account/~/extension/~/message-store?type=SMS"
FAX = "/restapi/v1.0/account/~/extension/~/message-store?type=Fax"
TOPIC = {PRESENCE: TOPICS[0], SMS: TOPICS[5], FAX: TOPICS[6]}
OPTIONS = {"heartbeat_interval": 30.0, "heartbeat_timeout": 10.0}


@dataclass
class Journals:
    """Two journals in the making.

    Args:
        faults: kinds that are switched on.
        buffer: size of the server's.
    """

    faults: list[str] = field(default_factory=list[str])
    buffer: int = 100
    server: list[j.AnyRecord] = field(default_factory=list[j.AnyRecord])
    client: list[j.AnyRecord] = field(default_factory=list[j.AnyRecord])
    life: int = 0
    made: int = 0
    op: int = 0
    conn: int = 0

    def __post_init__(self) -> None:
        options: dict[str, Any] = {"buffer": self.buffer, "window": 180.0}
        self.server.append(j.ServerBegan(at=0.0, clock=CLOCK, faults=self.faults, options=options))

    def begin(self, at: float, *, store: bool = True) -> None:
        """Begin a life."""
        self.life, self.op = self.life + 1, 0
        self.client.append(j.LifeBegan(at=at, life=self.life, store=store, options=dict(OPTIONS)))

    def open(self, at: float, recovery: str = "", *, code: str = "", replayed: int = 0, session: int = 1) -> None:
        """Open a connection; the client hears of it."""
        self.conn += 1
        what = "upgrade with wsc" if recovery else "upgrade"
        self.server.append(j.Heard(at=at, what=what, conn=self.conn, via="websocket"))
        opened = j.ConnOpened(
            at=at, conn=self.conn, session=session, oauth=1, recovery=recovery, code=code, replayed=replayed
        )
        self.server.append(opened)
        for event in ("newWsc", *(["autoRecoverSuccess"] if recovery == "Successful" else []), "connectionReady"):
            after = 0.5 if event == "connectionReady" else 0.1  # gaps are told in between
            self.client.append(j.Told(at=at + after, life=self.life, event=event, state="ready"))

    def lose(self, at: float, how: str, *, struck: bool = True) -> None:
        """Lose the connection; the client is told."""
        if struck:
            self.server.append(j.Struck(at=at, kind=how, where="connection", conn=self.conn))
        self.server.append(j.ConnEnded(at=at, conn=self.conn, session=1, how=how, by_plan=True))
        self.client.append(j.Told(at=at + 0.1, life=self.life, event="disconnected", state="connecting"))

    def ask(self, at: float, filters: list[str], *, consumer: int) -> int:
        """Begin to subscribe."""
        self.op += 1
        changing = j.Changing(at=at, life=self.life, op=self.op, what="subscribe", consumer=consumer, filters=filters)
        self.client.append(changing)
        return self.op

    def answer(self, at: float, op: int, filters: list[str], *, by: str = "POST") -> None:
        """Let it come back."""
        granted = [resolve(one) for one in filters]
        self.server.append(j.InForce(at=at - 0.1, session=1, by=by, sub="sub", filters=granted))
        self.client.append(j.Changed(at=at, life=self.life, op=op, how="returned", claimed=filters))

    def subscribe(self, at: float, filters: list[str], *, consumer: int, by: str = "POST") -> None:
        """Subscribe, which takes 0.3 s."""
        self.answer(at + 0.3, self.ask(at, filters, consumer=consumer), filters, by=by)

    def make(self, at: float, filter_: str = PRESENCE) -> int:
        """Let something happen."""
        self.made += 1
        self.server.append(j.Made(at=at, n=self.made, topic=TOPIC[filter_], uuid=str(self.made)))
        return self.made

    def write(self, at: float, n: int, how: str = "live") -> None:
        """Write it to the connection."""
        self.server.append(j.Written(at=at, n=n, conn=self.conn, session=1, sub="sub", how=how))

    def handle(self, at: float, n: int, *, consumer: int = 2, iterator: int = 0) -> None:
        """Handle it."""
        self.client.append(j.Handled(at=at, life=self.life, n=n, uuid=str(n), consumer=consumer, iterator=iterator))

    def leave(self, at: float, n: int, *, iterator: int = 1) -> None:
        """Find it waiting for an iterator when all is closed."""
        self.client.append(j.Unread(at=at, life=self.life, n=n, iterator=iterator))

    def revoke(self, at: float) -> None:
        """Revoke the subscription, which takes 0.3 s."""
        self.op += 1
        self.client.append(j.Changing(at=at, life=self.life, op=self.op, what="revoke", consumer=0))
        self.client.append(j.Changed(at=at + 0.3, life=self.life, op=self.op, how="returned"))

    def deliver(self, at: float, filter_: str = PRESENCE, *, consumer: int = 2) -> int:
        """Let something happen, and be handled."""
        n = self.make(at, filter_)
        self.write(at, n)
        self.handle(at + 0.1, n, consumer=consumer)
        return n

    def call(self, at: float, name: str, *, answered: float | None = None) -> None:
        """Call over the WebSocket."""
        answered = at + 0.2 if answered is None else answered
        self.client.append(j.CallBegan(at=at, life=self.life, call=name, method="GET"))
        ended = j.CallEnded(at=answered, life=self.life, call=name, how="returned", via="websocket", status=200)
        self.client.append(ended)

    def beat(self, at: float) -> None:
        """Ask for a sign of life, which is answered."""
        self.server.append(j.Heard(at=at, what="heartbeat", conn=self.conn, via="websocket"))

    def tell(self, at: float, since: float | None, until: float, *, certain: bool, reason: str) -> None:
        """Tell of a gap; its times are the journals', turned into the server's here."""
        began = None if since is None else since + CLOCK
        gap = j.GapTold(
            at=at, life=self.life, how="event", since=began, until=until + CLOCK, certain=certain, reason=reason
        )
        self.client.append(gap)

    def end(self, at: float, how: str) -> None:
        """End the life: by a kill, or in order by detach."""
        if how != "kill":
            closing = j.Closing(at=at, life=self.life, close=1, what=how, whence="outside", timeout=5.0)
            self.client.append(closing)
            self.server.append(j.ConnEnded(at=at + 0.1, conn=self.conn, session=1, how="client closed 1000"))
            done = j.ClosingDone(at=at + 0.2, life=self.life, close=1, how="returned", state="closed")
            self.client.append(done)
        self.client.append(j.LifeEnded(at=at + 0.3, life=self.life, how=how))

    def judge(self, *rules: str) -> list[Violation]:
        """Judge by these rules, after a while of calm."""
        last = max(record.at for record in (*self.server, *self.client))
        settled = j.Settled(at=last + 20, life=self.life, state="ready", subscription="active")
        server, client = (
            sorted(records, key=lambda record: record.at) for records in (self.server, [*self.client, settled])
        )
        return judge(server, client, rules=rules).violations


def begun(*, faults: list[str] | None = None, buffer: int = 100) -> Journals:
    """Begin a life with a store that has subscribed by 2.3 and got something at 10."""
    journals = Journals(faults or [], buffer)
    journals.begin(1.0)
    journals.open(1.5)
    journals.subscribe(2.0, [PRESENCE], consumer=2)
    journals.deliver(10.0)
    return journals
