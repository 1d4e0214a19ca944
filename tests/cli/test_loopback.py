from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

import anyio
import httpx
import pytest

from rcex_ws import ConfigurationError, TransportError
from rcex_ws.cli.loopback import Loopback, Redirect, read_redirect

STATE = "st&te"
OURS = f"/callback?state={quote(STATE)}"


@pytest.mark.parametrize(
    ("target", "found"),
    [
        (f"{OURS}&code=c%2F1", Redirect(code="c/1")),
        (f"{OURS}&error=access_denied", Redirect(denied="access_denied")),
        (f"{OURS}&error=access_denied&error_description=no%0Away", Redirect(denied="access_denied: no\\nway")),
    ],
)
def test_an_answer_of_the_login_page_is_read(target: str, found: Redirect) -> None:
    assert read_redirect(target, state=STATE) == found


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/favicon.ico", 404),
        ("//[", 404),
        (f"/?code=c&state={quote(STATE)}", 404),
        ("/callback?code=c", 400),
        ("/callback?code=c&state=other", 400),
        ("/callback?code=c&state=%C3%A4", 400),
        ("/callback?error=access_denied&state=other", 400),
        (OURS, 400),
    ],
)
def test_anything_else_is_refused(target: str, status: int) -> None:
    found = read_redirect(target, state=STATE)
    assert found.refusal is not None
    assert found.refusal[0] == status
    assert not found.code
    assert not found.denied


async def visits(loopback: Loopback, redeem: object, *queries: str) -> list[httpx.Response]:
    """Serve, and be a browser that comes with these queries, one after the other."""
    answers: list[httpx.Response] = []

    async def browse() -> None:
        async with httpx.AsyncClient(trust_env=False, verify=False) as browser:
            answers.extend([await browser.get(loopback.redirect_uri + query) for query in queries])

    with anyio.fail_after(10):
        async with loopback, anyio.create_task_group() as group:
            group.start_soon(browse)
            await loopback.serve(redeem)  # type: ignore[arg-type]
    return answers


@pytest.fixture
def codes() -> list[str]:
    return []


@pytest.fixture
def redeem(codes: list[str]) -> Callable[[str], object]:
    async def redeem(code: str) -> None:
        codes.append(code)

    return redeem


async def test_forged_answers_are_survived_and_the_right_one_ends_it(redeem: object, codes: list[str]) -> None:
    loopback = await Loopback.listen(0)
    good = f"?code=good&state={loopback.state}"
    answers = await visits(loopback, redeem, "?code=forged&state=x", "/more?code=forged", good)
    assert [answer.status_code for answer in answers] == [400, 404, 200]
    assert "You are logged in" in answers[2].text
    assert answers[2].headers["Content-Security-Policy"] == "default-src 'none'"
    assert codes == ["good"]
    assert loopback.failure is None


async def test_a_connection_that_says_nothing_or_nonsense_does_not_hold_the_login_up(
    redeem: object, codes: list[str]
) -> None:
    loopback = await Loopback.listen(0)
    port = httpx.URL(loopback.redirect_uri).port
    async with (
        await anyio.connect_tcp("127.0.0.1", port or 0),
        await anyio.connect_tcp("127.0.0.1", port or 0) as nonsense,
    ):
        await nonsense.send(b"\x16\x03\x01 this is TLS\r\n\r\n")
        await visits(loopback, redeem, f"?code=good&state={loopback.state}")
    assert codes == ["good"]


async def test_a_denial_is_told_to_both_sides(redeem: object, codes: list[str]) -> None:
    loopback = await Loopback.listen(0)
    answers = await visits(loopback, redeem, f"?error=access_denied&state={loopback.state}")
    assert "Access was denied" in answers[0].text
    assert str(loopback.failure) == "the login page answered: access_denied"
    assert codes == []


async def test_a_failed_login_is_told_to_both_sides() -> None:
    async def redeem(code: str) -> None:
        raise TransportError("no <answer>")

    loopback = await Loopback.listen(0)
    answers = await visits(loopback, redeem, f"?code=c&state={loopback.state}")
    assert answers[0].status_code == 502
    assert "no &lt;answer&gt;" in answers[0].text
    assert isinstance(loopback.failure, TransportError)


async def test_a_port_in_use_is_refused_by_name() -> None:
    async with await Loopback.listen(0) as first:
        port = httpx.URL(first.redirect_uri).port or 0
        with pytest.raises(ConfigurationError, match=rf"^port: {port} is in use"):
            await Loopback.listen(port)
