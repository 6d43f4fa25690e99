"""What every page needs: who is there, whether a post is our own page's, and the answer.

A post is believed if three things agree: the browser says that a page of ours has sent it (`Origin`,
`Sec-Fetch-Site`), it brings a cookie of ours, and a token that only we can have made of that cookie for this very
purpose, request, client and person. The cookie's value is random and secret, so it is the key; processes need not
share any other.
"""

from __future__ import annotations

import hmac
import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from mcp_server.guards.caller import caller_of
from mcp_server.oauth.approvals import Approvals, NotPending, Pending, Person
from mcp_server.oauth.login import pages, stops
from mcp_server.oauth.login.cookies import Cookie
from mcp_server.oauth.login.options import LoginOptions
from mcp_server.oauth.login.sessions import Sessions, new_id
from mcp_server.oauth.login.stops import Stop
from mcp_server.oauth.login.style import HEADERS
from mcp_server.settings.meanings import is_loopback
from mcp_server.stores.store import StoreUnavailable

logger = logging.getLogger("mcp_server.oauth.login")

CONSENT: Final = "/auth/consent"
SIGN_IN: Final = "/auth/login"
CODE: Final = "/auth/code"
START: Final = "/auth/start"
CALLBACK: Final = "/auth/callback"
SIGN_OUT: Final = "/auth/logout"

_LARGEST_FORM: Final = 16 * 1024
_LONGEST_ID: Final = 512
_NEVER_LEAVES_FOR: Final = frozenset({"javascript", "data", "vbscript", "blob", "file", "about", "view-source"})

Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Visitor:
    """Which browser, and who, if they are signed in."""

    browser: str
    """Known by a cookie, or about to be."""
    is_new: bool
    """Whether the browser has yet to be given that cookie."""
    session: str | None = None
    person: Person | None = None

    @property
    def key(self) -> str:
        """What tokens in forms are made with."""
        return self.session if self.session and self.person else self.browser


class Desk:
    """Receives browsers and answers them."""

    def __init__(self, approvals: Approvals, options: LoginOptions, sessions: Sessions) -> None:
        self.approvals = approvals
        self.options = options
        self.sessions = sessions
        self._browser = Cookie("mcp-browser", secure=options.is_secure)
        self._session = Cookie("mcp-session", secure=options.is_secure)

    async def visitor(self, request: Request) -> Visitor:
        """Who is there."""
        browser = self._browser.read(request)
        session = self._session.read(request)
        person = None if session is None else await self.sessions.person(session)
        return Visitor(browser or new_id(), browser is None, session, person)

    async def pending(self, identity: str) -> Pending:
        """The request that is to be decided.

        Raises:
            NotPending: There is none.
        """
        if not identity or len(identity) > _LONGEST_ID:
            raise NotPending
        return await self.approvals.pending(identity)

    def token(self, visitor: Visitor, *about: str) -> str:
        """The token that a form for this purpose carries."""
        return hmac.new(visitor.key.encode(), json.dumps(about).encode(), "sha256").hexdigest()

    async def posted(self, request: Request) -> dict[str, str]:
        """The fields of a form that a page of ours may have sent.

        Raises:
            Stop: A foreign page has sent it, or it is no form.
        """
        if not self._is_own(request):
            logger.warning("a form was sent to %s by a foreign page; nothing was done", request.url.path)
            raise stops.forged()
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
            raise stops.forged()
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > _LARGEST_FORM:
                raise stops.forged()
        try:
            fields = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=20)
        except ValueError:
            raise stops.forged() from None
        if len(dict(fields)) < len(fields):
            raise stops.forged()
        return dict(fields)

    def check(self, visitor: Visitor, form: dict[str, str], *about: str) -> None:
        """Let a form pass that carries the token of this visitor for this purpose.

        Raises:
            Stop: It does not.
        """
        if visitor.is_new and visitor.person is None:
            raise stops.no_cookies()
        if not hmac.compare_digest(self.token(visitor, *about).encode(), form.get("csrf", "").encode()):
            raise stops.forged()

    def page(self, html: str, visitor: Visitor | None = None, *, status: int = 200) -> Response:
        """A page; a browser that is not known yet gets its cookie."""
        response = HTMLResponse(html, status, headers=HEADERS)
        if visitor is not None and visitor.is_new and visitor.person is None:
            response.headers.append("set-cookie", self._browser.set(visitor.browser))
        return response

    def go(self, path: str, *cookies: str) -> Response:
        """Go on to another page of ours, or to where somebody signs in."""
        return _with(RedirectResponse(path, 303, headers=_unframed()), cookies)

    async def signed_in(self, visitor: Visitor, person: Person, identity: str) -> Response:
        """Begin a session under a new id, and end the one before."""
        if visitor.session is not None:
            await self.sessions.close(visitor.session)
        session = await self.sessions.open(person)
        logger.info("%s has signed in", person.subject)
        return self.go(self.options.path(CONSENT, request=identity), self._session.set(session), self._browser.clear())

    async def signed_out(self, visitor: Visitor, answer: Response) -> Response:
        """End the session."""
        if visitor.session is not None:
            await self.sessions.close(visitor.session)
        return _with(answer, [self._session.clear()])

    def start_cookie(self, visitor: Visitor) -> list[str]:
        """What has to be set so that this browser is known when it comes back from elsewhere."""
        return [self._browser.set(visitor.browser)] if visitor.is_new else []

    def leave(self, request: Request, url: str) -> Response:
        """Send the browser to the client. Programs that know no pages get a redirect.

        Raises:
            Stop: The address would run something instead of leading somewhere.
        """
        if urlsplit(url).scheme.lower() in _NEVER_LEAVES_FOR | {""}:
            logger.error("a client's redirect address has a scheme that leads nowhere")
            raise Stop(400, "That leads nowhere", "The application gave an address to which no browser may be sent.")
        headers = {**HEADERS, "referrer-policy": "no-referrer"}
        if "text/html" not in request.headers.get("accept", ""):
            return RedirectResponse(url, 303, headers={**_unframed(), "referrer-policy": "no-referrer"})
        return HTMLResponse(pages.leaving(self.options, url), headers=headers)

    def address(self, request: Request) -> str:
        """Under which address tries are counted."""
        return caller_of(request.scope).address

    def guarded(self, handler: Handler) -> Handler:
        """A handler whose every way to stop ends in a page."""

        async def endpoint(request: Request) -> Response:
            try:
                return await handler(request)
            except Stop as stop:
                return self._stopped(stop)
            except NotPending:
                return self._stopped(stops.over())
            except StoreUnavailable:
                logger.exception("the store does not answer the sign-in pages")
                return self._stopped(stops.unavailable())

        return endpoint

    def _stopped(self, stop: Stop) -> Response:
        link = None if stop.link is None else (stop.link.path, stop.link.text)
        answer = self.page(pages.message(self.options, stop.title, stop.text, link=link), status=stop.status)
        if stop.wait is not None:
            answer.headers["retry-after"] = str(stop.wait)
        return answer

    def _is_own(self, request: Request) -> bool:
        """Whether a browser says that a page of ours is behind this; what says nothing is no browser of today."""
        if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
            return False
        origin = request.headers.get("origin")
        if origin is None or origin.lower() == self.options.origin:
            return True
        host = request.headers.get("host", "").lower()
        return self.options.is_local and is_loopback(host) and origin.lower() == f"http://{host}"


def _unframed() -> dict[str, str]:
    return {name: HEADERS[name] for name in ("cache-control", "x-frame-options", "referrer-policy")}


def _with(response: Response, cookies: Sequence[str]) -> Response:
    for cookie in cookies:
        response.headers.append("set-cookie", cookie)
    return response
