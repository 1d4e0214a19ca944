"""Send random requests and frames to a running gateway, which must answer or refuse each of them, and not crash.

    python -m tests.gateway.random_inputs --count 5000 --seed 1

The gateway is a separate process, as developers run it, so that a crash is noticed and its memory can be measured. An
input is of one of six kinds: bytes to the REST port, an HTTP request, a request for an operation of its OpenAPI
document (over HTTP or in a frame), an order, bytes to the port of the WebSocket, a frame over an open WebSocket.
Nothing of the library's own client is used.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
import psutil

from tests.gateway import random_values as values
from tests.gateway.random_operations import Operations
from tests.gateway.random_wire import BINARY, LIMIT, TEXT, WebSocket, exchange, good

PER_LOGIN = 50
MOST_GROWTH = 64 * 2**20
"""Bytes; what the gateway keeps of 5,000 small inputs is a few MiB."""
JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")


class Gateway:
    """The process of a gateway, with its output."""

    def __init__(self) -> None:
        self.complaints = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process
        command = [sys.executable, "-m", "rcex_ws.gateway"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.complaints, text=True)
        assert self.process.stdout is not None
        printed = dict(self.process.stdout.readline().strip().split("=", 1) for _ in range(5))
        self.server = printed["RINGCENTRAL_SERVER_URL"]
        self.client = (printed["RINGCENTRAL_CLIENT_ID"], printed["RINGCENTRAL_CLIENT_SECRET"])
        self.jwt = printed["RINGCENTRAL_JWT"]
        self.http = httpx.Client(base_url=self.server, timeout=LIMIT, verify=False, trust_env=False)
        self.memory = psutil.Process(self.process.pid)

    def log_in(self) -> dict[str, Any]:
        """Log in, which must work at any time; return the tokens and a WebSocket address."""
        self.clear()
        form = {"grant_type": JWT_GRANT, "assertion": self.jwt}
        tokens = self.http.post("/restapi/oauth/token", data=form, auth=self.client).raise_for_status().json()
        bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
        return tokens | self.http.post("/restapi/oauth/wstoken", headers=bearer).raise_for_status().json()

    def orders(self) -> dict[str, list[str]]:
        """Return the commands with the names of their arguments."""
        listed = self.http.get("/_gateway").raise_for_status().json()["commands"]
        return {path.rpartition("/")[2]: facts["members"] for path, facts in listed.items()}

    def clear(self) -> None:
        """Cancel every fault."""
        self.http.post("/_gateway/clear_faults").raise_for_status()
        self.http.post("/_gateway/thaw").raise_for_status()
        self.http.post("/_gateway/restore_node", json={"node": 1}).raise_for_status()

    def end(self) -> str:
        """Stop the gateway gracefully, and return its stderr."""
        self.process.terminate()
        self.http.close()
        with self.complaints, self.process:
            status = self.process.wait(LIMIT)
            self.complaints.seek(0)
            complaints = self.complaints.read().decode(errors="replace")
        assert status == 0, f"it has died with {status}: {complaints}"
        return complaints


class Inputs:
    """Sends random inputs, and counts the outcomes.

    Args:
        gateway: the gateway to send them to.
        rng: the source of randomness.

    Attributes:
        outcomes: how often each kind of input had each outcome.
    """

    def __init__(self, gateway: Gateway, rng: random.Random) -> None:
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self._gateway = gateway
        self._rng = rng
        self._kinds = (
            self.rest_bytes,
            self.request,
            self.operation,
            self.order,
            self.websocket_bytes,
            self.frame,
        )
        self._operations = Operations(gateway.http.get("/openapi.json").json(), rng)
        self._orders = gateway.orders()
        self._websocket: WebSocket | None = None

    def throw(self, count: int) -> None:
        for number in range(count):
            if number % PER_LOGIN == 0:
                self._login = self._gateway.log_in()
                self.close()
            kind = self._rng.choices(self._kinds, weights=(1, 2, 8, 3, 1, 3))[0]
            outcome = kind()
            assert self._gateway.process.poll() is None, f"the gateway has died of number {number}"
            self.outcomes[kind.__name__, outcome] += 1
        self.close()

    # Each returns its outcome: a status, "closed", or the type of the frame that was the answer.

    def rest_bytes(self) -> str:
        good = b"POST /restapi/v1.0/status HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"
        random_ones = self._rng.randbytes(self._rng.randrange(1, 3000))
        return self._at_rest(random_ones if self._rng.random() < 0.3 else values.bent(self._rng, good))

    def request(self) -> str:
        rng = self._rng
        method, target = values.call(rng)
        headers = [f"Host: {urlsplit(self._gateway.server).netloc if rng.random() < 0.9 else values.word(rng)[:99]}"]
        login = rng.random()
        if login < 0.7:
            headers.append(f"Authorization: Bearer {self._login['access_token']}")
        elif login < 0.85:
            basic = base64.b64encode(":".join(self._gateway.client).encode()).decode()
            headers.append(f"Authorization: Basic {basic}")
        body, kind = rng.choice([self._json, self._form, self._multipart, self._bytes])()
        headers += [f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
        head = "\r\n".join([f"{method} {target} HTTP/1.1", *headers, "", ""])
        return self._at_rest(head.encode("latin-1", "replace") + body)

    def operation(self) -> str:
        rng = self._rng
        path, method, target, body, kind = self._operations.draw()
        if rng.random() < 0.2 and kind in ("", "application/json"):
            return self._operation_in_a_frame(path, method, target, body)
        bearer = f"Bearer {self._login['access_token']}"
        head = [f"{method} {target} HTTP/1.1", f"Host: {urlsplit(self._gateway.server).netloc}"]
        head += [f"Authorization: {bearer}", f"Content-Length: {len(body)}"]
        head += [f"Content-Type: {kind}"] if kind else []
        answer = exchange(
            urlsplit(self._gateway.server).port, "\r\n".join([*head, "", ""]).encode("latin-1", "replace") + body
        )
        self._operations.learn(path, answer.partition(b"\r\n\r\n")[2])
        return self._status(answer)

    def order(self) -> str:
        rng = self._rng
        name = rng.choice(list(self._orders))
        answer = self._gateway.http.post(f"/_gateway/{name}", content=self._arguments(name))
        self._gateway.clear()
        return str(good(answer.status_code))

    def _operation_in_a_frame(self, path: str, method: str, target: str, body: bytes) -> str:
        message_id = f"o{self._rng.random()}"
        meta = {"type": "ClientRequest", "messageId": message_id, "method": method, "path": target}
        content = json.dumps([meta]).encode()
        content = content[:-1] + b", " + body + b"]" if body else content
        socket_ = self._open_websocket()
        socket_.send_bytes(WebSocket.encode(content))
        return socket_.answer(message_id)

    def websocket_bytes(self) -> str:
        rng = self._rng
        query = urlencode({"access_token": self._login["ws_access_token"], "wsc": values.word(rng)})
        good = WebSocket.request(f"/ws?{query}") + WebSocket.encode(b'[{"type":"Heartbeat","messageId":"1"}]')
        data = rng.randbytes(rng.randrange(1, 3000)) if rng.random() < 0.3 else values.bent(rng, good)
        return self._status(exchange(urlsplit(self._login["uri"]).port, data))

    def frame(self) -> str:
        rng = self._rng
        socket_ = self._open_websocket()
        if rng.random() < 0.1:  # malformed frames
            data = values.bent(rng, WebSocket.encode(values.json_bytes(rng)))
            socket_.send_bytes(data)
            return socket_.end()
        content, message_id = self._message()
        opcode = BINARY if rng.random() < 0.1 else TEXT
        socket_.send_bytes(WebSocket.encode(content, opcode))
        return socket_.answer(message_id)

    def _open_websocket(self) -> WebSocket:
        if self._websocket is None or self._websocket.is_over:
            self._websocket = WebSocket(self._gateway.log_in() if self._websocket else self._login)
        return self._websocket

    # Contents of inputs.

    def _message(self) -> tuple[bytes, str | None]:
        """Return a message, and the id of the expected answer if it is a request."""
        rng = self._rng
        if rng.random() < 0.4:
            return values.json_bytes(rng), None
        message_id = f"m{rng.random()}"
        method, path = values.call(rng)
        meta = {"type": "ClientRequest", "messageId": message_id, "method": method, "path": path}
        if rng.random() < 0.2:
            meta |= {rng.choice(["method", "path", "query", "headers"]): values.value(rng)}
        if rng.random() < 0.4:
            return json.dumps([meta]).encode(), message_id
        body = values.body(rng) if rng.random() < 0.7 else values.value(rng)
        return json.dumps([meta, body]).encode(), message_id

    def _arguments(self, name: str) -> bytes:
        """Return arguments that are valid for the fault now and then."""
        rng = self._rng
        if rng.random() < 0.3:
            return values.json_bytes(rng)
        chosen = {name: values.member(rng, name) for name in self._orders[name] if rng.random() < 0.5}
        return json.dumps(chosen).encode()

    def _json(self) -> tuple[bytes, str]:
        return values.json_bytes(self._rng), "application/json"

    def _form(self) -> tuple[bytes, str]:
        rng = self._rng
        names = ["grant_type", "assertion", "username", "password", "code", "redirect_uri", "refresh_token", "token"]
        form = [(rng.choice(names), values.word(rng)) for _ in range(rng.randrange(5))]
        if rng.random() < 0.1:
            form = [("grant_type", JWT_GRANT), ("assertion", self._gateway.jwt)]
        return urlencode(form).encode(), "application/x-www-form-urlencoded"

    def _multipart(self) -> tuple[bytes, str]:
        rng = self._rng
        part = b'--b\r\nContent-Disposition: form-data; name="%s"\r\nContent-Type: %s\r\n\r\n%s\r\n'
        names = [b"to", b"json", b"a", b"\xff"]
        kinds = [b"application/json", b"text/plain", b"multipart/mixed; boundary=b", b"message/rfc822", b"\xff; a=b"]
        parts = [part % (rng.choice(names), rng.choice(kinds), values.json_bytes(rng)) for _ in range(3)]
        body = b"".join(parts) + b"--b--\r\n"
        return values.bent(rng, body) if rng.random() < 0.5 else body, "multipart/form-data; boundary=b"

    def _bytes(self) -> tuple[bytes, str]:
        kind = self._rng.choice(["", "text/plain", "multipart/mixed", "\xff"])
        return self._rng.randbytes(self._rng.randrange(5000)), kind

    # Outcomes.

    def _at_rest(self, data: bytes) -> str:
        return self._status(exchange(urlsplit(self._gateway.server).port, data))

    def _status(self, answer: bytes) -> str:
        statuses = [int(status) for status in STATUS.findall(answer)]
        return str(good(max(statuses))) if statuses else "closed"

    def close(self) -> None:
        if self._websocket is not None:
            self._websocket.close()
            self._websocket = None


def run(count: int, seed: int) -> tuple[Counter[tuple[str, str]], float, float]:
    """Send inputs; return the outcomes, and the memory of the gateway after a fifth and at the end, in MiB.

    Raises:
        AssertionError: the gateway crashed, answered 500, logged an error, grew too much, or no longer works.
        TimeoutError: the gateway hung.
    """
    gateway = Gateway()
    inputs = Inputs(gateway, random.Random(seed))
    try:
        inputs.throw(count // 5)
        before = gateway.memory.memory_info().rss
        inputs.throw(count - count // 5)
        after = gateway.memory.memory_info().rss
        WebSocket(gateway.log_in()).close()
    finally:
        inputs.close()
        complaints = gateway.end()
    assert "Traceback" not in complaints, complaints
    assert "failed" not in complaints, complaints
    assert after < before + MOST_GROWTH, f"it has grown from {before / 2**20:.0f} MiB to {after / 2**20:.0f} MiB"
    return inputs.outcomes, before / 2**20, after / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--seed", default="1", help='a number, or "random"')
    arguments = parser.parse_args()
    seed = int.from_bytes(os.urandom(4)) if arguments.seed == "random" else int(arguments.seed)
    sys.stdout.write(f"seed {seed}\n")
    began = time.monotonic()
    outcomes, before, after = run(arguments.count, seed)
    for kind in sorted({kind for kind, _ in outcomes}):
        told = ", ".join(f"{outcome} {n}" for (one, outcome), n in sorted(outcomes.items()) if one == kind)
        sys.stdout.write(f"{kind}: {told}\n")
    sys.stdout.write(
        f"{outcomes.total()} inputs in {time.monotonic() - began:.0f} s: each answered or refused, none by 500; "
        f"{before:.0f} MiB after a fifth of them, {after:.0f} MiB after all\n"
    )


if __name__ == "__main__":
    main()
