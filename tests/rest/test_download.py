"""A file that is written while it comes: whole or not at all."""

from __future__ import annotations

import errno
import io
import os
import stat

import anyio
import httpx
import pytest

from rcex_ws import ConfigurationError, RestError, TransportError
from rcex_ws.rest import PRODUCTION, RingCentral

PATH = "/restapi/v1.0/account/~/extension/~/message-store/1/content/2"
PIECE = 2**18


class Chunks(httpx.AsyncByteStream):
    """A body in chunks, which may end in an exception; no generator, so that nothing of ours can leak by it."""

    def __init__(self, *chunks):
        self._chunks = iter(chunks)
        self.closed = False

    def __aiter__(self):
        return self

    async def __anext__(self):
        chunk = next(self._chunks, None)
        if chunk is None:
            raise StopAsyncIteration
        if isinstance(chunk, BaseException):
            raise chunk
        if callable(chunk):
            return await chunk()
        return chunk

    async def aclose(self):
        self.closed = True


def answer(*chunks, **headers):
    return httpx.Response(200, stream=Chunks(*chunks), headers=headers)


async def test_all_of_it_arrives(rc, api, tmp_path):
    told = []
    chunks = [bytes([number]) * (PIECE // 2 + number) for number in range(5)]
    content = b"".join(chunks)
    route = api.get(PATH, params={"a": "1"}).mock(return_value=answer(*chunks, **{"Content-Length": str(len(content))}))
    target = tmp_path / "fax.pdf"
    target.write_bytes(b"old")
    options = {"params": {"a": 1}, "headers": {"X-Mine": "1"}}
    saved = await rc.download(PATH, to=str(target), progress=lambda *both: told.append(both), **options)
    assert saved == target
    assert target.read_bytes() == content
    assert os.listdir(tmp_path) == ["fax.pdf"]
    assert [done for done, _ in told] == [sum(map(len, chunks[: count + 1])) for count in range(5)]
    assert {total for _, total in told} == {len(content)}
    headers = route.calls.last.request.headers
    assert (headers["X-Mine"], headers["Accept-Encoding"]) == ("1", "identity")
    assert headers["Authorization"] == "Bearer ACCESS-0"


async def test_from_a_path_that_is_built(rc, api, tmp_path):
    api.get(PATH).respond(200, content=b"abc")
    content = rc.restapi().account().extension().message_store(1).content(2)
    assert (await content.download_to(tmp_path / "a")).read_bytes() == b"abc"


async def test_an_empty_one_and_one_of_unknown_length(rc, api, tmp_path):
    told = []
    for chunks in ((), (b"ab", b"c")):
        api.get(PATH).mock(return_value=answer(*chunks))
        path = await rc.download(PATH, to=tmp_path / "a", progress=lambda *both: told.append(both))
        assert path.read_bytes() == b"".join(chunks)
    assert told == [(2, None), (3, None)]


async def test_the_usual_permissions(rc, api, tmp_path):
    (tmp_path / "usual").touch()
    api.get(PATH).respond(200, content=b"abc")
    path = await rc.download(PATH, to=tmp_path / "a")
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "usual").stat().st_mode)


async def test_only_ringcentrals_hosts_get_the_token(token, tmp_path):
    seen = {}

    def handle(request):
        seen[request.url.host] = request.headers.get("Authorization")
        return httpx.Response(200, content=b"abc")

    async with (
        httpx.AsyncClient(transport=httpx.MockTransport(handle)) as http,
        RingCentral(token=token, http=http) as rc,
    ):
        for host in (
            "media.ringcentral.com",
            "platform.ringcentral.com",
            "evil.example",
            "ringcentral.com.evil.example",
        ):
            await rc.download(f"https://{host}/a", to=tmp_path / "a")
    bearer = "Bearer ACCESS-0"
    assert list(seen.values()) == [bearer, bearer, None, None]
    assert PRODUCTION.endswith(list(seen)[1])


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (lambda: answer(b"abc", **{"Content-Length": "4"}), TransportError),
        (lambda: answer(b"abcde", **{"Content-Length": "4"}), TransportError),
        (lambda: answer(b"abc", httpx.ReadError("gone")), TransportError),
        (lambda: httpx.Response(404, json={"errorCode": "CMN-102"}), RestError),
        (lambda: answer(b"x" * PIECE, ZeroDivisionError()), ZeroDivisionError),
    ],
    ids=["too few", "too many", "lost", "refused", "broken"],
)
async def test_after_a_failure_nothing_is_left(rc, api, tmp_path, reply, error):
    api.get(PATH).mock(side_effect=lambda _: reply())
    target = tmp_path / "a"
    target.write_bytes(b"old")
    with pytest.raises(error):
        await rc.download(PATH, to=target)
    assert os.listdir(tmp_path) == ["a"]
    assert target.read_bytes() == b"old"


async def test_an_error_of_progress_ends_it(rc, api, tmp_path):
    reply = answer(b"abc", b"def")
    api.get(PATH).mock(return_value=reply)
    with pytest.raises(ZeroDivisionError):
        await rc.download(PATH, to=tmp_path / "a", progress=lambda done, total: 1 // 0)
    assert os.listdir(tmp_path) == []


async def test_a_cancelled_one_leaves_nothing(rc, api, tmp_path):
    with anyio.CancelScope() as scope:

        async def stop():
            assert len(os.listdir(tmp_path)) == 1  # the temporary file
            scope.cancel()
            await anyio.sleep_forever()

        api.get(PATH).mock(return_value=answer(b"abc", stop))
        await rc.download(PATH, to=tmp_path / "a")
    assert scope.cancelled_caught
    assert os.listdir(tmp_path) == []


async def test_a_full_disk_is_told_and_leaves_nothing(rc, api, tmp_path, monkeypatch):
    class Full(io.FileIO):
        def write(self, data):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("rcex_ws.rest.download._create_beside", lambda target: Full(str(target), "xb"))
    api.get(PATH).mock(return_value=answer(b"x" * PIECE, b"y" * PIECE))
    with pytest.raises(OSError, match="No space left"):
        await rc.download(PATH, to=tmp_path / "a")
    assert os.listdir(tmp_path) == []


async def test_a_wrong_place_is_refused_before_anything_is_sent(rc, api, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for to in ("", "a\0b", 7, None, "missing/a", "."):
        with pytest.raises(ConfigurationError, match="to: "):
            await rc.download(PATH, to=to)
    assert len(api.calls) == 0


async def test_a_wrong_progress(rc, tmp_path):
    for progress in (7, lambda done: None, anyio.sleep):
        with pytest.raises(ConfigurationError, match="progress: "):
            await rc.download(PATH, to=tmp_path / "a", progress=progress)


async def test_a_device_is_not_replaced(rc, api, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(ConfigurationError, match=r"^to: .*pipe' is a device or a pipe"):
        await rc.download(PATH, to=pipe)
    assert pipe.is_fifo()


async def test_a_private_file_stays_private(rc, api, tmp_path):
    target = tmp_path / "recording"
    target.touch(0o600)
    api.get(PATH).mock(return_value=answer(b"new"))
    await rc.download(PATH, to=target)
    assert (target.read_bytes(), stat.S_IMODE(target.stat().st_mode)) == (b"new", 0o600)


async def test_a_link_stays_one(rc, api, tmp_path):
    folder, link = tmp_path / "folder", tmp_path / "link"
    folder.mkdir()
    link.symlink_to(folder / "file")
    api.get(PATH).mock(return_value=answer(b"new"))
    assert await rc.download(PATH, to=link) == link
    assert link.is_symlink()
    assert (folder / "file").read_bytes() == b"new"
    assert sorted(os.listdir(tmp_path)) == ["folder", "link"]
