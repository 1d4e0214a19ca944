"""Choose the proxy for a server, for REST and WebSocket alike, by the rules of httpx.

Pure, except that the environment is read when none is passed. The rules are those of httpx 0.28: the environment's
proxy is the one for the scheme, otherwise ALL_PROXY; a value without a scheme is an http proxy; `NO_PROXY` lists hosts
(`example.com` includes its subdomains, `.example.com` is only those, `localhost` and IP addresses match exactly), each
with an optional port, but no networks and no wildcard other than a lone `*`. A proxy passed as `proxy` serves all
hosts. A ws:// server uses the proxy for http://, a wss:// server that for https://.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Annotated, Final
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from rcex_ws.errors import ConfigurationError
from rcex_ws.options import Rule
from rcex_ws.secret import SECRET, HiddenFields

__all__ = ["Proxy", "ProxyChoice", "check_proxy", "choose_proxy"]

_DEFAULT_PORTS: Final = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
_WEB_PORTS: Final = {"http": 80, "https": 443}
_LIKE_HTTP: Final = {"ws": "http", "wss": "https"}

_EXPECTED: Final = "a URL such as http://proxy.example:3128 (http, https, socks5 or socks5h)"


class Proxy(HiddenFields, frozen=True):
    """The address of a proxy, and the login for it.

    Attributes:
        scheme: "http", "https" (TLS to the proxy), "socks5" (names are resolved here) or "socks5h" (by the proxy).
        host: in lower case; an IPv6 address has no brackets.
        port: the default of the scheme unless the URL names one.
        username: None without a login.
        password: "" if the URL has only a user name.
    """

    scheme: str
    host: str
    port: int
    username: Annotated[str | None, SECRET] = None
    password: Annotated[str | None, SECRET] = None

    @property
    def name(self) -> str:
        """Host and port, which may appear in messages."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_socks(self) -> bool:
        """Whether the proxy speaks SOCKS rather than HTTP."""
        return self.scheme.startswith("socks")

    def refusal(self, status: int) -> str:
        """Return the message for a response to CONNECT other than 2xx."""
        if status == 407:
            login = "a login" if self.username is None else "another login"
            return f"the proxy {self.name} wants {login} (HTTP 407): user and password stand in its URL"
        return f"the proxy {self.name} refused to connect (HTTP {status})"


def choose_proxy(
    scheme: str, host: str, port: int, proxy: object = None, environment: Mapping[str, str] | None = None
) -> Proxy | None:
    """Return the proxy for a server, or None.

    Args:
        scheme: the server's: http, https, ws or wss.
        host: the server's, in lower case and without brackets.
        port: the server's.
        proxy: None or True for the environment's proxy, a URL for that one, False for none.
        environment: a mapping like that of `urllib.request.getproxies`, the default: the values of HTTP_PROXY,
            HTTPS_PROXY, ALL_PROXY and NO_PROXY by "http", "https", "all" and "no". Lower-case variables take
            precedence; macOS and Windows also have system settings.

    Raises:
        ConfigurationError: `proxy` or the chosen variable is not a proxy URL, or SOCKS support is not installed.
    """
    if proxy is False:
        return None
    if proxy is not None and proxy is not True:
        return _parse(proxy, "proxy")
    if environment is None:
        from urllib.request import getproxies  # imported here: it costs more than the rest of this folder

        environment = getproxies()
    scheme = _LIKE_HTTP.get(scheme, scheme)
    named_port = None if port == _WEB_PORTS.get(scheme) else port
    rule = next((rule for rule in _rules(environment) if rule.serves(scheme, host, named_port)), None)
    if rule is None or rule.value is None:
        return None
    return _parse(rule.value if "://" in rule.value else f"http://{rule.value}", rule.variable)


def check_proxy(proxy: object) -> None:
    """Refuse a `proxy` argument that can never work; the environment is checked when it is used.

    Raises:
        ConfigurationError: it is neither None, a bool nor a proxy URL, or SOCKS support is not installed.
    """
    if proxy is not None and not isinstance(proxy, bool):
        _parse(proxy, "proxy")


def _fault(proxy: str | bool | None) -> str | None:
    try:
        check_proxy(proxy)
    except ConfigurationError as exc:
        return (
            str(exc).removeprefix("proxy ").replace(f"must be {_EXPECTED}; ", "").replace(f"must be {_EXPECTED}, ", "")
        )
    return None


ProxyChoice = Annotated[str | bool | None, Rule(f"None, True, False or {_EXPECTED}", _fault, secret=True)]
"""None or True for the environment's proxy, a URL for that one, False for none."""


class _ProxyRule(Struct, frozen=True):
    """One rule from the environment: the proxy, if any, for some servers."""

    scheme: str  # "" for all
    host: str  # "" for all, "*.example.com" for its subdomains, "*example.com" for itself as well
    port: int | None
    value: str | None = None
    variable: str = "NO_PROXY"

    @property
    def rank(self) -> tuple[bool, int, int]:
        """Sort key: rules with a port first, then the longer host, then the longer scheme."""
        return (self.port is None, -len(self.host), -len(self.scheme))

    def serves(self, scheme: str, host: str, port: int | None) -> bool:
        """Return whether the rule applies to a server; a default port is None."""
        if self.scheme not in ("", scheme) or self.port not in (None, port):
            return False
        if self.host.startswith("*."):
            return host.endswith(self.host[1:])
        if self.host.startswith("*"):
            return host == self.host[1:] or host.endswith(f".{self.host[1:]}")
        return self.host in ("", host)


def _rules(environment: Mapping[str, str]) -> list[_ProxyRule]:
    """Parse the environment; the first rule that serves a server applies.

    Raises:
        ConfigurationError: an entry of `NO_PROXY` is not a host, which httpx refuses as well.
    """
    rules: dict[str, _ProxyRule] = {}
    for name in ("http", "https", "all"):
        if value := environment.get(name):
            scheme = "" if name == "all" else name
            rules[f"{name}://"] = _ProxyRule(scheme, "", None, value, f"{name.upper()}_PROXY")
    for entry in filter(None, map(str.strip, environment.get("no", "").split(","))):
        if entry == "*":
            return []
        pattern = entry if "://" in entry else f"all://{'' if _is_exact(entry) else '*'}{entry}"
        try:
            rules[pattern] = _read_pattern(pattern)
        except ValueError:
            raise ConfigurationError(
                "NO_PROXY must be hosts with or without a port, separated by commas, or `*`; one of them is no host"
            ) from None
    return sorted(rules.values(), key=lambda rule: rule.rank)


def _is_exact(entry: str) -> bool:
    """Return whether an entry of `NO_PROXY` matches one host only, not its subdomains."""
    if entry.lower() == "localhost" or entry.startswith("["):
        return True
    try:
        return bool(ipaddress.ip_address(entry.partition("/")[0]))
    except ValueError:
        return False


def _read_pattern(pattern: str) -> _ProxyRule:
    scheme, _, rest = pattern.partition("://")
    scheme = scheme.lower()
    bare = rest.partition("/")[0]  # a path or a network prefix is ignored
    if ":" in bare and _is_exact(bare) and not bare.startswith("["):
        return _ProxyRule("" if scheme == "all" else scheme, bare.lower(), None)
    host, port = _split(bare.rpartition("@")[2])
    stars, name = ("*", host[1:]) if host.startswith("*") else ("", host)
    if not name.isascii():
        dot = "." * name.startswith(".")
        name = dot + name.removeprefix(".").encode("idna").decode("ascii")
    host = "" if host == "*" else f"{stars}{name}".lower()
    return _ProxyRule("" if scheme == "all" else scheme, host, None if port == _WEB_PORTS.get(scheme) else port)


def _split(authority: str) -> tuple[str, int | None]:
    """Split host and port; remove the brackets of an IPv6 address."""
    if authority.startswith("["):
        host, bracket, port = authority[1:].partition("]")
        ipaddress.IPv6Address(host if bracket else "")
        port = port.removeprefix(":")
    else:
        host, _, port = authority.partition(":")
    return host, int(port) if port else None


def _parse(url: object, source: str) -> Proxy:
    """Parse a proxy URL; errors name `source`, the argument or variable that it comes from."""
    if not isinstance(url, str) or not url.strip():
        raise ConfigurationError(
            f"{source} must be {_EXPECTED}, not {'empty' if isinstance(url, str) else type(url).__name__}"
        )
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname, parts.port
        if host and ":" not in host:
            host = host.encode("idna").decode("ascii")
    except ValueError:  # its text may quote a password with a slash or a `#`
        raise ConfigurationError(
            f"{source} has no valid host and port: it must be {_EXPECTED}; encode special characters of a password"
        ) from None
    if parts.scheme not in _DEFAULT_PORTS:
        # Only a known scheme is quoted: in `user:password@host` the user name takes its place.
        known = parts.scheme if parts.scheme in {"socks", "socks4", "socks4a"} else "this"
        raise ConfigurationError(f"{source} must be {_EXPECTED}; {known} is no scheme that is supported")
    if not host or port == 0 or not all("!" <= char <= "~" for char in host):
        raise ConfigurationError(f"{source} has no valid host and port: it must be {_EXPECTED}")
    username, password = unquote(parts.username or ""), unquote(parts.password or "")
    login = (username, password) if username or password else (None, None)
    chosen = Proxy(parts.scheme, host, _DEFAULT_PORTS[parts.scheme] if port is None else port, *login)
    if chosen.is_socks and not _knows_socks():
        raise ConfigurationError(f"{source} is a SOCKS proxy, which needs more packages: pip install rcex_ws[socks]")
    return chosen


def _knows_socks() -> bool:
    """Return whether the packages of the extra `socks` are installed, for WebSocket and for REST."""
    from importlib.util import find_spec

    return all(map(find_spec, ("python_socks", "socksio")))
