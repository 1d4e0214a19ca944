"""The programs that people write, as processes of their own against a gateway: what they do, and after a loss."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.util import find_spec
from typing import Any

import httpx
import pytest

from rcex_ws.gateway import Gateway
from tests.demo.conftest import TIME_LIMIT, Program

STRANGER = "+14155550199"


def wait_for_entry(gateway: Gateway, kind: str, count: int = 1) -> list[dict[str, Any]]:
    """Wait until the gateway's log has so many entries of a kind."""
    found: list[dict[str, Any]] = []
    for _ in range(int(TIME_LIMIT / 0.02)):
        found = [entry for entry in gateway.log() if entry["kind"] == kind]
        if len(found) >= count:
            return found
        threading.Event().wait(0.02)
    raise AssertionError(f"{count} entries {kind!r} have not come: {gateway.log()}")


def test_the_sms_bot_answers_also_what_came_while_it_was_away(start, gateway):
    bot = start("sms_bot.py")
    wait_for_entry(gateway, "subscribe")
    gateway.receive_sms("are you there?", from_number=STRANGER)
    bot.expect(rf"answered \{STRANGER} who wrote are you there\?")
    bot.process.kill()
    bot.process.wait(TIME_LIMIT)
    wait_for_entry(gateway, "lost")
    gateway.receive_sms("and now?", from_number=STRANGER)
    start("sms_bot.py").expect("who wrote and now")


def test_the_chat_agent_answers_in_threads_and_not_itself(start, gateway):
    agent = start("chat_agent.py")
    agent.expect("listening")
    post = gateway.receive_post("add 2 3")
    agent.expect("'add 2 3' -> '5.0'")
    gateway.cut()
    gateway.receive_post("hello", chat_id=post["groupId"])
    agent.expect("'hello' -> 'What is your name")
    gateway.receive_post("Bob", chat_id=post["groupId"])
    agent.expect("Nice to meet you, Bob")
    written = [
        entry for entry in gateway.log() if entry["kind"] == "request" and str(entry.get("path")).endswith("/posts")
    ]
    assert len([entry for entry in written if entry["method"] == "POST"]) == 3


def test_the_chat_agent_talks_to_several_people_at_once(start_alone, tmp_path):
    seed = tmp_path / "people.toml"
    seed.write_text("".join(f'[[users]]\nextension = "{number}"\nname = "P. {number}"\n' for number in (101, 102, 103)))
    with Gateway(seed=seed) as gateway:
        talk_to_two(start_alone("chat_agent.py", gateway=gateway), gateway)


def talk_to_two(agent: Program, gateway: Gateway) -> None:
    agent.expect("listening")
    for extension in ("102", "103"):
        gateway.receive_post("hello", from_extension=extension)
        agent.expect("'hello' -> 'What is your name")
    gateway.receive_post("Carol", from_extension="103")
    agent.expect("Nice to meet you, Carol")
    gateway.receive_post("add 2 x", from_extension="103")
    agent.expect("a conversation has failed: ValueError")
    gateway.receive_post("add 2 3", from_extension="103")
    agent.expect("'add 2 3' -> '5.0'")
    gateway.receive_post("Bob", from_extension="102")
    agent.expect("Nice to meet you, Bob")


def test_the_call_logger_reads_again_what_it_may_have_missed(start, gateway, tmp_path):
    logger = start("call_logger.py")
    logger.expect("listening")
    gateway.ring(from_number=STRANGER)
    gateway.answer()
    logger.expect("Answered")
    gateway.hang_up()
    logger.expect("Disconnected")
    gateway.refuse("wstoken", times=1)  # so that the next call certainly ends before it is back
    gateway.fail_recovery()
    gateway.cut()
    gateway.ring(from_number="+14155550177")
    gateway.miss()
    logger.expect("reading the calls since")
    wait_for_entry(gateway, "subscribe", 2)
    gateway.ring(from_number=STRANGER)
    logger.expect("Setup|Proceeding")
    with closing(sqlite3.connect(tmp_path / "calls.db")) as database:
        rows = database.execute("SELECT caller, source FROM calls").fetchall()
    assert ("+14155550177", "call log") in rows
    assert len([caller for caller, _ in rows if caller == STRANGER]) == 2


def test_the_presence_board_follows_the_calls_of_all(start, gateway):
    pytest.importorskip("rich")
    board = start("presence_board.py")
    board.expect("Bob Central.*NoCall")
    gateway.ring(from_number=STRANGER, to_extension="102")
    board.expect("Bob Central.*Ringing")
    gateway.answer()
    board.expect("Bob Central.*CallConnected")
    gateway.cut()
    gateway.hang_up()
    board.expect("Bob Central.*NoCall")


def test_a_client_of_ones_own_prints_an_event(start, gateway):
    program = start("own_client.py")
    wait_for_entry(gateway, "subscribe")
    gateway.notify("/restapi/v1.0/account/~/extension/~/message-store", {"changes": []})
    program.expect(r"message-store \{'changes': \[\]\}")
    assert program.process.wait(TIME_LIMIT) == 0


def texts_sent(gateway: Gateway) -> int:
    return len([one for one in gateway.log() if one["kind"] == "request" and str(one.get("path")).endswith("/sms")])


def test_a_missed_call_is_answered_by_one_text(start, gateway):
    program = start("missed_call_text.py")
    program.expect("listening")
    gateway.ring(from_number="+14155550177")
    gateway.answer()
    gateway.hang_up()
    for caller in (STRANGER, STRANGER, "+14155550178"):
        gateway.ring(from_number=caller)
        gateway.miss()
    program.expect(rf"texted \{STRANGER}")
    program.expect(rf"no text to \{STRANGER}")
    program.expect(r"texted \+14155550178")
    assert texts_sent(gateway) == 2
    assert program.stop() == 0


class Endpoint(HTTPServer):
    """Takes what is posted to it, once the test says so."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, bytes]] = []
        self.refused = threading.Event()
        self.status = 503
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if endpoint.status == 200:
                    endpoint.taken.append((self.headers["idempotency-key"], body))
                else:
                    endpoint.refused.set()
                self.send_response(endpoint.status)
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        super().__init__(("127.0.0.1", 0), Handler)


def test_the_relay_loses_nothing_to_a_dead_endpoint_and_a_kill(start, gateway):
    with Endpoint() as endpoint:
        serving = threading.Thread(target=endpoint.serve_forever)
        serving.start()
        try:
            url = f"http://127.0.0.1:{endpoint.server_port}/hook"
            relay = start("webhook_relay.py", url)
            wait_for_entry(gateway, "subscribe")
            gateway.receive_sms("one")
            gateway.receive_sms("two")
            assert endpoint.refused.wait(TIME_LIMIT)
            relay.expect("not taken, trying again: Server error '503")
            wait_for_entry(gateway, "notification", 2)
            relay.expect("not taken")
            relay.process.kill()
            relay.process.wait(TIME_LIMIT)
            wait_for_entry(gateway, "lost")
            gateway.receive_sms("three")
            endpoint.status = 200
            start("webhook_relay.py", url)
            for _ in range(int(TIME_LIMIT / 0.02)):
                if len(endpoint.taken) == 3:
                    break
                threading.Event().wait(0.02)
        finally:
            endpoint.shutdown()
            serving.join()
    sent = [entry["uuid"] for entry in gateway.log() if entry["kind"] == "notification"]
    assert [uuid for uuid, _ in endpoint.taken] == sent[:2] + sent[-1:]
    assert all(b'"event":"/restapi/' in body for _, body in endpoint.taken)


def test_the_live_page_shows_events_and_ends_with_a_browser_open(start, gateway, need):
    need(find_spec("fastapi") is not None, "fastapi", "pip install fastapi")
    program = start("live_page.py", PORT="0")
    url = program.expect(r"running on (http://127\.0\.0\.1:\d+)")[1]
    with httpx.Client(base_url=url, timeout=TIME_LIMIT) as browser, browser.stream("GET", "/events") as events:
        assert "EventSource" in httpx.get(url).text
        gateway.receive_sms()
        lines = events.iter_lines()  # kept, or the stream would be closed here
        line = next(line for line in lines if line.startswith("data:"))
        assert '"newCount"' in line
        assert program.stop() == 0
        assert [line for line in lines if line.startswith("data:")] == []  # the stream has ended in order
    assert [entry["kind"] for entry in gateway.log()].count("lost") == 1


def test_a_script_without_async_waits_for_the_right_answer(start, start_alone, gateway):
    script = start("ask_by_text.py", STRANGER, "Are you there?")
    script.expect(rf"asked \{STRANGER} via websocket")
    gateway.receive_sms("Buy this", from_number="+14155550177")
    gateway.cut()
    gateway.receive_sms("Yes", from_number=STRANGER)
    script.expect("the answer is: Yes")
    assert script.process.wait(TIME_LIMIT) == 0
    waiting = start("ask_by_text.py", STRANGER)
    waiting.expect("asked")
    assert waiting.stop() == 0
    waiting.expect("stopped")
    alone = start_alone("ask_by_text.py")
    alone.expect("the answer is: Yes, from nine")
    assert alone.process.wait(TIME_LIMIT) == 0
