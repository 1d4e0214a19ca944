"""The REST part of a published chat agent (`hermes-ringcentral`): every call that its client has, for two users.

Run by test_hermes.py as main.py is. Prints what each call has returned; a call that was refused returns None or False.
The last line names the methods of its client that were not called.
"""

import asyncio
import inspect
import json

from main import client_of

EVENT = {"title": "Review", "startTime": "2030-01-02T10:00:00Z", "endTime": "2030-01-02T11:00:00Z"}
CARD = {"version": "1.4", "body": [{"type": "TextBlock", "text": "hi"}]}


async def main():
    client, colleague_client = client_of("RINGCENTRAL_JWT"), client_of("RINGCENTRAL_SECOND_JWT")
    called = set()

    async def call(name, *args, by=client, **options):
        called.add(name)
        result = await getattr(by, name)(*args, **options)
        print(json.dumps({"step": name, "status": by.last_status, "result": result}), flush=True)  # noqa: T201
        return result

    own = await call("get_own_extension")
    (found,) = await call("search_directory", "Bob")
    colleague = await call("get_person", found["id"])
    chat = (await call("create_or_find_dm", [own["id"], colleague["id"]]))["id"]
    post = await call("send_post", chat, "question")
    reply = await call("send_post", chat, "answer", parent_post_id=post["id"])
    await call("send_post", chat, "more", thread_id=reply["threadId"])
    await call("update_post", chat, post["id"], "better question")
    files = await call("upload_file", chat, b"bytes", "a b.txt", "text/plain")
    await call("list_posts", chat, 2)
    await call("list_posts", chat, by=colleague_client)
    await call("list_legacy_group_posts", chat)
    await call("delete_post", chat, post["id"])
    await call("get_chat", chat)
    await call("list_chats", chat_type="Direct")
    await call("list_recent_chats")
    await call("list_recent_chats", chat_type="Team")
    await call("send_post", chat, "", attachments=[{"id": files[0]["id"], "type": "File"}], by=colleague_client)
    await call("create_websocket_token")

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

    session = await client._ensure_session()  # as its adapter reads a file
    async with session.get(files[0]["contentUri"], headers=await client.bearer_headers()) as answer:
        print(json.dumps({"step": "file", "status": answer.status, "result": await answer.text()}), flush=True)  # noqa: T201

    methods = {name for name, method in inspect.getmembers(client, inspect.iscoroutinefunction) if name[0] != "_"}
    not_called = sorted(methods - called - {"json_headers", "bearer_headers", "close"})
    print(json.dumps({"step": "not called", "status": 200, "result": not_called}), flush=True)  # noqa: T201
    await client.close()
    await colleague_client.close()


if __name__ == "__main__":
    asyncio.run(asyncio.wait_for(main(), timeout=30))
