"""docs/tutorial.md, walked from its top to its end: its programs, its commands, and what it says they print."""

from __future__ import annotations

import re
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.pages.walk import Block, Program, a_clone, blocks, shown, take, until

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


SUBSCRIBED = "INFO bot: subscribed to /restapi/v1.0/account/10/extension/10/message-store/instant?type=SMS"


class Walk:
    """A reader of the page, with a port of their own instead of 8080.

    Args:
        folder: where they work.
    """

    def __init__(self, folder: Path) -> None:
        (folder / "rcex_ws").mkdir()
        self.folder = a_clone(folder / "rcex_ws")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = str(free.getsockname()[1])
        self._left = iter(blocks("tutorial"))

    def make_a_folder(self) -> None:
        """Go to the folder of the bot; its environment is that of the tests, since an installation takes long."""
        make, enter, *install = self.take("sh").splitlines()
        assert install == ["python3 -m venv .venv", ".venv/bin/python -m pip install '../rcex_ws[gateway]'"]
        self.run(make)
        assert enter.removeprefix("cd ") == make.removeprefix("mkdir ")
        (self.folder / make.removeprefix("mkdir ") / ".venv").symlink_to(self.folder / ".venv")
        self.folder = (self.folder / make.removeprefix("mkdir ")).resolve()

    def take(self, language: str) -> str:
        """Return the next block of the page."""
        return take(self._left, language).replace("8080", self.port)

    def run(self, commands: str) -> str:
        """Run commands to their end; a curl that is refused fails them."""
        commands = "set -e\n" + commands.replace("curl ", "curl -sSf ")
        ended = subprocess.run(
            ["sh", "-c", commands], cwd=self.folder, capture_output=True, text=True, timeout=50, check=False
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    def left(self) -> list[Block]:
        """Return what the reader has not come to."""
        return list(self._left)

    def start(self, command: str) -> Program:
        """Start a program in the second terminal, which knows the credentials."""
        return Program(self.folder, "sh", "-c", f"set -a; . ./.env; set +a\nexec env {command}")

    def start_bot(self) -> Program:
        return self.start(".venv/bin/python bot.py")

    def save(self, name: str) -> None:
        """Save the next block as a file."""
        (self.folder / name).write_text(self.take("python"))

    def edit(self, old: str, name: str = "bot.py") -> None:
        """Put the next block in the place of some lines of a file."""
        file = self.folder / name
        assert file.read_text().count(old) == 1, old
        new = self.take("python")
        file.write_text(file.read_text().replace(old, new + "\n" * old.count("\n\n")))


@pytest.mark.timeout(150)
def test_the_tutorial_as_it_is_told(tmp_path: Path) -> None:
    walk = Walk(tmp_path)
    # 1. Get it
    commands = walk.take("sh")
    assert shown(walk.take("text"), walk.run(commands))
    walk.make_a_folder()
    # 2. Start a RingCentral of your own
    with Program(walk.folder, "sh", "-c", "exec " + walk.take("sh")):
        credentials, file = walk.take("text"), walk.folder / ".env"
        until(lambda: file.exists() and file.read_text() == credentials, lambda: "the gateway has not written .env")
        console = httpx.get(f"http://127.0.0.1:{walk.port}/", headers={"Accept": "text/html"}).text
        assert all(name in console for name in ("Commands", "Send yourself an SMS", ">cut<", ">fail recovery<"))
        first_event_and_answer(walk)
        lost_and_killed(walk)
        missing(walk)
        proved(walk)
        deployed(walk)
    assert walk.left() == []


def first_event_and_answer(walk: Walk) -> None:
    # 3. The first event
    walk.save("bot.py")
    assert walk.take("sh") == "set -a; . ./.env; set +a\n.venv/bin/python bot.py\n"
    with walk.start_bot() as bot:
        bot.wait_for(walk.take("text"))
        send_text = walk.take("sh")
        walk.run(send_text)
        bot.wait_for(walk.take("text"))
        bot.end()
    # 4. Answer it
    walk.save("bot.py")
    with walk.start_bot() as bot:
        bot.wait_for(SUBSCRIBED)
        walk.run(send_text)
        bot.wait_for(walk.take("text"))
        # 5. Lose the connection
        walk.run(walk.take("sh"))
        bot.wait_for(walk.take("text"))
        bot.end()


def lost_and_killed(walk: Walk) -> None:
    # 6. Kill it
    walk.edit("from rcex_ws import RingCentral, WebSocketExtension\n")
    walk.edit('        client_secret=os.environ["RINGCENTRAL_CLIENT_SECRET"],\n    ) as rc:\n')
    walk.edit('        ws_ext = WebSocketExtension(name="bot")\n')
    assert walk.take("sh") == ".venv/bin/python bot.py &\n"
    with walk.start_bot() as bot:
        bot.wait_for(SUBSCRIBED)
        kill, send_text, start = walk.take("sh").splitlines()
        assert (kill, start) == ("kill -9 $!", ".venv/bin/python bot.py")
        session = (
            walk.folder / "state/session.json"
        )  # it is there when `subscribe` returns, which nobody's hand outruns
        until(session.exists, lambda: bot.output)
        bot.end(signal.SIGKILL)
    walk.run(send_text)
    with walk.start_bot() as bot:
        bot.wait_for(walk.take("text"))
        bot.end()


def missing(walk: Walk) -> None:
    # 7. When something is missing
    walk.save("bot.py")
    with walk.start_bot() as bot:
        bot.wait_for("INFO bot: connected")
        walk.run(walk.take("sh"))
        bot.wait_for(walk.take("text"))
        bot.end()


def proved(walk: Walk) -> None:
    # 8. Test it
    assert walk.take("sh") == ".venv/bin/python -m pip install pytest\n"
    walk.edit("async def main():\n")
    walk.edit("        await ws_ext.subscribe([TEXTS], answer)\n")
    walk.save("test_bot.py")
    assert walk.take("sh") == ".venv/bin/python -m pytest -q test_bot.py\n"
    passed = walk.run(".venv/bin/python -m pytest -q -p no:cacheprovider test_bot.py")
    told = walk.take("text")  # where trio is installed, as it is here, each test runs on it, too
    assert told.startswith("1 passed")
    assert shown(told.replace("1 passed", "2 passed"), passed), passed


def deployed(walk: Walk) -> None:
    # 9. The real RingCentral
    names = [line.partition("=")[0] for line in walk.take("sh").splitlines()]
    assert names == [line.partition("=")[0] for line in (walk.folder / ".env").read_text().splitlines()[1:5]]
    assert walk.take("sh").splitlines()[-1] == ".venv/bin/python bot.py"
    # 10. Deploy it
    walk.run("set -a; . ./.env; set +a\n" + walk.take("sh"))
    service = (walk.folder / "service.py").read_text()
    handle, read_again, serve = (service.index(f"async def {name}(") for name in ("handle", "read_again", "serve"))
    walk.edit('FILTERS = ["/restapi/v1.0/account/~/extension/~/message-store"]\n', "service.py")
    walk.edit(service[handle:read_again], "service.py")
    walk.edit(service[read_again:serve], "service.py")
    start, ask = walk.take("sh"), walk.take("sh")
    with walk.start(start.replace("8090", "0").strip()) as bot:
        until(lambda: "subscribed to" in bot.output, lambda: bot.output)
        port = re.search(r"tells its health on port (\d+)", bot.output)
        assert port is not None
        assert walk.run(ask.replace("8090", port[1])).startswith(walk.take("text").strip())
        gateway = f"http://127.0.0.1:{walk.port}/_gateway"
        httpx.post(f"{gateway}/receive_sms", json={"text": "Are you deployed?"}).raise_for_status()
        bot.wait_for(walk.take("text"))
        httpx.post(f"{gateway}/fail_recovery").raise_for_status()
        httpx.post(f"{gateway}/cut").raise_for_status()
        httpx.post(f"{gateway}/receive_sms", json={"text": "Can you hear me?"}).raise_for_status()
        until(lambda: "service: found: Can you hear me?" in bot.output, lambda: bot.output)
        assert bot.end(signal.SIGTERM) == 0
