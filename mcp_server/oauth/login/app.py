"""The pages, put together for one way to sign in."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from starlette.routing import BaseRoute, Route

from mcp_server.guards.windows import MemoryWindows, Windows
from mcp_server.oauth.approvals import Approvals
from mcp_server.oauth.login.ambient import Ambient
from mcp_server.oauth.login.deciding import Deciding
from mcp_server.oauth.login.desk import CALLBACK, CODE, CONSENT, SIGN_IN, SIGN_OUT, START, Desk, Handler
from mcp_server.oauth.login.leaving_for import LeavingFor
from mcp_server.oauth.login.options import LoginOptions
from mcp_server.oauth.login.sessions import Consents, Sessions
from mcp_server.oauth.login.signing_in import SigningIn
from mcp_server.oauth.login.signing_out import SigningOut
from mcp_server.oauth.login.tries import Tries
from mcp_server.oauth.login.upstream import Provider
from mcp_server.oauth.login.users import Users
from mcp_server.stores.rules import Clock
from mcp_server.stores.store import Store

PATHS: Final = (CONSENT, SIGN_IN, CODE, START, CALLBACK, SIGN_OUT)
"""What a browser must reach without a key."""

Way = Users | Provider | Ambient
"""Who people are: accounts of this server, accounts elsewhere, or known with each request."""


class Login:
    """The pages on which people sign in and decide.

    Args:
        approvals: What the authorization server lets them do.
        store: Where sessions, accounts and consents are; whoever gives it opens and closes it.
        way: How people sign in.
        options: What the operator has decided.
        windows: Where tries are counted; in this process, unless told otherwise.
        clock: What time it is.
    """

    def __init__(
        self,
        approvals: Approvals,
        store: Store,
        way: Way,
        options: LoginOptions,
        *,
        windows: Windows | None = None,
        clock: Clock = time.time,
    ) -> None:
        self._options = options
        name = "users" if isinstance(way, Users) else way.name
        self._desk = Desk(approvals, options, Sessions(store, name, options.session_lifetime, clock=clock))
        consents = Consents(store, options.remember_consent)
        if isinstance(way, Users):
            pages = SigningIn(self._desk, store, way, Tries(windows or MemoryWindows()))
            own = [
                self._route(SIGN_IN, pages.show),
                self._route(SIGN_IN, pages.password, "POST"),
                self._route(CODE, pages.code, "POST"),
            ]
        elif isinstance(way, Provider):
            elsewhere = LeavingFor(self._desk, store, way)
            own = [
                self._route(SIGN_IN, elsewhere.show),
                self._route(START, elsewhere.start),
                self._route(CALLBACK, elsewhere.finish),
            ]
        else:
            own = []
        self.routes: Sequence[BaseRoute] = [*self._deciding(consents, way), *own]

    def page(self, identity: str) -> str:
        """The address to which a browser is sent so that a person decides about a pending request."""
        return self._options.url(CONSENT, request=identity)

    def _deciding(self, consents: Consents, way: Way) -> list[Route]:
        ambient = None if isinstance(way, Users | Provider) else way
        deciding = Deciding(self._desk, consents, ambient)
        routes = [self._route(CONSENT, deciding.show), self._route(CONSENT, deciding.decide, "POST")]
        if ambient is None:
            leaving = SigningOut(self._desk)
            routes += [self._route(SIGN_OUT, leaving.show), self._route(SIGN_OUT, leaving.leave, "POST")]
        return routes

    def _route(self, path: str, handler: Handler, method: str = "GET") -> Route:
        return Route(path, self._desk.guarded(handler), methods=[method])
