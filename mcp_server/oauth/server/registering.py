"""`/register`: a client that nobody knows yet introduces itself (RFC 7591)."""

from __future__ import annotations

import hmac
import logging
import time
from collections.abc import Mapping
from typing import Any, Final, cast

from pydantic_core import from_json
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from mcp_server.oauth.server.client import Client, described
from mcp_server.oauth.server.clients import Registry
from mcp_server.oauth.server.faults import NO_STORE, Fault, told
from mcp_server.oauth.server.handles import digest
from mcp_server.oauth.server.limits import Limits
from mcp_server.oauth.server.options import ServerOptions
from mcp_server.oauth.server.parameters import body_of
from mcp_server.observe.cleaning import clean

logger = logging.getLogger("mcp_server.oauth")

LARGEST: Final = 16 * 1024


class Registering:
    """The endpoint.

    Args:
        options: Who may register.
        registry: Keeps clients.
        limits: How often one may register.
    """

    def __init__(self, options: ServerOptions, registry: Registry, limits: Limits) -> None:
        self._options = options
        self._registry = registry
        self._limits = limits
        self._key = None if options.registration_key is None else digest(options.registration_key)

    async def __call__(self, request: Request) -> Response:
        """Answer with the client's id, or with a fault."""
        try:
            await self._limits.count(request)
            self._admit(request)
            metadata = await _metadata(request)
            client, secret = await self._registry.register(described(metadata, "", "registration"))
        except Fault as error:
            logger.info("OAUTH a registration was refused: %s", error.error)
            response = told(error)
            if error.status == 401:  # noqa: PLR2004 - RFC 6750 asks for it there
                response.headers["www-authenticate"] = 'Bearer realm="mcp"'
            return response
        logger.info("OAUTH registered client %s, which calls itself %s", client.id, clean(client.name))
        return JSONResponse(self._answer(client, secret), 201, NO_STORE)

    def _admit(self, request: Request) -> None:
        if self._key is None:
            return
        scheme, _, sent = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(digest(sent.strip()), self._key):
            raise Fault("invalid_token", "Registering needs a token from the operator.", 401)

    def _answer(self, client: Client, secret: str | None) -> dict[str, Any]:
        answer: dict[str, Any] = {
            "client_id": client.id,
            "client_id_issued_at": int(time.time()),
            "redirect_uris": list(client.redirect_uris),
            "grant_types": sorted(client.grants),
            "response_types": ["code"],
            "token_endpoint_auth_method": client.method,
            "scope": " ".join(self._options.offered),
        }
        if secret is not None:
            answer |= {"client_secret": secret, "client_secret_expires_at": 0}
        if client.keys:
            answer["jwks"] = {"keys": list(client.keys)}
        optional = {
            "client_name": client.name,
            "client_uri": client.uri,
            "application_type": client.application,
            "jwks_uri": client.keys_uri,
        }
        return answer | {name: value for name, value in optional.items() if value}


async def _metadata(request: Request) -> Mapping[str, Any]:
    body = await body_of(request, "application/json", LARGEST)
    try:
        found: Any = from_json(body, allow_inf_nan=False)
    except ValueError:
        raise Fault("invalid_client_metadata", "The body is not JSON.") from None
    if not isinstance(found, dict):
        raise Fault("invalid_client_metadata", "The body is not a JSON object.")
    return cast("Mapping[str, Any]", found)
