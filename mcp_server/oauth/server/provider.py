"""Providers that were written for the official SDK, behind our endpoints.

Whoever has an `OAuthAuthorizationServerProvider` keeps it: it decides who the person is, and it keeps codes and tokens.
In front of it stands what it does not do: our checks of redirect addresses, of PKCE, of resources and scopes; `iss` in
what we answer ourselves; documents of clients; limits. The official package is imported by this module alone.

What a provider sends to the client by itself, after its own login, is its own affair: `iss` there, too.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

from mcp.server.auth.provider import (
    AccessToken,
    AuthorizationCode,
    AuthorizationParams,
    AuthorizeError,
    OAuthAuthorizationServerProvider,
    RefreshToken,
    RegistrationError,
    TokenError,
)
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken
from pydantic import AnyHttpUrl, AnyUrl

from mcp_server.guards.windows import MemoryWindows, Windows
from mcp_server.oauth.access import Access, TokenVerifier
from mcp_server.oauth.server.assertions import Assertions
from mcp_server.oauth.server.client import CODE, METHODS, REFRESH, SECRET_METHODS, Client, keys_in
from mcp_server.oauth.server.clients import Clients
from mcp_server.oauth.server.documents import Documents
from mcp_server.oauth.server.faults import Fault
from mcp_server.oauth.server.grants import challenge_of
from mcp_server.oauth.server.handles import digest
from mcp_server.oauth.server.ledger import Proof, Request, Tokens
from mcp_server.oauth.server.metadata import TOKEN
from mcp_server.oauth.server.options import ServerOptions
from mcp_server.oauth.server.reaching import ClientFactory, Reaching, Resolve, look_up, plain_client
from mcp_server.oauth.server.redirects import fault_in
from mcp_server.oauth.server.server import routes
from mcp_server.oauth.server.verifier import OwnTokens
from mcp_server.stores import Store
from mcp_server.stores.rules import Clock

Provider = OAuthAuthorizationServerProvider[AuthorizationCode, RefreshToken, AccessToken]


class ProviderServer:
    """Our endpoints in front of a provider: `routes` for clients, `verifier` for whoever is shown a token.

    Args:
        provider: What was written for the official SDK.
        options: What the operator has decided; lifetimes are the provider's.
        store: Remembers which assertions have been used.
        known: The clients that the operator has named.
        windows: Where requests are counted.
        clock: What time it is.
        http: Makes the HTTP client with which a client's document is fetched.
        resolve: Looks up the host of a document.
    """

    def __init__(
        self,
        provider: OAuthAuthorizationServerProvider[Any, Any, Any],
        options: ServerOptions,
        store: Store,
        *,
        known: Sequence[Client] = (),
        windows: Windows | None = None,
        clock: Clock = time.time,
        http: ClientFactory = plain_client,
        resolve: Resolve = look_up,
    ) -> None:
        theirs = cast("Provider", provider)
        ledger = ProviderLedger(theirs, options, clock)
        reaching = Reaching(http, resolve, loopback=options.loopback_documents)
        clients = Clients(known, ProviderRegistry(theirs), Documents(options, reaching, clock))
        assertions = Assertions(store, (options.issuer, options.public_url + TOKEN), clock)
        self.verifier: TokenVerifier = OwnTokens(ledger)
        self.routes = routes(options, ledger, clients, assertions, windows or MemoryWindows())


class ProviderRegistry:
    """The clients that a provider keeps."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    async def register(self, client: Client) -> tuple[Client, str | None]:
        """Give a client an id, and have the provider keep it."""
        secret = secrets.token_urlsafe(32) if client.method in SECRET_METHODS else None
        client = replace(client, id=secrets.token_hex(16), secret=digest(secret) if secret else None)
        try:
            await self._provider.register_client(_theirs(client, secret))
        except RegistrationError as error:
            raise Fault(error.error, error.error_description or "The provider does not accept it.") from None
        return client, secret

    async def find(self, identity: str) -> Client | None:
        """The client with this id, as far as our rules let it be one."""
        found = await self._provider.get_client(identity)
        if found is None:
            return None
        uris = tuple(str(uri) for uri in found.redirect_uris or ())
        secret = found.client_secret
        method = found.token_endpoint_auth_method or (SECRET_METHODS[0] if secret else "none")
        return Client(
            id=identity,
            name=found.client_name or "",
            redirect_uris=tuple(uri for uri in uris if fault_in(uri) is None),
            method=method if method in METHODS else "none",
            grants=frozenset({CODE, REFRESH}) & frozenset(found.grant_types),
            secret=digest(secret) if secret else None,
            keys=() if found.jwks is None else keys_in(found.jwks),
            keys_uri=str(found.jwks_uri) if found.jwks_uri else None,
            uri=str(found.client_uri) if found.client_uri else None,
        )

    async def used(self, client: Client) -> None:
        """A provider does not want to know."""


class ProviderLedger:
    """The ledger of a provider."""

    serves = False

    def __init__(self, provider: Provider, options: ServerOptions, clock: Clock) -> None:
        self._provider = provider
        self._options = options
        self._clock = clock
        self._lock = asyncio.Lock()

    async def begin(self, client: Client, request: Request) -> str:
        """The address to which the provider sends the browser."""
        asked = AuthorizationParams(
            state=request.state,
            scopes=list(request.scopes),
            code_challenge=request.challenge,
            redirect_uri=AnyUrl(request.redirect_uri),
            redirect_uri_provided_explicitly=request.redirect_named,
            resource=request.resource,
        )
        try:
            return await self._provider.authorize(_theirs(client), asked)
        except AuthorizeError as error:
            raise Fault(error.error, error.error_description or "The provider refuses.") from None

    async def redeem(self, client: Client, code: str, proof: Proof) -> Tokens:
        """Give tokens for a code that the provider knows; one request at a time, for providers that do not look."""
        theirs = _theirs(client)
        async with self._lock:
            found = await self._provider.load_authorization_code(theirs, code)
            if found is None or found.client_id != client.id or found.expires_at < self._clock():
                raise Fault("invalid_grant", "The code is not valid, has been used, or is too old.")
            right = found.redirect_uri_provided_explicitly or proof.redirect_uri is not None
            if right and proof.redirect_uri != str(found.redirect_uri):
                raise Fault("invalid_grant", "redirect_uri is another one than in the authorization request.")
            if not hmac.compare_digest(challenge_of(proof.verifier), found.code_challenge):
                raise Fault("invalid_grant", "code_verifier does not fit code_challenge.")
            if None not in {proof.resource, found.resource} and proof.resource != found.resource:
                raise Fault("invalid_target", "The code is for another resource.")
            try:
                return _tokens(await self._provider.exchange_authorization_code(theirs, found), found.scopes)
            except TokenError as error:
                raise _fault(error) from None

    async def refresh(self, client: Client, token: str, scopes: tuple[str, ...] | None, resource: str | None) -> Tokens:
        """Give new tokens for a refresh token that the provider knows."""
        theirs = _theirs(client)
        found = await self._provider.load_refresh_token(theirs, token)
        if found is None or found.client_id != client.id or _is_over(found.expires_at, self._clock()):
            raise Fault("invalid_grant", "The refresh token is not valid, has been used, or is too old.")
        if None not in {resource, found.resource} and resource != found.resource:
            raise Fault("invalid_target", "The token is for another resource.")
        if scopes is not None and not set(scopes) <= set(found.scopes):
            raise Fault("invalid_scope", "The person has not allowed that.")
        given = list(found.scopes if scopes is None else scopes)
        try:
            return _tokens(await self._provider.exchange_refresh_token(theirs, found, given), given)
        except TokenError as error:
            raise _fault(error) from None

    async def serve(self, client: Client, scopes: tuple[str, ...], resource: str) -> Tokens:
        """Providers do not do this."""
        del client, scopes, resource
        raise Fault("unauthorized_client", "The provider gives no tokens to a client in its own name.")

    async def access(self, token: str) -> Access | None:
        """What the provider says about an access token: for our resource, and not over."""
        found = await self._provider.load_access_token(token)
        if found is None or _is_over(found.expires_at, self._clock()):
            return None
        if found.resource is not None and found.resource != self._options.resource:
            return None
        return Access(
            subject=found.subject or found.client_id,
            client=found.client_id,
            scopes=frozenset(found.scopes),
            issuer=self._options.issuer,
            expires=found.expires_at,
            claims={"aud": self._options.resource, **(found.claims or {})},
        )

    async def look(self, token: str) -> Access | None:
        """The same; of refresh tokens a provider only tells the client that has them."""
        return await self.access(token)

    async def end(self, client: Client, token: str) -> None:
        """Have the provider revoke a token of this client."""
        found: AccessToken | RefreshToken | None = await self._provider.load_access_token(token)
        if found is None:
            found = await self._provider.load_refresh_token(_theirs(client), token)
        if found is not None and found.client_id == client.id:
            await self._provider.revoke_token(found)


def _theirs(client: Client, secret: str | None = None) -> OAuthClientInformationFull:
    return OAuthClientInformationFull(
        client_id=client.id,
        client_secret=secret,
        client_name=client.name or None,
        redirect_uris=[AnyUrl(uri) for uri in client.redirect_uris],
        grant_types=sorted(client.grants),
        token_endpoint_auth_method=client.method,
        jwks={"keys": list(client.keys)} if client.keys else None,
        jwks_uri=AnyHttpUrl(client.keys_uri) if client.keys_uri else None,
        application_type=client.application or "native",
    )


def _tokens(given: OAuthToken, scopes: Sequence[str]) -> Tokens:
    said = tuple(given.scope.split()) if given.scope is not None else tuple(scopes)
    return Tokens(given.access_token, given.expires_in, said, given.refresh_token)


def _fault(error: TokenError) -> Fault:
    status = 401 if error.error == "invalid_client" else 400
    return Fault(error.error, error.error_description or "The provider refuses.", status)


def _is_over(expires: float | None, now: float) -> bool:
    return expires is not None and expires < now
