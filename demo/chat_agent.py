"""A chat agent for team messaging: it answers in threads, asks back, and never answers itself.

    python demo/chat_agent.py

Write it a post as somebody else: "help", "hello" or "add 2 3". Each conversation is a task of its own, so that the
agent has time for others while somebody thinks.
"""

import anyio
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from shared import Account, run

from rcex_ws import Gap, RingCentral, WebSocketExtension
from rcex_ws.wsg.views import PostEvent

Whom = tuple[str | None, str | None]  # the chat and the person
POSTS = "/team-messaging/v1/posts"
PATIENCE = 60.0  # seconds that somebody has for an answer
UNREAD = 10  # posts that a conversation may be behind; more are not answered


def report(gap: Gap) -> None:
    """Say for which time posts may be missing: an agent might read the chats again here."""
    print(f"posts {'are' if gap.certain else 'may be'} missing since {gap.since}: {gap.reason}", flush=True)


class Agent:
    """Talks to people in chats: to each in a conversation of their own.

    Args:
        rc: writes the posts.
        tasks: run the conversations.
    """

    def __init__(self, rc: RingCentral, tasks: TaskGroup) -> None:
        self._rc = rc
        self._tasks = tasks
        self._conversations: dict[Whom, MemoryObjectSendStream[PostEvent]] = {}

    def on_post(self, notification) -> None:
        """Give a post to the conversation with its author in its chat; wait for nothing."""
        post = notification.view
        if not isinstance(post, PostEvent) or post.event_type != "PostAdded" or not post.text:
            return
        key = post.group_id, post.creator_id
        if key not in self._conversations:
            self._conversations[key], posts = anyio.create_memory_object_stream[PostEvent](UNREAD)
            self._tasks.start_soon(self._converse, key, posts)
        try:
            self._conversations[key].send_nowait(post)
        except anyio.WouldBlock:
            print("too fast for an answer:", post.text, flush=True)

    async def _converse(self, key: Whom, posts: MemoryObjectReceiveStream[PostEvent]) -> None:
        """Answer one person in one chat, until they have nothing more to say for the moment."""
        try:
            with posts:
                while posts.statistics().current_buffer_used:
                    await self._answer(posts.receive_nowait(), posts)
        except Exception as error:  # noqa: BLE001 - it ends this conversation, and not the agent
            print("a conversation has failed:", repr(error), flush=True)
        finally:
            self._conversations.pop(key).close()

    async def _answer(self, post: PostEvent, posts: MemoryObjectReceiveStream[PostEvent]) -> None:
        match post.text.lower().split():
            case ["add", *numbers]:
                await self._say(str(sum(float(number) for number in numbers)), post)
            case ["hello", *_]:
                await self._say("What is your name?", post)
                try:
                    with anyio.fail_after(PATIENCE):
                        name = await posts.receive()
                except TimeoutError:
                    await self._say("Never mind.", post)
                else:
                    await self._say(f"Nice to meet you, {name.text}.", post)
            case ["help"]:
                await self._say("I know `hello` and `add 1 2 3`.", post)

    async def _say(self, text: str, post: PostEvent) -> None:
        """Answer a post in its thread."""
        posts = self._rc.path("/team-messaging/v1").chats(post.group_id).posts()
        await posts.post(json={"text": text, "parentPostId": post.parent_post_id or post.id})
        print(f"{post.text!r} -> {text!r}", flush=True)


async def main(account: Account) -> None:
    """Run until it is stopped."""
    ws_ext = WebSocketExtension(on_gap=report)
    async with account.client() as rc, anyio.create_task_group() as tasks:
        await rc.authorize(jwt=account.jwt)
        await rc.install_extension(ws_ext)
        await ws_ext.subscribe([POSTS], Agent(rc, tasks).on_post, ignore_own=True)
        print("listening", flush=True)
        await ws_ext.wait_closed()


if __name__ == "__main__":
    run(main, 'receive_post {"text": "add 2 3"}')
