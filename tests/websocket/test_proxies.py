"""The choice of a proxy: the same as httpx makes, compared by behaviour; errors name the argument or variable."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any
from unittest import mock

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rcex_ws.errors import ConfigurationError
from rcex_ws.websocket.proxies import Proxy, check_proxy, choose_proxy


def choose(url: str, environment: Mapping[str, str] | None = None, *, proxy: Any = None) -> Proxy | None:
    """Choose a proxy for a URL as httpx parses it, with an environment as returned by `getproxies`."""
    parts = httpx.URL(url)
    port = parts.port or {"http": 80, "https": 443, "ws": 80, "wss": 443}[parts.scheme]
    return choose_proxy(parts.scheme, parts.raw_host.decode().strip("[]"), port, proxy, environment)


# -- as httpx ----------------------------------------------------------------------------------------------------------


def chosen_by_httpx(url: str, **options: Any) -> Any:
    """Send a request with an httpx client; return the proxy of the transport that it chooses."""
    made: list[Any] = []

    def init(self: Any, *_: Any, proxy: httpx.Proxy | None = None, **__: Any) -> None:
        self.proxy = proxy

    def handle(self: Any, request: httpx.Request) -> httpx.Response:
        made.append(self.proxy)
        return httpx.Response(200)

    with mock.patch.multiple(httpx.HTTPTransport, __init__=init, handle_request=handle, close=mock.Mock()):
        httpx.Client(**options).get(url)
    (proxy,) = made
    if proxy is None:
        return None
    port = proxy.url.port or {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}[proxy.url.scheme]
    return Proxy(proxy.url.scheme, proxy.url.raw_host.decode().lower(), port, *(proxy.auth or (None, None)))


HOSTS = ["example.com", "www.example.com", "notexample.com", "com", "localhost", "x.localhost", "127.0.0.1", "10.1.2.3"]
PORTS = ["", ":80", ":443", ":8080"]
PROXIES = [
    "",
    "proxy.example",
    "proxy.example:3128",
    "user:pass@proxy.example:3128",
    "http://proxy.example",
    "HTTP://Proxy.Example:3128/",
    "http://user@proxy.example:3128",
    "http://:pass@proxy.example:3128",
    "http://us%40er:p%3Ass%2F@proxy.example:3128/path?query#fragment",
    "http://user:p@ss@proxy.example:3128",
    "https://proxy.example",
    "https://proxy.example:443",
    "socks5://user:pass@proxy.example",
    "socks5h://proxy.example:9050",
    "http://[2001:DB8::1]:3128",
    "http://proxy.example:",
    "http://pröxy.example:3128",
]
ENTRIES = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(
        ["", "", "", ".", "*", "*.", "http://", "https://", "all://", "https://*.", "ftp://", "user@", " "]
    ),
    st.sampled_from([*HOSTS, "Example.COM", "LOCALHOST", "", "10.0.0.0", "127.0.0.1"]),
    st.sampled_from(PORTS),
    st.sampled_from(["", "", "", "/8", "/path", " "]),
) | st.sampled_from(["*", "", "::1", "2001:db8::1", "all://[::1]", "https://[::1]:8080", "https://", "all://"])
VARIABLES = [
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"),
    *("WS_PROXY", "WSS_PROXY", "SOCKS_PROXY", "FTP_PROXY"),
]


@given(
    st.dictionaries(st.sampled_from(VARIABLES), st.sampled_from(PROXIES)),
    st.lists(ENTRIES, max_size=4).map(",".join),
    st.sampled_from(["NO_PROXY", "no_proxy"]),
    st.builds(
        "{}://{}{}/".format,
        st.sampled_from(["http", "https"]),
        st.sampled_from([*HOSTS, "[::1]", "[2001:db8::1]", "EXAMPLE.com"]),
        st.sampled_from(PORTS),
    ),
)
@example({"ALL_PROXY": "http://p"}, "example.com:443", "NO_PROXY", "https://example.com/")
@example({"ALL_PROXY": "http://p"}, "https://example.com:443", "NO_PROXY", "https://example.com/")
@example({"ALL_PROXY": "http://p"}, "example.com", "NO_PROXY", "https://www.example.com/")
@example({"ALL_PROXY": "http://p"}, ".example.com", "NO_PROXY", "https://example.com/")
@example({"ALL_PROXY": "http://p"}, "*.example.com", "NO_PROXY", "https://www.example.com/")
@example({"ALL_PROXY": "http://p"}, "10.0.0.0/8", "NO_PROXY", "https://10.1.2.3/")
@example({"ALL_PROXY": "http://p"}, "a, * ,b", "NO_PROXY", "https://example.com/")
@example({"HTTP_PROXY": "http://p", "http_proxy": ""}, "", "NO_PROXY", "http://example.com/")
@example({"HTTP_PROXY": "http://upper", "http_proxy": "http://lower"}, "", "NO_PROXY", "http://example.com/")
def test_the_choice_is_that_of_httpx(environment: dict[str, str], no_proxy: str, name: str, url: str) -> None:
    with mock.patch.dict(os.environ, {**environment, name: no_proxy}):
        expected = chosen_by_httpx(url)
        assert choose(url) == expected
        assert choose(url.replace("http", "ws", 1)) == expected
        assert choose(url, proxy=True) == expected
        assert choose(url, proxy=False) is None


@given(st.sampled_from([one for one in PROXIES if "://" in one]), st.sampled_from(HOSTS))
def test_an_explicit_proxy_is_read_as_by_httpx(proxy: str, host: str) -> None:
    with mock.patch.dict(os.environ, {"HTTPS_PROXY": "http://other.example", "NO_PROXY": "*"}):
        assert choose(f"https://{host}/", proxy=proxy) == chosen_by_httpx(f"https://{host}/", proxy=proxy)


def test_a_cgi_script_ignores_http_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """In CGI it is the request's `Proxy` header (CVE-2016-1000110)."""
    monkeypatch.setenv("REQUEST_METHOD", "GET")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example")
    assert choose("ws://example.com/") is chosen_by_httpx("http://example.com/") is None


# -- beyond httpx ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("entry", ["[::1]", "[::1]:8080", "all://[::1]"])
def test_no_proxy_may_have_an_ipv6_address_in_brackets(entry: str) -> None:
    """httpx refuses it without a scheme; curl and others accept it."""
    environment = {"all": "http://proxy.example", "no": entry}
    assert choose("wss://[::1]:8080/", environment) is None
    assert (choose("wss://[::1]:8081/", environment) is None) is (":8080" not in entry)
    assert choose("wss://[::2]:8080/", environment) is not None


@pytest.mark.parametrize("entry", ["münchen.example", ".münchen.example", "xn--mnchen-3ya.example"])
def test_no_proxy_may_have_a_host_that_is_not_ascii(entry: str) -> None:
    """httpx refuses it, and does not recognise its encoded form."""
    environment = {"all": "http://proxy.example", "no": entry}
    assert choose("wss://www.münchen.example/", environment) is None


@pytest.mark.parametrize("name", ["ws", "wss", "socks", "ftp"])
def test_other_variables_are_not_read(name: str) -> None:
    assert choose("ws://example.com/", {name: "http://proxy.example"}) is None


# -- mistakes ----------------------------------------------------------------------------------------------------------

MISTAKES = [
    ("socks4://user:SECRET@proxy.example:1080", "socks4 is no scheme that is supported"),
    ("socks4a://user:SECRET@proxy.example:1080", "socks4a is no scheme that is supported"),
    ("socks://user:SECRET@proxy.example:1080", "socks is no scheme that is supported"),
    ("ftp://user:SECRET@proxy.example", "this is no scheme that is supported"),
    ("http://user:SECRET@", "no valid host and port"),
    ("http://user:SECRET@:3128", "no valid host and port"),
    ("http://user:SECRET@proxy.example:99999", "no valid host and port"),
    ("http://user:SECRET@proxy.example:0", "no valid host and port"),
    ("http://user:SECRET@proxy.example:port", "no valid host and port"),
    ("http://user:SECRET/SECRET@proxy.example:3128", "encode special characters of a password"),
    ("http://user:SECRET#SECRET@proxy.example:3128", "encode special characters of a password"),
    ("http://user:SECRET@[::1:3128", "no valid host and port"),
    ("http://user:SECRET@pro xy.example:3128", "no valid host and port"),
    ("http://user:SECRET@proxy..example:3128", "no valid host and port"),
]


@pytest.mark.parametrize(("url", "says"), MISTAKES)
@pytest.mark.parametrize("scheme", ["ws", "https"])
def test_a_mistake_is_told_by_its_name_and_without_the_password(scheme: str, url: str, says: str) -> None:
    named: list[tuple[str, Any, dict[str, str]]] = [
        ("proxy", url, {}),
        ("ALL_PROXY", None, {"all": url}),
        ("HTTP_PROXY" if scheme == "ws" else "HTTPS_PROXY", None, {"http": url, "https": url, "all": "http://good"}),
    ]
    for name, proxy, environment in named:
        with pytest.raises(ConfigurationError) as caught:
            choose(f"{scheme}://example.com/", environment, proxy=proxy)
        text = str(caught.value)
        assert text.startswith(f"{name} ")
        assert says in text
        assert "http://proxy.example:3128" in text  # the expected form
        assert "SECRET" not in f"{text} {caught.value!r}"


@pytest.mark.parametrize("proxy", ["", " ", 1, 0, b"http://proxy.example", ["http://proxy.example"], object()])
def test_what_is_no_url_at_all_is_refused(proxy: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^proxy must be a URL such as http://proxy\.example:3128"):
        choose("wss://example.com/", {}, proxy=proxy)
    with pytest.raises(ConfigurationError, match="proxy must be"):
        check_proxy(proxy)


def test_an_explicit_proxy_needs_a_scheme() -> None:
    with pytest.raises(ConfigurationError, match="no scheme that is supported"):
        check_proxy("proxy.example:3128")
    with pytest.raises(ConfigurationError) as caught:
        check_proxy("SECRET:SECRET@proxy.example:3128")
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize("proxy", [None, True, False, "http://proxy.example", "socks5h://proxy.example"])
def test_what_can_work_is_not_refused(proxy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks4://proxy.example")  # reported when it is used
    check_proxy(proxy)


def test_a_mistake_that_is_not_used_is_not_told() -> None:
    """Desktops often set `ALL_PROXY=socks://...` beside HTTPS_PROXY; httpx always refuses it."""
    environment = {"https": "http://proxy.example", "all": "socks://proxy.example", "no": "localhost"}
    assert choose("wss://example.com/", environment) == Proxy("http", "proxy.example", 80)
    assert choose("ws://localhost/", environment) is None
    with pytest.raises(ConfigurationError, match="ALL_PROXY"):
        choose("ws://example.com/", environment)


@pytest.mark.parametrize("no_proxy", ["example.com:port", "ok,[::1", "https://[x]", "a..ü"])
def test_an_entry_of_no_proxy_that_is_no_host_is_told(no_proxy: str) -> None:
    with pytest.raises(ConfigurationError, match="NO_PROXY must be hosts"):
        choose("wss://example.com/", {"all": "http://proxy.example", "no": no_proxy})


@pytest.mark.parametrize("package", ["python_socks", "socksio"])
@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
def test_socks_without_its_packages_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, package: str, scheme: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigurationError, match=r"pip install rcex_ws\[socks\]"):
        check_proxy(f"{scheme}://proxy.example")
    check_proxy("http://proxy.example")


# -- what is shown -----------------------------------------------------------------------------------------------------


def test_a_proxy_shows_no_password() -> None:
    proxy = choose("wss://example.com/", {}, proxy="https://user:SECRET@proxy.example:3128")
    assert repr(proxy) == "Proxy(scheme='https', host='proxy.example', port=3128, username='***', password='***')"
    assert "SECRET" not in f"{proxy}"
    assert Proxy("http", "::1", 1).name == "[::1]:1"


def test_a_star_in_no_proxy_is_every_host() -> None:
    environment = {"http": "http://proxy.example", "all": "http://proxy.example", "no": "a.example, *"}
    assert choose("ws://server.example/", environment) is None


@pytest.mark.parametrize("entry", ["::1", "all://::1", "http://::1"])
def test_no_proxy_may_have_an_ipv6_address_without_brackets(entry: str) -> None:
    environment = {"all": "http://proxy.example", "no": entry}
    assert choose("ws://[::1]/", environment) is None
    assert choose("ws://[::2]/", environment) is not None
