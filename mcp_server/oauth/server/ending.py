"""`/revoke` and `/introspect`: a token is given back (RFC 7009), or asked about (RFC 7662)."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from mcp_server.oauth.access import Access
from mcp_server.oauth.server.client import Client
from mcp_server.oauth.server.faults import NO_STORE, Fault, invalid_client, told
from mcp_server.oauth.server.ledger import Ledger
from mcp_server.oauth.server.limits import Limits
from mcp_server.oauth.server.parameters import Parameters, form_of
from mcp_server.oauth.server.proving import Proving, uses_http


class Ending:
    """Both endpoints.

    Args:
        proving: Finds out who asks.
        ledger: Knows the tokens.
        limits: How often one may ask.
    """

    def __init__(self, proving: Proving, ledger: Ledger, limits: Limits) -> None:
        self._proving = proving
        self._ledger = ledger
        self._limits = limits

    async def revoke(self, request: Request) -> Response:
        """End the grant of a token, whichever of its tokens it is; 200 also for what is no token."""
        try:
            client, form = await self._asks(request)
            await self._ledger.end(client, form.need("token"))
        except Fault as error:
            return told(error, challenge=uses_http(request))
        return Response(status_code=200, headers=NO_STORE)

    async def introspect(self, request: Request) -> Response:
        """Say what a token is good for: to the client that has it, and to those of the operator."""
        try:
            client, form = await self._asks(request)
            if client.is_public:
                raise invalid_client("Only a client that proves who it is may ask.")
            access = await self._ledger.look(form.need("token"))
        except Fault as error:
            return told(error, challenge=uses_http(request))
        if access is None or (client.known_by != "settings" and access.client != client.id):
            return JSONResponse({"active": False}, headers=NO_STORE)
        return JSONResponse(_said(access), headers=NO_STORE)

    async def _asks(self, request: Request) -> tuple[Client, Parameters]:
        await self._limits.count(request)
        form = await form_of(request)
        form.check()
        return await self._proving.client(request, form), form


def _said(access: Access) -> dict[str, Any]:
    said: dict[str, Any] = {
        "active": True,
        "scope": " ".join(sorted(access.scopes)),
        "client_id": access.client,
        "sub": access.subject,
        "iss": access.issuer,
        "token_type": "Bearer",
        **{name: access.claims[name] for name in ("aud", "iat") if name in access.claims},
    }
    if access.expires is not None:
        said["exp"] = int(access.expires)
    return said
