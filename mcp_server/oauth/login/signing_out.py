"""The page to sign out, and the button to become somebody else."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from mcp_server.oauth.login import pages
from mcp_server.oauth.login.desk import SIGN_IN, SIGN_OUT, Desk
from mcp_server.oauth.login.pages import Form


class SigningOut:
    """Ends a session."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def show(self, request: Request) -> Response:
        """Ask whether to."""
        visitor = await self._desk.visitor(request)
        if visitor.person is None:
            return self._desk.page(self._done())
        form = Form(self._desk.options.path(SIGN_OUT), self._desk.token(visitor, "sign out"))
        return self._desk.page(pages.sign_out(self._desk.options, form, visitor.person))

    async def leave(self, request: Request) -> Response:
        """Do it; with a request that waits, go on to sign in as somebody else."""
        form = await self._desk.posted(request)
        visitor = await self._desk.visitor(request)
        if visitor.person is None:
            return self._desk.page(self._done())
        self._desk.check(visitor, form, "sign out")
        answer = self._desk.page(self._done())
        if identity := form.get("request", ""):
            answer = self._desk.go(self._desk.options.path(SIGN_IN, request=identity, fresh="1"))
        return await self._desk.signed_out(visitor, answer)

    def _done(self) -> str:
        return pages.message(self._desk.options, "You are signed out", "This page can be closed.")
