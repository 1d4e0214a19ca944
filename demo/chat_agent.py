"""A chat agent for team messaging: it answers in threads, asks back, and never answers itself.

    python demo/chat_agent.py

Write it a post as somebody else: "help", "hello" or "add 2 3".
"""

from shared import Account, run

from rcex_ws import Gap, RequestTimeout, RingCentral, WebSocketExtension

POSTS = "/team-messaging/v1/posts"


def report(gap: Gap) -> None:
    """Say for which time posts may be missing: an agent might read the chats again here."""
    print(f"posts {'are' if gap.certain else 'may be'} missing since {gap.since}: {gap.reason}", flush=True)


class Agent:
    """Talks to people in chats.

    Args:
        rc: writes the posts.
        ws_ext: waits for answers.
    """

    def __init__(self, rc: RingCentral, ws_ext: WebSocketExtension) -> None:
        self._rc = rc
        self._ws_ext = ws_ext

    async def on_post(self, notification) -> None:
        """Answer what somebody has written."""
        post = notification.view
        if post is None or post.event_type != "PostAdded" or not post.text:
            return
        match post.text.lower().split():
            case ["add", *numbers]:
                await self._say(str(sum(float(number) for number in numbers)), post)
            case ["hello", *_]:
                try:
                    await self._say(f"Nice to meet you, {await self._ask_for_name(post)}.", post)
                except RequestTimeout:
                    await self._say("Never mind.", post)
            case ["help"]:
                await self._say("I know `hello` and `add 1 2 3`.", post)

    async def _say(self, text: str, post) -> None:
        """Answer a post in its thread."""
        posts = self._rc.path("/team-messaging/v1").chats(post.group_id).posts()
        await posts.post(json={"text": text, "parentPostId": post.parent_post_id or post.id})
        print(f"{post.text!r} -> {text!r}", flush=True)

    async def _ask_for_name(self, post) -> str:
        """Wait for the next post of the same person in the same chat."""

        def is_the_answer(notification) -> bool:
            other = notification.view
            return other is not None and (other.group_id, other.creator_id) == (post.group_id, post.creator_id)

        await self._say("What is your name?", post)
        return (await self._ws_ext.wait_for(POSTS, is_the_answer, timeout=60)).view.text


async def main(account: Account) -> None:
    """Run until it is stopped."""
    ws_ext = WebSocketExtension(on_gap=report)
    async with account.client() as rc:
        await rc.authorize(jwt=account.jwt)
        await rc.install_extension(ws_ext)
        await ws_ext.subscribe([POSTS], Agent(rc, ws_ext).on_post, ignore_own=True)
        print("listening", flush=True)
        await ws_ext.wait_closed()


if __name__ == "__main__":
    run(main, 'receive_post {"text": "add 2 3"}')
