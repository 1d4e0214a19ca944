"""The REST part of a published chat agent (`hermes-ringcentral`): every call of team messaging that it has.

Run by test_hermes.py as main.py is. Prints what each call has returned; a call that was refused returns None or False.
"""

import asyncio
import json
import os

from main import published

EVENT = {"title": "Review", "startTime": "2030-01-02T10:00:00Z", "endTime": "2030-01-02T11:00:00Z"}
CARD = {"version": "1.4", "body": [{"type": "TextBlock", "text": "hi"}]}


async def main():
    client = published("rc_client").RingCentralClient.from_jwt(
        client_id=os.environ["RINGCENTRAL_CLIENT_ID"],
        client_secret=os.environ["RINGCENTRAL_CLIENT_SECRET"],
        jwt_token=os.environ["RINGCENTRAL_JWT"],
        server_url=os.environ["RINGCENTRAL_SERVER_URL"],
    )

    async def call(name, *args, **options):
        result = await getattr(client, name)(*args, **options)
        print(json.dumps({"step": name, "status": client.last_status, "result": result}), flush=True)  # noqa: T201
        return result

    own = await call("get_own_extension")
    colleague = await call("get_person", str(own["id"] + 1))
    chat = (await call("create_or_find_dm", [own["id"], colleague["id"]]))["id"]
    post = await call("send_post", chat, "question")
    reply = await call("send_post", chat, "answer", parent_post_id=post["id"])
    await call("send_post", chat, "more", thread_id=reply["threadId"])
    await call("update_post", chat, post["id"], "better question")
    await call("upload_file", chat, b"bytes", "a.txt", "text/plain")
    await call("list_posts", chat, 2)
    await call("list_legacy_group_posts", chat)
    await call("delete_post", chat, post["id"])
    await call("get_chat", chat)
    await call("list_chats", chat_type="Direct")
    await call("list_recent_chats")

    event = await call("create_event", chat, EVENT)
    await call("list_events", chat)
    await call("update_event", event["id"], EVENT | {"title": "Retro"})
    await call("get_event", event["id"])
    await call("delete_event", event["id"])

    card = await call("create_adaptive_card", chat, CARD)
    await call("update_adaptive_card", card["id"], CARD | {"version": "1.5"})
    await call("get_adaptive_card", card["id"])
    await call("delete_adaptive_card", card["id"])

    note = await call("create_note", chat, {"title": "Plan", "body": "text"})
    await call("publish_note", note["id"])
    await call("list_notes", chat)
    await call("update_note", note["id"], {"body": "more"})
    await call("get_note", note["id"])
    await call("delete_note", note["id"])
    await client.close()


if __name__ == "__main__":
    asyncio.run(asyncio.wait_for(main(), timeout=30))
