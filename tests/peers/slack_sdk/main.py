"""A bot on one of the two RTM clients of Slack's Python SDK (`slack_sdk`), unmodified, as their pages show one.

Run by test_slack_sdk.py in an environment of its own, with the name of the client: "rtm" or "rtm_v2". It repeats what
it hears, and prints one JSON object per step. SLACK_API_URL and SLACK_TOKEN say where and who. It ends with its input.
"""

import asyncio
import json
import os
import sys
import threading

BASE_URL, TOKEN = os.environ["SLACK_API_URL"], os.environ["SLACK_TOKEN"]


def say(step, **facts):
    print(json.dumps({"step": step, **facts}), flush=True)  # noqa: T201


def answer_to(event):
    """Make the message that repeats one; in its thread, if it has one."""
    message = {"type": "message", "channel": event["channel"], "text": f"you said {event['text']}"}
    return message | ({"thread_ts": event["thread_ts"]} if "thread_ts" in event else {})


def run_rtm():
    """Run `slack_sdk.rtm`, which runs on asyncio."""
    from slack_sdk.rtm import RTMClient

    @RTMClient.run_on(event="open")
    async def on_open(data, **_):
        say("open", me=data["self"]["id"], team=data["team"]["id"])

    @RTMClient.run_on(event="message")
    async def on_message(rtm_client, data, **_):
        say("message", text=data["text"], user=data["user"])
        await rtm_client.send_over_websocket(payload=answer_to(data))

    @RTMClient.run_on(event="Unknown")  # what it calls a frame without a type
    async def on_answer(data, **_):
        say("answer", **data)

    @RTMClient.run_on(event="error")
    async def on_error(data, **_):
        say("error", error=str(data))

    async def main():
        # Their web client needs a loop that runs.
        await RTMClient(
            token=TOKEN, base_url=BASE_URL, run_async=True, ping_interval=1, loop=asyncio.get_running_loop()
        ).start()

    asyncio.run(main())


def run_rtm_v2():
    """Run `slack_sdk.rtm_v2`, which runs in threads and brings its own WebSocket."""
    from slack_sdk.rtm_v2 import RTMClient

    client = RTMClient(token=TOKEN, base_url=BASE_URL, ping_interval=1)
    numbers = iter(range(1, 1000))

    @client.on("hello")
    def on_hello(client, event):
        say("open", bot=client.bot_id)

    @client.on("message")
    def on_message(client, event):
        say("message", text=event["text"], user=event["user"])
        client.send({"id": next(numbers), **answer_to(event)})

    @client.on("*")
    def on_any(client, event):
        if "reply_to" in event:
            say("answer", **event)

    client.start()


def main():
    run = {"rtm": run_rtm, "rtm_v2": run_rtm_v2}[sys.argv[1]]
    threading.Thread(target=run, daemon=True).start()
    sys.stdin.read()
    os._exit(0)  # neither of them lets its threads end


if __name__ == "__main__":
    main()
