"""`/token`: where clients get tokens, for a code, for a refresh token, or in their own name."""

from __future__ import annotations

import logging
import re
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from mcp_server.oauth.server.asked import Asked
from mcp_server.oauth.server.client import CODE, CREDENTIALS, REFRESH, Client
from mcp_server.oauth.server.clients import Clients
from mcp_server.oauth.server.faults import NO_STORE, Fault, told
from mcp_server.oauth.server.ledger import Ledger, Proof, Tokens
from mcp_server.oauth.server.limits import Limits
from mcp_server.oauth.server.options import ServerOptions
from mcp_server.oauth.server.parameters import Parameters, form_of
from mcp_server.oauth.server.proving import Proving, uses_http
from mcp_server.observe.cleaning import clean

logger = logging.getLogger("mcp_server.oauth")

_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}")


class Token:
    """The endpoint.

    Args:
        options: What there is.
        proving: Finds out who asks.
        asked: Reads scopes and resources.
        ledger: Gives tokens.
        clients: Notes which clients are in use.
        limits: How often one may ask.
    """

    def __init__(
        self,
        options: ServerOptions,
        proving: Proving,
        asked: Asked,
        ledger: Ledger,
        *,
        clients: Clients,
        limits: Limits,
    ) -> None:
        self._options = options
        self._clients = clients
        self._proving = proving
        self._asked = asked
        self._ledger = ledger
        self._limits = limits

    async def __call__(self, request: Request) -> Response:
        """Answer with tokens, or with a fault."""
        try:
            await self._limits.count(request)
            form = await form_of(request)
            form.check()
            grant = form.need("grant_type")
            client = await self._proving.client(request, form)
            tokens = await self._tokens(grant, client, form)
        except Fault as error:
            logger.info("OAUTH a request for a token was refused: %s", error.error)
            return told(error, challenge=uses_http(request))
        logger.info("OAUTH client %s has got a token (%s)", clean(client.id), grant)
        return JSONResponse(_answer(tokens), headers=NO_STORE)

    async def _tokens(self, grant: str, client: Client, form: Parameters) -> Tokens:
        if grant not in {CODE, REFRESH, CREDENTIALS}:
            raise Fault("unsupported_grant_type", "grant_type is not one that this server supports.")
        client.needs(grant)
        resource = self._asked.resource(form.all("resource"))
        if grant == CODE:
            tokens = await self._ledger.redeem(client, form.need("code"), _proof(form, resource))
            await self._clients.used(client)
            return tokens
        scopes = self._asked.scopes(form.get("scope"), client)
        if grant == REFRESH:
            tokens = await self._ledger.refresh(client, form.need("refresh_token"), scopes, resource)
            await self._clients.used(client)
            return tokens
        # Only clients of the operator have this grant; one that could prove nothing would be anybody.
        if client.is_public:
            raise Fault("unauthorized_client", "A public client has no credentials.")
        return await self._ledger.serve(client, scopes or self._asked.usual(client), resource or self._options.resource)


def _proof(form: Parameters, resource: str | None) -> Proof:
    verifier = form.need("code_verifier")
    if not _VERIFIER.fullmatch(verifier):
        raise Fault("invalid_request", "code_verifier has to be 43 to 128 unreserved characters.")
    return Proof(form.get("redirect_uri"), verifier, resource)


def _answer(tokens: Tokens) -> dict[str, Any]:
    answer: dict[str, Any] = {"access_token": tokens.access, "token_type": "Bearer"}
    if tokens.lifetime is not None:
        answer["expires_in"] = tokens.lifetime
    if tokens.refresh is not None:
        answer["refresh_token"] = tokens.refresh
    return {**answer, "scope": " ".join(tokens.scopes)}
