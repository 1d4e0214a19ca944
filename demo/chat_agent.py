"""A chat agent for team messaging: it answers in threads, asks back, and never answers itself.

    python demo/chat_agent.py

Needs RINGCENTRAL_SERVER_URL, RINGCENTRAL_CLIENT_ID, RINGCENTRAL_CLIENT_SECRET and RINGCENTRAL_JWT in the environment:
your account's, or those that `python -m rcex_ws.gateway` prints. Then write it a post as somebody else; with the local
gateway that is `curl $RINGCENTRAL_SERVER_URL/_gateway/receive_post -d '{"text": "add 2 3"}'`.
"""

import os

import anyio

from rcex_ws import Gap, RequestTimeout, RingCentral, WebSocketExtension

POSTS = "/team-messaging/v1/posts"


def report(gap: Gap) -> None:
    """Say for which time posts may be missing: an agent might read the chats again here."""
    print(f"posts {'are' if gap.certain else 'may be'} missing since {gap.since}: {gap.reason}", flush=True)


rc = RingCentral(
    server=os.environ["RINGCENTRAL_SERVER_URL"],
    client_id=os.environ["RINGCENTRAL_CLIENT_ID"],
    client_secret=os.environ["RINGCENTRAL_CLIENT_SECRET"],
)
ws_ext = WebSocketExtension(on_gap=report)


async def say(text: str, post) -> None:
    """Answer a post in its thread."""
    posts = rc.path("/team-messaging/v1").chats(post.group_id).posts()
    await posts.post(json={"text": text, "parentPostId": post.parent_post_id or post.id})
    print(f"{post.text!r} -> {text!r}", flush=True)


async def ask_for_name(post) -> str:
    """Wait for the next post of the same person in the same chat."""

    def is_the_answer(notification) -> bool:
        other = notification.view
        return other is not None and (other.group_id, other.creator_id) == (post.group_id, post.creator_id)

    await say("What is your name?", post)
    return (await ws_ext.wait_for(POSTS, is_the_answer, timeout=60)).view.text


async def on_post(notification) -> None:
    """Answer what somebody has written."""
    post = notification.view
    if post is None or post.event_type != "PostAdded" or not post.text:
        return
    match post.text.lower().split():
        case ["add", *numbers]:
            await say(str(sum(float(number) for number in numbers)), post)
        case ["hello", *_]:
            try:
                await say(f"Nice to meet you, {await ask_for_name(post)}.", post)
            except RequestTimeout:
                await say("Never mind.", post)
        case ["help"]:
            await say("I know `hello` and `add 1 2 3`.", post)


async def main() -> None:
    """Run until it is stopped."""
    async with rc:
        await rc.authorize(jwt=os.environ["RINGCENTRAL_JWT"])
        await rc.install_extension(ws_ext)
        await ws_ext.subscribe([POSTS], on_post, ignore_own=True)
        print("listening", flush=True)
        await ws_ext.wait_closed()


anyio.run(main)
