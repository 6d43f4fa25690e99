"""Who asks an endpoint for machines: a client with a secret, with a key, or one that can prove nothing."""

from __future__ import annotations

import base64
import binascii
import hmac
from urllib.parse import unquote_plus

from starlette.requests import Request

from mcp_server.oauth.server.assertions import BEARER, Assertions, client_named_in
from mcp_server.oauth.server.client import KEY_METHOD, Client
from mcp_server.oauth.server.clients import Clients
from mcp_server.oauth.server.faults import Fault, invalid_client
from mcp_server.oauth.server.handles import digest
from mcp_server.oauth.server.parameters import Parameters

_NOBODY: str = digest("nobody has this secret")


def uses_http(request: Request) -> bool:
    """Whether a request has credentials of HTTP; a refusal then names the scheme."""
    return "authorization" in request.headers


class Proving:
    """Finds out which client asks.

    Args:
        clients: Finds clients.
        assertions: Checks what clients have signed.
    """

    def __init__(self, clients: Clients, assertions: Assertions) -> None:
        self._clients = clients
        self._assertions = assertions

    async def client(self, request: Request, form: Parameters) -> Client:
        """The client that asks; one that has a secret or a key has proved it.

        Raises:
            Fault: It is unknown, or has not; the words for both are the same.
        """
        basic = _basic(request)
        posted, assertion = form.get("client_secret"), form.get("client_assertion")
        if sum(1 for each in (basic, posted, assertion) if each is not None) > 1:
            raise Fault("invalid_request", "The client has proved who it is in more than one way.")
        named = form.get("client_id")
        if assertion is not None:
            return await self._by_assertion(assertion, form, named)
        secret = posted
        if basic is not None:
            if named is not None and named != basic[0]:
                raise Fault("invalid_request", "client_id is another one than in the header.")
            named, secret = basic[0], basic[1] or None
        if named is None:
            raise invalid_client("client_id is missing.")
        client = await self._clients.find(named)
        if not _has_proved(client, secret):
            raise invalid_client()
        assert client is not None  # noqa: S101 - for the type checker; `_has_proved` has looked
        return client

    async def _by_assertion(self, assertion: str, form: Parameters, named: str | None) -> Client:
        if form.get("client_assertion_type") != BEARER:
            raise Fault("invalid_request", f"client_assertion_type has to be {BEARER}.")
        named = named or client_named_in(assertion)
        client = None if named is None else await self._clients.find(named)
        if client is None or client.method != KEY_METHOD:
            raise invalid_client()
        await self._assertions.check(assertion, client.id, await self._clients.keys(client))
        return client


def _has_proved(client: Client | None, secret: str | None) -> bool:
    """Whether this client may go on with this secret, or with none."""
    known = client.secret if client is not None else None
    # Digests are compared, and always: neither what is right of a secret nor whether there is one takes time.
    right = hmac.compare_digest(digest(secret or ""), known or _NOBODY)
    if client is None:
        return False
    if client.is_public:
        return secret is None
    return right and known is not None and secret is not None


def _basic(request: Request) -> tuple[str, str] | None:
    """The client's id and secret in the header (RFC 6749, 2.3.1: each is form-encoded first)."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if not scheme:
        return None
    try:
        identity, colon, secret = base64.b64decode(given.strip(), validate=True).decode().partition(":")
    except (ValueError, binascii.Error):
        identity = colon = secret = ""
    if scheme.lower() != "basic" or not colon or not identity:
        raise invalid_client("The header Authorization cannot be read.")
    return unquote_plus(identity), unquote_plus(secret)
