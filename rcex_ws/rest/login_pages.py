"""The login pages that users may be at: what their addresses were made with, until the code of one is redeemed. Pure.

Used by `rcex_ws.rest.session_methods`. A PKCE verifier belongs to one page, and a redirect_uri must be the same in both
steps (RFC 7636, 4.5; RFC 6749, 4.1.3). Pages are told apart by `state`, which comes back with the code.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Annotated, NamedTuple

from rcex_ws.errors import ConfigurationError, RcexError
from rcex_ws.rest.oauth import generate_code_verifier
from rcex_ws.secret import SECRET, HiddenFields, hide, plain

__all__ = ["LoginPage", "LoginPages", "Redemption"]

#: Most users who open a login page never finish, so the oldest are forgotten.
_MAX_PAGES = 1000

_UNKNOWN = (
    "state: no login page of this client has it, or its code was redeemed. The redirect may be forged; if another"
    " process has made the address, pass redirect_uri and code_verifier without state"
)
_AMBIGUOUS = "state: several users are at login pages; pass the one that came with the code"


class LoginPage(HiddenFields, frozen=True):
    """What the address of a login page was made with.

    Attributes:
        redirect_uri: URL to send the user back to.
        code_verifier: PKCE verifier; None without PKCE.
    """

    redirect_uri: str
    code_verifier: Annotated[str | None, SECRET]


class Redemption(NamedTuple):
    """What to redeem a code with.

    Attributes:
        redirect_uri: that of the login page; None if it is not known.
        code_verifier: likewise.
        state: that of the login page; None if it is not known which one it is.
    """

    redirect_uri: str | None
    code_verifier: str | None
    state: str | None


class LoginPages:
    """The pages of one client by state, oldest first; at most 1,000."""

    def __init__(self) -> None:
        self._pages: dict[str, LoginPage] = {}

    def __len__(self) -> int:
        return len(self._pages)

    def open(
        self, redirect_uri: str, *, state: str | None, code_verifier: str | None, pkce: bool
    ) -> tuple[str, str | None]:
        """Remember a page, and return its state and verifier.

        Args:
            redirect_uri: URL to send the user back to.
            state: as the caller gives it; None for a random one.
            code_verifier: likewise.
            pkce: whether the page needs a verifier.
        """
        page = None if state is None else self._pages.pop(state, None)
        if state is None:
            state = generate_code_verifier()
        if code_verifier is None and pkce:  # a user who opens the page again may finish it in either window
            kept = page.code_verifier if page is not None and page.redirect_uri == redirect_uri else None
            code_verifier = hide(kept or generate_code_verifier())
        self._pages[state] = LoginPage(redirect_uri, plain(code_verifier))
        if len(self._pages) > _MAX_PAGES:
            del self._pages[next(iter(self._pages))]
        return state, code_verifier

    def redemption(self, state: str | None, *, redirect_uri: str | None, code_verifier: str | None) -> Redemption:
        """Return what to redeem a code with.

        Args:
            state: as it came with the code; None to find the page without it.
            redirect_uri: as the caller gives it; None for that of the page.
            code_verifier: likewise.

        Raises:
            ConfigurationError: there is no page with this state; or, without a state, there are several to choose from.
        """
        if state is not None and state not in self._pages:
            raise ConfigurationError(_UNKNOWN)
        found = [
            (key, page)
            for key, page in self._pages.items()
            if (redirect_uri in (None, page.redirect_uri) if state is None else key == state)
        ]
        if code_verifier is None and len({(page.redirect_uri, page.code_verifier) for _, page in found}) > 1:
            raise ConfigurationError(_AMBIGUOUS)
        if found and (len(found) == 1 or code_verifier is None):  # several are alike, so any of them will do
            page = found[0][1]
            redirect_uri, code_verifier = redirect_uri or page.redirect_uri, code_verifier or page.code_verifier
        return Redemption(redirect_uri, hide(code_verifier), found[0][0] if len(found) == 1 else None)

    @contextmanager
    def redeeming(self, state: str | None) -> Generator[None]:
        """Forget a page for the block, so that no other call sends its code; for ever, unless it may work again."""
        page = self._pages.pop(state or "", None)
        try:
            yield
        except BaseException as exc:
            if page is not None and (not isinstance(exc, RcexError) or exc.retryable):
                self._pages.setdefault(state or "", page)
            raise
