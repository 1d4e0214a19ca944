"""A Slack bot that answers every message, loses its connection in between, and goes on: python demo/slack_bot.py.

It runs against a fake Slack of its own, over real sockets of this machine, and the exit code is 1 if anything did not
hold. With SLACK_BOT_TOKEN set it runs against Slack, until you stop it by Ctrl-C, and answers whoever writes to it.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from typing import Any

import anyio

from rcex_ws import RcexError
from rcex_ws.slack import RTMClient
from rcex_ws.testing import FakeSlack

QUESTIONS = ["how are you?", "what is new?", "are you still there?", "and now?"]
BEGAN = time.monotonic()


def say(text: str) -> None:
    """Tell one thing, with the time."""
    print(f"{time.monotonic() - BEGAN:6.2f} s  {text}", flush=True)


def make_bot(token: str, **options: Any) -> RTMClient:
    """Make the bot: this is all that a program of yours needs."""
    client = RTMClient(token, while_disconnected="queue", **options)

    @client.on("message")
    async def on_message(event: dict[str, Any]) -> None:
        if "subtype" in event or event.get("user") in (None, client.active_user_id):
            return
        user = await client.data_store.user(event["user"]) if client.data_store else None
        say(f'{(user and user.name) or event["user"]} says "{event["text"]}"')
        reply = await client.send_message(f"you said: {event['text']}", event["channel"])
        say(f"answered as message {reply.id}: {reply.outcome}")

    for event in ("open", "ws_close", "ws_error", "unable_to_rtm_start", "disconnect", "client_error"):
        client.on(event, lambda *args, event=event: say(f"{event} {args or ''}"))
    return client


async def against_the_fake() -> int:
    """Let Alice ask, and break the connection at the worst moments."""
    async with FakeSlack(replay_last_reply=True) as slack:
        say(f"Using a fake Slack, {slack.api_url}")
        bot = make_bot(slack.token, api_url=slack.api_url, reconnect_delays=lambda failures: 0.2)

        async def ask(number: int) -> None:
            text = QUESTIONS[number]
            event = {"type": "message", "channel": "C0GENERAL", "user": "U000ALICE", "text": text}
            slack.push(event | {"ts": f"{number}.0"})
            await slack.wait_for_message(f"you said: {text}")

        async with bot:
            await ask(0)
            say("-- Slack takes the next answer, but the connection is cut before it can say so")
            slack.swallow_acks()
            await ask(1)
            slack.cut()
            await slack.wait_for_connection(2)
            await ask(2)
            say("-- Slack says goodbye: the next connection is opened before this one is closed")
            slack.goodbye(close_after=1.0)
            await slack.wait_for_close(2)
            await ask(3)
        answers = [message.text for message in slack.accepted]
        kept = answers == [f"you said: {text}" for text in QUESTIONS]
    say(f"[{'ok' if kept else 'FAILED'}] {len(answers)} answers to {len(QUESTIONS)} questions, each once and in order")
    print(f"\n{'OK' if kept else 'FAILED'} after {time.monotonic() - BEGAN:.1f} s.")
    return 0 if kept else 1


async def against_slack(token: str) -> int:
    """Answer until the program is stopped, or Slack refuses the token."""
    say("Using Slack; stop by Ctrl-C")
    try:
        async with make_bot(token) as bot:
            await bot.wait_closed()
    except RcexError as error:
        print(f"FAILED {error}")
        return 1
    return 0


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR)  # what the library warns of comes as events, too
    TOKEN = os.environ.get("SLACK_BOT_TOKEN")
    try:
        sys.exit(anyio.run(against_slack, TOKEN) if TOKEN else anyio.run(against_the_fake))
    except KeyboardInterrupt:
        say("stopped")
