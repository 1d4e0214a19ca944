"""Whatever happens in whatever order, each message settles exactly once. Pure: a fake send, no socket, no waiting."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from rcex_ws.errors import NotConnected, RequestLost, RequestTimeout
from rcex_ws.slack import MessageOutcome, MessageRejected
from rcex_ws.slack.messages import Messages

TYPES = st.sampled_from(["message", "message", "message", "ping", "typing"])


class Conversations(RuleBasedStateMachine):
    """Send, lose, replay, acknowledge, time out, in any order; compare with a model that is only bookkeeping."""

    @initialize(while_disconnected=st.sampled_from(["refuse", "queue"]))
    def begin(self, while_disconnected):
        self.loop = asyncio.new_event_loop()
        self.steps = []
        self.settled = Counter()
        self.results = {}
        self.sent = {}
        self.over = {}  # id -> number of the connection that carried it
        self.outbox = []  # given to the connection, not yet written
        self.connection = 0
        self.connected = self.ended = False
        self.queueing = while_disconnected == "queue"
        self.now = 0.0
        self.run(self.make(while_disconnected))

    async def make(self, while_disconnected):
        self.messages = Messages(
            while_disconnected=while_disconnected,
            queue_callback=self.steps.append,
            in_turn=self.steps.append,
            start_watcher=lambda: None,
            log=logging.getLogger("quiet"),
        )
        self.messages.self_id = "U1"

    def run(self, coroutine):
        """Run on a loop of its own; then the callbacks, as the feed would."""
        result = self.loop.run_until_complete(coroutine)
        while self.steps:
            self.loop.run_until_complete(self.steps.pop(0)())
        return result

    def do(self, function, *args):
        async def call():
            return function(*args)

        return self.run(call())

    def transmit(self, pending):
        def send(item):
            if not isinstance(item, bytes):
                self.outbox.append(item)

        self.messages.transmit(pending, send, connection=self.connection)

    @precondition(lambda self: not self.ended)
    @rule(kind=TYPES, timeout=st.sampled_from([1e6, 2e6]))
    def send(self, kind, timeout):
        number = self.messages._last_id + 1

        def callback(error, reply):
            self.settled[number] += 1
            self.results[number] = error if reply is None else reply
            assert (error is None) != (reply is None)

        async def send():
            return self.messages.send(kind, {"text": "x"}, timeout=timeout, callback=callback)

        sent = self.run(send())
        assert sent.id == number
        self.sent[number] = sent
        if not self.connected and not self.queueing:
            assert isinstance(self.results[number], NotConnected)

    @precondition(lambda self: self.outbox)
    @rule()
    def write(self):
        for pending in self.outbox:
            if not pending.settled:
                pending.sent = True
                self.over[int(pending.key)] = self.connection
        self.outbox.clear()

    @precondition(lambda self: not self.connected and not self.ended)
    @rule()
    def connect(self):
        self.connection += 1
        self.of_earlier = self.messages.ids_in_doubt()
        self.connected = True
        self.do(self.messages.table.connect, self.transmit)

    @precondition(lambda self: self.connected)
    @rule()
    def lose(self):
        self.connected = False
        self.outbox.clear()
        self.do(self.messages.connection_lost, self.connection)
        self.do(self.messages.table.disconnect)

    @precondition(lambda self: self.connected)
    @rule(data=st.data(), ok=st.sampled_from([True, True, False]), typed=st.booleans())
    def answer(self, data, ok, typed):
        number = data.draw(st.integers(1, self.messages._last_id + 2))
        event = {"ok": ok, "reply_to": number, **({"ts": "1.2", "text": "y"} if ok else {"error": {"msg": "no"}})}
        if typed and ok:
            event = {"type": "message", "reply_to": number, "text": "y", "ts": "1.2"}
        was, known = self.settled[number], number in self.over
        self.do(self.messages.handle_reply, number, event)
        if known and not was:
            result = self.results[number]
            assert isinstance(result, MessageRejected) if not ok else result.outcome is MessageOutcome.ACKNOWLEDGED
        elif was:
            assert self.settled[number] == was

    @precondition(lambda self: self.connected)
    @rule(data=st.data())
    def replay(self, data):
        last = data.draw(st.integers(0, self.messages._last_id + 1))
        self.do(self.messages.handle_reply, last, {"type": "message", "reply_to": last, "text": "y", "ts": "1.2"})
        before = dict(self.settled)
        self.do(self.messages.settle_by_replay, last)
        for number in self.settled:
            if self.settled[number] == before.get(number, 0):
                continue
            assert self.over[number] == self.over[last] < self.connection  # never what went over another, or this one
            result = self.results[number]
            if number > last:
                assert isinstance(result, RequestLost)
                assert not result.sent
            else:
                assert number < last
                assert result.outcome is MessageOutcome.ASSUMED

    @precondition(lambda self: self.connected)
    @rule()
    def the_replay_window_is_over(self):
        before = dict(self.settled)
        open_ones = [key for key in self.of_earlier if not self.settled[int(key)]]
        self.do(self.messages.fail_in_doubt, self.of_earlier)
        for number in self.settled:
            if self.settled[number] != before.get(number, 0):
                assert str(number) in open_ones
                assert self.over[number] < self.connection
                assert isinstance(self.results[number], RequestLost)
                assert self.results[number].sent
        assert all(self.settled[int(key)] for key in self.of_earlier)

    @rule(seconds=st.sampled_from([0.5e6, 1e6]))
    def time_passes(self, seconds):
        before = dict(self.settled)

        async def expire():
            # Deadlines are of the loop's clock, which hardly moves here.
            self.now += seconds
            return self.messages.table.expire(asyncio.get_running_loop().time() + self.now)

        self.run(expire())
        for number in self.settled:
            if self.settled[number] != before.get(number, 0):
                assert isinstance(self.results[number], RequestTimeout)

    @precondition(lambda self: not self.ended)
    @rule()
    def cancel_a_wait(self):
        """Waiting for what was sent and giving up changes nothing; what was queued is not sent any more."""
        open_ones = [sent for number, sent in self.sent.items() if not self.settled[number]]
        if not open_ones:
            return
        sent = open_ones[0]

        async def wait():
            task = asyncio.ensure_future(sent._wait())
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])

        was_sent = sent.pending.sent
        self.run(wait())
        assert self.settled[sent.id] == (not was_sent)
        if not was_sent:
            assert isinstance(self.results[sent.id], RequestLost)

    @precondition(lambda self: not self.ended)
    @rule()
    def end(self):
        self.ended, self.connected = True, False
        self.outbox.clear()
        self.do(self.messages.end)
        for number in self.sent:
            assert self.settled[number] == 1
        assert len(self.messages.table) == 0

    @invariant()
    def nothing_settles_twice(self):
        assert all(count <= 1 for count in getattr(self, "settled", Counter()).values())

    def teardown(self):
        if hasattr(self, "loop"):
            if not self.ended:
                self.end()
            assert self.messages._sent == {}
            self.loop.close()


TestConversations = Conversations.TestCase
TestConversations.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
