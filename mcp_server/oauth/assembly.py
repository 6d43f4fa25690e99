"""What OAuth adds to the HTTP application, put together from the settings in this one place.

`oauth_from` is asked once, at the start, and only if something is on. The resource role is made here; `issuing` makes
the authorization server of our own, which is loaded only if it is on as well.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.routing import BaseRoute, Route
from starlette.types import Scope

from mcp_server.oauth.resource import metadata
from mcp_server.oauth.resource.addresses import Addresses, bases_of
from mcp_server.oauth.resource.chain import Chain
from mcp_server.oauth.resource.claims import Demands
from mcp_server.oauth.resource.door import Challenges, Door
from mcp_server.oauth.resource.fetching import Fetcher
from mcp_server.oauth.resource.introspection import Introspection
from mcp_server.oauth.resource.keysets import KeySet
from mcp_server.oauth.resource.signed import SignedByIssuer, SignedWithSecret
from mcp_server.oauth.resource.stays import Stays

if TYPE_CHECKING:
    from mcp_server.engine.scopes import Hierarchy
    from mcp_server.guards.windows import Windows
    from mcp_server.oauth.issuing import Issuing
    from mcp_server.oauth.login.ambient import Hook
    from mcp_server.settings import Settings


@dataclass(frozen=True, slots=True)
class OAuth:
    """What OAuth adds to the HTTP application."""

    door: Door
    """Checks tokens, for the key guard."""
    challenge: Callable[[Scope, Sequence[str]], list[tuple[bytes, bytes]]]
    """Tells a client which scopes its next token must have, for the transports."""
    hold: Callable[[Scope, Callable[[], None]], Callable[[], None]]
    """Has a stream ended together with the token that opened it, for the transports."""
    routes: tuple[BaseRoute, ...]
    open_paths: tuple[str, ...]
    """Paths for which nobody needs a token; they are counted all the same."""
    shared_paths: tuple[str, ...]
    """Those of them that pages of every origin may read; they grant that themselves."""
    entered_paths: tuple[str, ...]
    """Those of them to which a page of any origin may send a browser, with a form as well."""
    checks: tuple[Callable[[], Awaitable[None]], ...]
    """What raises while something is away that this needs."""
    closes: tuple[Callable[[], Awaitable[None]], ...]
    """What is to be let go of in the end."""


def oauth_from(
    settings: Settings, *, name: str, hierarchy: Hierarchy, windows: Windows, hook: Hook | None = None
) -> OAuth:
    """Put together what the settings ask for.

    Args:
        settings: What the operator has decided.
        name: What the server is called, for whoever is to sign in to it.
        hierarchy: Which scopes imply which.
        windows: Where requests are counted.
        hook: The developer's own way of knowing who signs in, if there is one.

    Raises:
        SettingsError: It would not be safe, or not possible.
    """
    addresses = Addresses(bases_of(settings.public_url, settings.allowed_hosts, settings.port))
    demands = Demands([*addresses.audiences, *settings.oauth_audience])
    fetcher = Fetcher()
    issuing = _issuing(settings, name, addresses, windows, hook) if settings.oauth_enabled else None
    issuers = [*([issuing.issuer] if issuing else []), *settings.oauth_issuers]
    asked_for = settings.oauth_challenge_scopes or (settings.oauth_scopes if issuing else ())
    scopes = [scope for scope in asked_for if scope != "offline_access"]
    challenges = Challenges(
        addresses,
        scopes,
        settings.oauth_required_scopes,
        "Invalid API key" if settings.keys else "A valid access token is required",
        signs_in=bool(issuers),
    )
    chain = Chain(
        {
            issuer: SignedByIssuer(issuer, KeySet(issuer, fetcher, settings.oauth_jwks_url), demands)
            for issuer in settings.oauth_issuers
        },
        _secret(settings, issuers, demands),
        issuing.verifier if issuing else None,
        _introspection(settings, demands, fetcher),
    )
    delays = {issuing.issuer: settings.oauth_revocation_delay} if issuing else {}
    stays = Stays(chain, lambda issuer: delays.get(issuer, settings.oauth_token_cache_seconds))
    door = Door(
        chain,
        challenges,
        required=settings.oauth_required_scopes,
        hierarchy=hierarchy,
        remembered_for=settings.oauth_token_cache_seconds,
    )
    documents: list[Route] = []
    if issuers:
        documents = metadata.routes(addresses, metadata.Metadata(name, issuers, scopes))
    paths = tuple(route.path for route in documents)
    return OAuth(
        door,
        challenges.headers,
        stays.hold,
        (*documents, *(issuing.routes if issuing else ())),
        (*paths, *(issuing.open_paths if issuing else ())),
        (*paths, *(issuing.shared_paths if issuing else ())),
        tuple(issuing.entered_paths if issuing else ()),
        tuple(issuing.checks if issuing else ()),
        (stays.close, fetcher.close, *(issuing.closes if issuing else ())),
    )


def _issuing(settings: Settings, name: str, addresses: Addresses, windows: Windows, hook: Hook | None) -> Issuing:
    from mcp_server.oauth.issuing import issuing_from  # noqa: PLC0415 - pages are for those who have people sign in

    return issuing_from(settings, name=name, further_urls=addresses.bases[1:], windows=windows, hook=hook)


def _secret(settings: Settings, issuers: Sequence[str], demands: Demands) -> SignedWithSecret | None:
    if settings.mcp_jwt_secret is None:
        return None
    return SignedWithSecret(settings.mcp_jwt_secret.get_secret_value(), issuers, demands)


def _introspection(settings: Settings, demands: Demands, fetcher: Fetcher) -> Introspection | None:
    url, client = settings.oauth_introspection_url, settings.oauth_introspection_client_id
    secret = settings.oauth_introspection_client_secret
    if url is None or client is None or secret is None:
        return None
    return Introspection(settings.oauth_issuers[0], url, (client, secret.get_secret_value()), demands, fetcher)
