"""The page on which a person allows or refuses."""

from __future__ import annotations

import logging

from starlette.requests import Request
from starlette.responses import Response

from mcp_server.oauth.approvals import Pending, Person
from mcp_server.oauth.login import pages, stops
from mcp_server.oauth.login.ambient import Ambient
from mcp_server.oauth.login.desk import CONSENT, SIGN_IN, SIGN_OUT, Desk, Visitor
from mcp_server.oauth.login.pages import Form, may_be_remembered
from mcp_server.oauth.login.sessions import Consents
from mcp_server.oauth.login.shown import destination
from mcp_server.oauth.login.stops import Link, Stop

logger = logging.getLogger("mcp_server.oauth.login")


class Deciding:
    """Shows what is asked for, and does what was decided.

    Args:
        desk: Where browsers are received.
        consents: What was agreed to before.
        ambient: Who it is, if that is known without signing in here.
    """

    def __init__(self, desk: Desk, consents: Consents, ambient: Ambient | None) -> None:
        self._desk = desk
        self._consents = consents
        self._ambient = ambient

    async def show(self, request: Request) -> Response:
        """Ask, unless the answer is known."""
        pending = await self._desk.pending(request.query_params.get("request", ""))
        visitor = await self._desk.visitor(request)
        person = await self._who(request, visitor)
        if isinstance(person, Response):
            return person
        if person is None:
            return self._desk.go(self._desk.options.path(SIGN_IN, request=pending.id))
        if await self._is_known(request, pending, person):
            logger.info("%s is let in for %s without being asked", pending.client_id[:200], person.subject)
            return self._desk.leave(request, await self._desk.approvals.allow(pending.id, person))
        form = Form(self._path(CONSENT), self._token(visitor, pending, person), pending.id)
        html = pages.consent(self._desk.options, form, pending, person, other=self._another(visitor, pending))
        return self._desk.page(html, visitor)

    async def decide(self, request: Request) -> Response:
        """Do what the person wants."""
        form = await self._desk.posted(request)
        pending = await self._desk.pending(form.get("request", ""))
        visitor = await self._desk.visitor(request)
        person = await self._who(request, visitor)
        if isinstance(person, Response):
            return person
        if person is None:
            link = Link(self._path(SIGN_IN, pending.id), "Sign in")
            text = "You were not signed in any more, so nothing was done."
            raise Stop(403, "Sign in once more", text, link=link)
        self._desk.check(visitor, form, *_about(pending, person))
        decision = form.get("decision")
        if decision == "refuse":
            return self._desk.leave(request, await self._desk.approvals.refuse(pending.id))
        if decision != "allow":
            raise stops.forged()
        address = await self._desk.approvals.allow(pending.id, person)
        if "remember" in form and may_be_remembered(self._desk.options, pending, destination(pending.redirect_uri)):
            await self._consents.remember(pending, person)
        return self._desk.leave(request, address)

    async def _who(self, request: Request, visitor: Visitor) -> Person | Response | None:
        return visitor.person if self._ambient is None else await self._ambient.who(request)

    async def _is_known(self, request: Request, pending: Pending, person: Person) -> bool:
        """Whether nobody has to be asked. A frame, a script or a browser that looks ahead is never let through so."""
        looked_at = request.headers.get("sec-fetch-dest", "document") == "document"
        ahead = "prefetch" in request.headers.get("sec-purpose", "") + request.headers.get("purpose", "")
        if request.method != "GET" or not looked_at or ahead:
            return False
        if self._ambient is not None and self._ambient.agrees(request):
            return True
        known = may_be_remembered(self._desk.options, pending, destination(pending.redirect_uri))
        return known and await self._consents.covers(pending, person)

    def _another(self, visitor: Visitor, pending: Pending) -> Form | None:
        if self._ambient is not None:
            return None
        return Form(self._path(SIGN_OUT), self._desk.token(visitor, "sign out"), pending.id)

    def _token(self, visitor: Visitor, pending: Pending, person: Person) -> str:
        return self._desk.token(visitor, *_about(pending, person))

    def _path(self, path: str, identity: str = "") -> str:
        return self._desk.options.path(path, request=identity)


def _about(pending: Pending, person: Person) -> tuple[str, ...]:
    return ("decide", pending.id, pending.client_id, pending.redirect_uri, person.subject)
