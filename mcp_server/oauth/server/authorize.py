"""`/authorize`: the address to which a client sends a person's browser.

First of all it is found out whether the answer can be sent anywhere: the client must be known, and the address must be
one of its own. Until then every fault is a page, and never a redirect, or else this server would send people wherever
somebody likes. From then on every fault goes back to the client, with its `state` and with our name in `iss`.

Anybody can be a client with a site of their own. So that a link to us does not lead there by itself, the way back to
the site of a client that no operator has named is a link, on a page that says where it leads (RFC 9700, 4.11.2).
"""

from __future__ import annotations

import logging
import re
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from mcp_server.oauth.server import ledger
from mcp_server.oauth.server.asked import Asked
from mcp_server.oauth.server.client import CODE, Client
from mcp_server.oauth.server.clients import Clients
from mcp_server.oauth.server.faults import NO_STORE, Fault, Untellable, page, way_back
from mcp_server.oauth.server.ledger import Ledger
from mcp_server.oauth.server.limits import Limits
from mcp_server.oauth.server.options import ServerOptions
from mcp_server.oauth.server.parameters import Parameters, form_of, query_of
from mcp_server.oauth.server.redirects import matches, with_answer
from mcp_server.observe.cleaning import clean
from mcp_server.stores import StoreUnavailable

logger = logging.getLogger("mcp_server.oauth")

_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_LONGEST_STATE: Final = 4096
_NOT_SUPPORTED: Final = {"request": "request_not_supported", "request_uri": "request_uri_not_supported"}


class Authorize:
    """The endpoint.

    Args:
        options: How this server is called.
        clients: Finds clients.
        asked: Reads scopes and resources.
        ledger: Goes on with a request that is in order.
        limits: How often one may ask.
    """

    def __init__(self, options: ServerOptions, clients: Clients, asked: Asked, ledger: Ledger, limits: Limits) -> None:
        self._options = options
        self._clients = clients
        self._asked = asked
        self._ledger = ledger
        self._limits = limits

    async def __call__(self, request: Request) -> Response:
        """Send the browser on: to the page that asks, back with a fault, or nowhere."""
        try:
            await self._limits.count(request)
            parameters = await form_of(request) if request.method == "POST" else query_of(request)
            client = await self._client(parameters)
            redirect_uri = _address(client, parameters)
        except Untellable as error:
            logger.info("OAUTH an authorization request was refused: %s", error)
            return page(str(error))
        except Fault as error:
            return page(error.says, error.status)
        except StoreUnavailable:
            return page("The server cannot do this at the moment.", 503)
        state = parameters.get("state")
        try:
            address = await self._begin(client, redirect_uri, parameters)
        except Fault as error:
            logger.info("OAUTH client %s was refused: %s", clean(client.id), error.error)
            address = self._back(redirect_uri, state, error)
            if client.known_by != "settings" and redirect_uri.startswith("https:"):
                return way_back(error.says, address)
        except StoreUnavailable:
            fault = Fault("temporarily_unavailable", "Try again in a moment.")
            address = self._back(redirect_uri, state, fault)
        # After a form, the browser must not send it again to where it goes.
        return RedirectResponse(address, 303 if request.method == "POST" else 302, NO_STORE)

    async def _client(self, parameters: Parameters) -> Client:
        identity = parameters.get("client_id")
        if identity is None:
            raise Untellable("The program did not say who it is.")
        client = await self._clients.find(identity)
        if client is None:
            raise Untellable("The program is not known here.")
        return client

    async def _begin(self, client: Client, redirect_uri: str, parameters: Parameters) -> str:
        parameters.check()
        client.needs(CODE)
        for name, error in _NOT_SUPPORTED.items():
            if parameters.get(name) is not None:
                raise Fault(error, f"The parameter {name} is not supported.")
        if parameters.need("response_type") != "code":
            raise Fault("unsupported_response_type", "response_type has to be code.")
        if parameters.get("response_mode") not in {None, "query"}:
            raise Fault("invalid_request", "response_mode has to be query.")
        challenge = parameters.need("code_challenge")
        # What is not said would be `plain`, which protects nobody.
        if parameters.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(challenge):
            raise Fault("invalid_request", "code_challenge_method has to be S256, and code_challenge a digest.")
        state = parameters.get("state")
        if state is not None and len(state) > _LONGEST_STATE:
            raise Fault("invalid_request", "state is too long.")
        resource = self._asked.resource(parameters.all("resource")) or self._options.resource
        scopes = self._asked.scopes(parameters.get("scope"), client) or self._asked.usual(client)
        named = parameters.get("redirect_uri") is not None
        return await self._ledger.begin(client, ledger.Request(redirect_uri, named, scopes, resource, challenge, state))

    def _back(self, redirect_uri: str, state: str | None, fault: Fault) -> str:
        if state is not None and len(state) > _LONGEST_STATE:
            state = None
        return with_answer(
            redirect_uri, error=fault.error, error_description=fault.says, state=state, iss=self._options.issuer
        )


def _address(client: Client, parameters: Parameters) -> str:
    """Where the answer goes."""
    asked = parameters.get("redirect_uri")
    if asked is None:
        if parameters.all("redirect_uri") or len(client.redirect_uris) != 1:
            raise Untellable("The program did not say where you should be sent back to.")
        return client.redirect_uris[0]
    if not any(matches(registered, asked) for registered in client.redirect_uris):
        raise Untellable("The program wants you to be sent to an address that is not one of its own.")
    return asked
