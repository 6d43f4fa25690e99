"""From what an operator has set to what the authorization server is given."""

from __future__ import annotations

from collections.abc import Sequence

from mcp_server.oauth.server.client import Client
from mcp_server.oauth.server.known import known_clients
from mcp_server.oauth.server.options import ServerOptions
from mcp_server.settings import Settings


def options_from(settings: Settings, *, further_urls: Sequence[str] = ()) -> ServerOptions:
    """What the settings say.

    Args:
        settings: What the operator has decided.
        further_urls: Other addresses than the public one under which clients reach this server.

    Raises:
        ValueError: It is not possible, or not safe.
    """
    key = settings.oauth_registration_key
    return ServerOptions(
        # Only where the settings allow it: on this machine, for this machine.
        public_url=settings.public_url or f"http://localhost:{settings.port}",
        further_urls=tuple(further_urls),
        scopes=settings.oauth_scopes,
        access_lifetime=settings.oauth_access_token_lifetime,
        refresh_lifetime=settings.oauth_refresh_token_lifetime,
        revocation_delay=settings.oauth_revocation_delay,
        rate=settings.oauth_rate,
        registration=settings.oauth_registration,
        registration_key=None if key is None else key.get_secret_value(),
        registration_rate=settings.oauth_registration_rate,
        registrations_per_day=settings.oauth_registrations_per_day,
        documents=settings.oauth_client_documents,
        document_hosts=settings.oauth_client_document_hosts,
        loopback_documents=settings.oauth_loopback_documents,
    )


def clients_from(settings: Settings) -> tuple[Client, ...]:
    """The clients that the settings name.

    Raises:
        ValueError: One of them is none; the words say which, and why.
    """
    try:
        return known_clients(settings.oauth_clients or "[]")
    except ValueError as error:
        raise ValueError(f"OAUTH_CLIENTS {error}") from None
