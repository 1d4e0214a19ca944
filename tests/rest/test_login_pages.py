"""Several users at login pages at once: each code is redeemed with what its own page was made with."""

from __future__ import annotations

import base64
import hashlib
from urllib.parse import parse_qsl, urlsplit

import anyio
import httpx
import pytest

from rcex_ws.errors import ConfigurationError, TransportError
from rcex_ws.gateway import Gateway
from rcex_ws.rest import LoginRefused, RingCentral
from rcex_ws.rest.login_pages import LoginPage, LoginPages

BACK = "https://bot.example/back"


def query(uri):
    return dict(parse_qsl(urlsplit(uri).query))


def form(call):
    return dict(parse_qsl(call.request.content.decode()))


def challenge(verifier):
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


@pytest.fixture
def public(make_client):
    return make_client(client_secret=None)


async def test_the_client_keeps_verifier_and_redirect_uri(public, grants):
    page = query(public.authorize_uri(redirect_uri=BACK))
    await public.authorize(code="C")
    sent = form(grants.calls.last)
    assert page["code_challenge"] == challenge(sent["code_verifier"])
    assert (page["code_challenge_method"], sent["redirect_uri"], sent["client_id"]) == ("S256", BACK, "ID")


async def test_pages_under_way_at_once_are_told_apart_by_state(public, grants):
    pages = {name: query(public.authorize_uri(redirect_uri=f"{BACK}/{name}", state=name)) for name in "abc"}
    for name in "bca":
        await public.authorize(code="C", state=name)
        sent = form(grants.calls.last)
        assert pages[name]["code_challenge"] == challenge(sent["code_verifier"])
        assert sent["redirect_uri"] == f"{BACK}/{name}"


async def test_without_state_the_wrong_page_is_never_guessed(public, grants):
    for _ in range(2):
        public.authorize_uri(redirect_uri=BACK)
    with pytest.raises(ConfigurationError, match=r"^state: several users"):
        await public.authorize(code="C", redirect_uri=BACK)
    with pytest.raises(ConfigurationError, match=r"^state: several users"):
        await public.authorize(code="C")
    assert grants.call_count == 0
    public.authorize_uri(redirect_uri="https://other.example/")
    await public.authorize(code="C", redirect_uri="https://other.example/")  # that one is the only one
    assert form(grants.calls.last)["redirect_uri"] == "https://other.example/"


async def test_without_pkce_pages_that_are_alike_need_no_state(make_client, grants):
    rc = make_client()
    pages = [query(rc.authorize_uri(redirect_uri=BACK)) for _ in range(2)]
    assert pages[0]["state"] != pages[1]["state"]
    assert not any("code_challenge" in page for page in pages)
    await rc.authorize(code="C")
    assert form(grants.calls.last) == {"grant_type": "authorization_code", "code": "C", "redirect_uri": BACK}


async def test_pkce_is_a_choice(make_client, grants):
    rc = make_client()
    assert "code_challenge" in query(rc.authorize_uri(redirect_uri=BACK, pkce=True))
    await rc.authorize(code="C")
    assert len(form(grants.calls.last)["code_verifier"]) == 43
    assert "code_challenge" not in query(RingCentral(client_id="ID").authorize_uri(redirect_uri=BACK, pkce=False))
    with pytest.raises(ConfigurationError, match=r"^pkce: "):
        rc.authorize_uri(redirect_uri=BACK, pkce=False, code_verifier="V")


async def test_what_the_caller_gives_counts(public, grants):
    public.authorize_uri(redirect_uri=BACK, state="a")
    public.authorize_uri(redirect_uri=BACK, state="b")
    await public.authorize(code="C", redirect_uri="https://x.example/", code_verifier="V")
    assert form(grants.calls.last) | {"redirect_uri": "https://x.example/", "code_verifier": "V"} == form(
        grants.calls.last
    )


@pytest.mark.parametrize("state", ["forged", "used"])
async def test_a_state_that_is_not_under_way_is_refused(public, grants, state):
    public.authorize_uri(redirect_uri=BACK, state="used")
    await public.authorize(code="C", state="used")
    public.authorize_uri(redirect_uri=BACK, state="other")
    with pytest.raises(ConfigurationError, match=r"^state: no login page"):
        await public.authorize(code="C", state=state)
    assert grants.call_count == 1


async def test_a_state_belongs_to_a_code(public):
    with pytest.raises(ConfigurationError, match=r"^state: it goes with code"):
        await public.authorize(jwt="J", state="a")


async def test_a_page_outlives_a_lost_answer_but_not_a_refusal(public, api):
    public.authorize_uri(redirect_uri=BACK, state="a")
    answers = [httpx.ConnectError("x"), httpx.Response(400, json={"error": "invalid_grant"})]
    api.post("/restapi/oauth/token").mock(side_effect=answers)
    with pytest.raises(TransportError):
        await public.authorize(code="C", state="a")
    with pytest.raises(LoginRefused, match="send the user to the login page again"):
        await public.authorize(code="C", state="a")
    with pytest.raises(ConfigurationError, match=r"^state: no login page"):
        await public.authorize(code="C", state="a")


def test_a_page_that_is_opened_again_keeps_its_verifier():
    rc = RingCentral(client_id="ID")
    first, again, other = (
        query(rc.authorize_uri(redirect_uri=uri, state="a"))["code_challenge"] for uri in (BACK, BACK, BACK + "/2")
    )
    assert first == again != other


def test_the_oldest_pages_are_forgotten():
    pages = LoginPages()
    for number in range(1001):
        pages.open(BACK, state=str(number), code_verifier="SECRET", pkce=True)
    assert len(pages) == 1000
    found = pages.redemption("1", redirect_uri=None, code_verifier=None)
    assert found == (BACK, "SECRET", "1")
    assert "SECRET" not in repr(found)
    with pytest.raises(ConfigurationError):
        pages.redemption("0", redirect_uri=None, code_verifier=None)
    assert "SECRET" not in repr(LoginPage(BACK, "SECRET"))


async def test_two_users_of_a_public_client_log_in_at_once(tls):
    with Gateway(client_secret="") as gateway:
        async with RingCentral(server=gateway.server, client_id=gateway.client_id, ssl_context=tls) as rc:
            async with httpx.AsyncClient(verify=tls) as browser:
                pages = [rc.authorize_uri(redirect_uri=f"{BACK}/{name}") for name in "ab"]
                backs = [query((await browser.get(page)).headers["location"]) for page in pages]
            tokens = [await rc.authorize(code=back["code"], state=back["state"]) for back in reversed(backs)]
            assert tokens[0].access_token != tokens[1].access_token
            assert (await rc.restapi().account().extension().get())["id"]


async def test_one_code_is_sent_by_one_call(public, api):
    public.authorize_uri(redirect_uri=BACK, state="a")
    outcomes = []

    async def answer(request):
        await anyio.wait_all_tasks_blocked()
        return httpx.Response(200, json={"access_token": "A", "expires_in": 3600})

    async def log_in():
        try:
            outcomes.append(type(await public.authorize(code="C", state="a")).__name__)
        except ConfigurationError:
            outcomes.append("refused")

    route = api.post("/restapi/oauth/token").mock(side_effect=answer)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(log_in)
        tasks.start_soon(log_in)
    assert sorted(outcomes) == ["Token", "refused"]
    assert route.call_count == 1


async def test_a_cancelled_login_can_be_tried_again(public, api):
    public.authorize_uri(redirect_uri=BACK, state="a")
    route = api.post("/restapi/oauth/token").mock(side_effect=lambda request: anyio.sleep_forever())
    with anyio.move_on_after(0.01):
        await public.authorize(code="C", state="a")
    route.mock(return_value=httpx.Response(200, json={"access_token": "A", "expires_in": 3600}))
    assert (await public.authorize(code="C", state="a")).access_token == "A"


@pytest.mark.parametrize("name", ["state", "client_id", "redirect_uri", "code_challenge", "response_type"])
async def test_further_parameters_cannot_contradict_what_is_redeemed_later(public, grants, name):
    with pytest.raises(ConfigurationError, match=f"^params: {name} is set by the client"):
        public.authorize_uri(redirect_uri=BACK + "/other", params={name: "x", "prompt": "login"})
    page = query(public.authorize_uri(redirect_uri=BACK, params={"prompt": "login"}))
    assert page["prompt"] == "login"
    await public.authorize(code="C")  # the refused page was not opened
    assert form(grants.calls.last)["redirect_uri"] == BACK
