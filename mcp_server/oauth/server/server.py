"""The authorization server, put together.

    options = ServerOptions("https://mcp.example.com")
    server = AuthorizationServer(options, store, page=lambda id: f"/consent?request={id}")
    app.router.routes.extend(server.routes)
    pages = Pages(server.approvals)          # they ask the person
    guard = TokenGuard(server.verifier)      # it checks the tokens

The store is opened, swept and closed by whoever has made it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mcp_server.guards.limiter import Limiter
from mcp_server.guards.rates import rates_from
from mcp_server.guards.windows import MemoryWindows, Windows
from mcp_server.oauth.access import TokenVerifier
from mcp_server.oauth.approvals import Approvals
from mcp_server.oauth.server.asked import Asked
from mcp_server.oauth.server.assertions import Assertions
from mcp_server.oauth.server.authorize import Authorize
from mcp_server.oauth.server.browsers import Endpoint, for_everybody
from mcp_server.oauth.server.client import Client
from mcp_server.oauth.server.clients import Clients
from mcp_server.oauth.server.documents import Documents
from mcp_server.oauth.server.ending import Ending
from mcp_server.oauth.server.grants import Grants
from mcp_server.oauth.server.ledger import Ledger
from mcp_server.oauth.server.limits import Limits
from mcp_server.oauth.server.metadata import AUTHORIZE, INTROSPECT, REGISTER, REVOKE, TOKEN, metadata, paths
from mcp_server.oauth.server.options import ServerOptions
from mcp_server.oauth.server.proving import Proving
from mcp_server.oauth.server.reaching import ClientFactory, Reaching, Resolve, look_up, plain_client
from mcp_server.oauth.server.registering import Registering
from mcp_server.oauth.server.registrations import Registrations
from mcp_server.oauth.server.token import Token
from mcp_server.oauth.server.verifier import OwnTokens
from mcp_server.stores import Store
from mcp_server.stores.rules import Clock

_METADATA_HEADERS: Final = {"cache-control": "public, max-age=300", "x-content-type-options": "nosniff"}


class AuthorizationServer:
    """Issues tokens: `routes` for clients, `approvals` for the pages, `verifier` for whoever is shown a token.

    Args:
        options: What the operator has decided.
        store: Where everything is kept.
        page: Gives the address of the page that asks a person, from the id of a pending request.
        known: The clients that the operator has named.
        windows: Where requests are counted.
        clock: What time it is.
        http: Makes the HTTP client with which a client's document is fetched.
        resolve: Looks up the host of a document.
    """

    def __init__(
        self,
        options: ServerOptions,
        store: Store,
        *,
        page: Callable[[str], str],
        known: Sequence[Client] = (),
        windows: Windows | None = None,
        clock: Clock = time.time,
        http: ClientFactory = plain_client,
        resolve: Resolve = look_up,
    ) -> None:
        grants = Grants(store, options, page, clock)
        reaching = Reaching(http, resolve, loopback=options.loopback_documents)
        clients = Clients(known, Registrations(store, options, clock), Documents(options, reaching, clock))
        assertions = Assertions(store, (options.issuer, options.public_url + TOKEN), clock)
        self.approvals: Approvals = grants
        self.verifier: TokenVerifier = OwnTokens(grants)
        self.routes = routes(options, grants, clients, assertions, windows or MemoryWindows())

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths of the routes, which must be open: without a key, for every origin, and with no CORS but theirs."""
        return tuple(route.path for route in self.routes)


def routes(
    options: ServerOptions, ledger: Ledger, clients: Clients, assertions: Assertions, windows: Windows
) -> list[Route]:
    """The endpoints on a ledger; `AuthorizationServer` and `provider.ProviderServer` are both made of them."""
    limits = Limits(Limiter(rates_from(options.rate), windows, name="oauth"))
    asked, proving = Asked(options), Proving(clients, assertions)
    ending = Ending(proving, ledger, limits)
    authorize = Authorize(options, clients, asked, ledger, limits)
    token = Token(options, proving, asked, ledger, clients=clients, limits=limits)
    document = for_everybody(_document(metadata(options, credentials=ledger.serves)))
    found = [Route(path, document, methods=_READING) for path in paths(options)]
    found += [
        Route(AUTHORIZE, _function(authorize), methods=["GET", "POST"]),
        _machines(TOKEN, token),
        _machines(REVOKE, ending.revoke),
        _machines(INTROSPECT, ending.introspect),
    ]
    if options.registration:
        found.append(_machines(REGISTER, Registering(options, clients.registry, _registering(options, windows))))
    return found


_READING: Final = ("GET", "OPTIONS")


def _registering(options: ServerOptions, windows: Windows) -> Limits:
    each = Limiter(rates_from(options.registration_rate), windows, name="oauth-register")
    together = Limiter(rates_from(f"{options.registrations_per_day}/day"), windows, name="oauth-register-all")
    return Limits(each, together)


def _machines(path: str, endpoint: Endpoint) -> Route:
    return Route(path, for_everybody(endpoint), methods=["POST", "OPTIONS"])


def _function(endpoint: Endpoint) -> Endpoint:
    """Starlette takes an object for an ASGI application."""

    async def answer(request: Request) -> Response:
        return await endpoint(request)

    return answer


def _document(body: bytes) -> Endpoint:
    async def answer(_: Request) -> Response:
        return Response(body, headers=_METADATA_HEADERS, media_type="application/json")

    return answer
