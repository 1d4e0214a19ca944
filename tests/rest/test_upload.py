"""Multipart bodies: what they consist of, that they are read while they are sent, and again when the call is."""

from __future__ import annotations

import errno
import io
import os
import tracemalloc
from contextlib import suppress
from email import message_from_bytes

import anyio
import httpx
import pytest

from rcex_ws import ConfigurationError, Request
from rcex_ws.rest import RingCentral
from rcex_ws.rest.upload import make_body

FAX = "/restapi/v1.0/account/~/extension/~/fax"
PIECE = 2**18


class Counting(io.RawIOBase):
    """A file of zeros that is nowhere whole; it can be rewound or not."""

    def __init__(self, size, *, seekable=True):
        self.size, self.position, self.reads, self._seekable = size, 0, [], seekable

    def seekable(self):
        return self._seekable

    def seek(self, offset, whence=0):
        self.position = offset if whence == 0 else self.size + offset
        return self.position

    def read(self, size=-1):
        assert 0 <= size <= PIECE
        got = min(size, self.size - self.position)
        self.position += got
        if size:
            self.reads.append(got)
        return bytes(got)


async def sent(**options):
    """Return content type, declared length and content of a body."""
    body = await make_body(Request("POST", FAX, **options))
    return body.content_type, body.length, b"".join([chunk async for chunk in body])


def parts(content_type, content):
    message = message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode() + content)
    found = []
    for part in message.get_payload():
        names = (part.get_param("name", header="content-disposition"), part.get_filename())
        found.append((*names, part.get("Content-Type"), part.get_payload(decode=True)))
    return found


async def test_all_kinds_of_parts(tmp_path):
    (tmp_path / "b.txt").write_bytes(b"path")
    with (tmp_path / "b.txt").open("rb") as binary, (tmp_path / "b.txt").open() as text:
        content_type, length, content = await sent(
            data={"a": "1", "many": ["x", True], "none": None, "raw": b"\xff"},
            files=[
                ("bytes", b"1"),
                ("text", "\u20ac"),
                ("path", tmp_path / "b.txt"),
                ("binary", binary),
                ("text", text),
                ("tuple", ("c.pdf", b"%PDF")),
                ("typed", ("c.pdf", b"%PDF", "image/png")),
                ("headed", ("c.pdf", io.BytesIO(b"%PDF"), None, {"Content-Type": "x/y", "X-A": "b"})),
                ("nameless", (None, b"1")),
            ],
        )
    assert length == len(content)
    assert content_type.startswith("multipart/form-data; boundary=")
    octets = "application/octet-stream"
    assert parts(content_type, content) == [
        ("a", None, None, b"1"),
        ("many", None, None, b"x"),
        ("many", None, None, b"true"),
        ("none", None, None, b""),
        ("raw", None, None, b"\xff"),
        ("bytes", "upload", octets, b"1"),
        ("text", "upload", octets, "\u20ac".encode()),
        ("path", "b.txt", "text/plain", b"path"),
        ("binary", "b.txt", "text/plain", b"path"),
        ("text", "b.txt", "text/plain", b"path"),
        ("tuple", "c.pdf", "application/pdf", b"%PDF"),
        ("typed", "c.pdf", "image/png", b"%PDF"),
        ("headed", "c.pdf", "x/y", b"%PDF"),
        ("nameless", None, octets, b"1"),
    ]
    assert b"\r\nX-A: b\r\n" in content


async def test_it_is_what_httpx_would_send():
    files = [("a", ('q"\r\n\\.txt', b"1", "text/plain")), ("b\u00fc", ("\u00fc.bin", b"2"))]
    content_type, _, content = await sent(data={"x": "y"}, files=files, headers={"Content-Type": "multipart/form-data"})
    boundary = content_type.partition("boundary=")[2]
    theirs = httpx.Request("POST", "https://x", data={"x": "y"}, files=files, headers={"Content-Type": content_type})
    assert boundary.encode() in theirs.read()
    assert content == theirs.content


async def test_mixed_with_the_json_first():
    content_type, _, content = await sent(
        json={"to": 1}, files={"a": b"1"}, headers={"content-type": "multipart/mixed; boundary=B-1"}
    )
    assert content_type == "multipart/mixed; boundary=B-1"
    assert [part[1:] for part in parts(content_type, content)] == [
        ("request.json", "application/json", b'{"to":1}'),
        ("upload", "application/octet-stream", b"1"),
    ]


async def test_mixed_arrives_as_such(rc, api):
    route = api.post(FAX).respond(204)
    await rc.post(FAX, json={}, files={"a": b"1"}, headers={"Content-Type": "multipart/mixed"})
    request = route.calls.last.request
    assert request.headers["Content-Type"].startswith("multipart/mixed; boundary=")
    assert int(request.headers["Content-Length"]) == len(request.content)
    assert "Transfer-Encoding" not in request.headers


async def test_a_large_file_is_never_in_memory_whole():
    file = Counting(12_000_000)
    body = await make_body(Request("POST", FAX, files={"a": ("a", file)}))
    tracemalloc.start()
    try:
        total = 0
        async for chunk in body:
            total += len(chunk)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert total == body.length > 12_000_000
    assert peak < 3_000_000


async def test_progress_follows_and_begins_again_with_the_call(rc, api, grants):
    told = []
    file = Counting(3 * PIECE)
    route = api.post(FAX).mock(side_effect=[httpx.Response(401), httpx.Response(204)])
    await rc.post(FAX, files={"a": ("a", file)}, progress=lambda done, total: told.append((done, total)))
    assert route.call_count == 2
    assert [len(call.request.content) for call in route.calls] == [told[-1][1]] * 2
    total = told[-1][1]
    once = told[: len(told) // 2]
    assert told == once * 2
    assert [done for done, _ in once] == sorted({done for done, _ in once})
    assert len(once) > 2
    assert once[-1] == (total, total)


async def test_a_file_that_cannot_be_rewound_is_sent_in_chunks_once(rc, api, grants):
    told = []
    file = Counting(10, seekable=False)
    route = api.post(FAX).mock(side_effect=[httpx.Response(401)])
    with pytest.raises(ConfigurationError, match="cannot be rewound"):
        await rc.post(FAX, files={"a": ("a", file)}, progress=lambda *both: told.append(both))
    request = route.calls.last.request
    assert request.headers["Transfer-Encoding"] == "chunked"
    assert "Content-Length" not in request.headers
    assert bytes(10) in request.content
    assert told[-1] == (len(request.content), None)


async def test_any_client_sends_it(token):
    """Also one of the user's own, to which the body goes as an iterable of bytes."""
    seen = []

    async def handle(request):
        seen.append((request.headers, await request.aread()))
        return httpx.Response(204)

    async with (
        httpx.AsyncClient(transport=httpx.MockTransport(handle)) as http,
        RingCentral(token=token, http=http) as rc,
    ):
        await rc.post(FAX, files={"a": ("a", Counting(2 * PIECE))})
    ((headers, content),) = seen
    assert int(headers["Content-Length"]) == len(content) > 2 * PIECE
    assert headers["Content-Type"].startswith("multipart/form-data; boundary=")


async def test_an_error_of_progress_ends_the_call(rc, api):
    api.post(FAX).respond(204)
    with pytest.raises(ZeroDivisionError):
        await rc.post(FAX, files={"a": b"1"}, progress=lambda done, total: 1 // 0)


@pytest.mark.parametrize("name", ["missing.txt", "folder"])
async def test_a_path_that_cannot_be_read(rc, api, tmp_path, name):
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConfigurationError, match=f"files: a: .*{name}"):
        await rc.post(FAX, files={"a": tmp_path / name})


async def test_a_disk_that_fails_is_not_taken_for_the_network(rc, api):
    class Failing(Counting):
        def read(self, size=-1):
            if self.position >= PIECE:
                raise OSError(errno.EIO, "Input/output error")
            return super().read(size)

    api.post(FAX).respond(204)
    with pytest.raises(ConfigurationError, match=r"files: a: cannot be read: .*Input/output error"):
        await rc.post(FAX, files={"a": ("a", Failing(3 * PIECE))})


@pytest.mark.parametrize("progress", [7, "x", lambda done: None, anyio.sleep])
def test_what_is_no_progress(progress):
    with pytest.raises(ConfigurationError, match="progress"):
        Request("POST", FAX, files={"a": b"1"}, progress=progress)


def test_progress_needs_files():
    with pytest.raises(ConfigurationError, match="progress"):
        Request("POST", FAX, json={}, progress=lambda done, total: None)


def times_open(path):
    """Return how many descriptors of this process are open on a file."""
    found = 0
    for link in os.scandir("/proc/self/fd"):
        with suppress(OSError):  # the one of the listing itself
            found += os.readlink(link.path) == str(path)
    return found


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="open files are listed there")
async def test_files_are_closed_that_were_opened_here(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"x" * (3 * PIECE))
    body = await make_body(Request("POST", FAX, files={"a": path}))
    assert times_open(path) == 0
    chunks = aiter(body)
    await anext(chunks)
    assert times_open(path) == 1
    del chunks  # as after a failed write; the worker thread may let go of it a moment later
    with anyio.fail_after(5):
        while times_open(path):
            await anyio.sleep(0.001)


async def test_a_file_that_grows_meanwhile_is_sent_as_it_was(tmp_path):
    log = tmp_path / "log"
    log.write_bytes(b"a" * PIECE * 2)
    body = await make_body(Request("POST", FAX, files={"log": log}))
    chunks = aiter(body)
    content = await anext(chunks)
    with log.open("ab") as file:
        file.write(b"b" * PIECE)
    content += b"".join([chunk async for chunk in chunks])
    assert len(content) == body.length
    assert b"b" * 8 not in content.partition(b"\r\n\r\n")[2].replace(b"boundary", b"")


async def test_a_file_that_shrinks_meanwhile_is_told(tmp_path):
    log = tmp_path / "log"
    log.write_bytes(b"a" * PIECE * 3)
    chunks = aiter(await make_body(Request("POST", FAX, files={"log": log})))
    await anext(chunks)
    os.truncate(log, 10)
    with pytest.raises(ConfigurationError, match=r"^files: log: cannot be read: it became shorter"):
        [chunk async for chunk in chunks]


async def test_a_closed_file_is_told(rc):
    file = io.BytesIO(b"a")
    file.close()
    with pytest.raises(ConfigurationError, match=r"^files: fax: cannot be read: I/O operation on closed file"):
        await rc.post(FAX, files={"fax": file})


@pytest.mark.parametrize(
    "file",
    [
        ("a", b"", "text/plain\r\nX: y"),
        ("a", b"", 5),
        ("a", b"", None, {"X": "y\n\nz"}),
        ("a", b"", None, {"X\r\n": ""}),
        ("a", b"", None, "X"),
    ],
)
def test_no_header_of_a_part_adds_another(file):
    with pytest.raises(ConfigurationError, match=r"^files: fax: "):
        Request("POST", FAX, files={"fax": file})
