"""Settings → the way in which people sign in, and what the operator has decided about the pages."""

from __future__ import annotations

from collections.abc import Callable

from mcp_server.oauth.login.ambient import AutoApproval, Hook, OwnCode, ProxyHeader
from mcp_server.oauth.login.app import Way
from mcp_server.oauth.login.options import LoginOptions
from mcp_server.settings import Settings
from mcp_server.stores.store import Store


def options_of(
    settings: Settings,
    public_url: str,
    server_name: str,
    *,
    icon: str | None = None,
    describe_scope: Callable[[str], str | None] | None = None,
) -> LoginOptions:
    """What is decided about the pages.

    Args:
        settings: What the operator has decided.
        public_url: Where browsers reach this server.
        server_name: What people call it.
        icon: Its icon, as a `data:` URI.
        describe_scope: What a scope means, in the developer's words; None for those it does not know.

    Raises:
        ValueError: The pages would not be safe so.
    """
    return LoginOptions(
        public_url=public_url,
        server_name=server_name,
        icon=icon,
        session_lifetime=settings.oauth_session_lifetime,
        remember_consent=settings.oauth_remember_consent,
        scope_words=settings.scope_words,
        describe_scope=describe_scope,
    )


def way_of(settings: Settings, store: Store, options: LoginOptions, hook: Hook | None = None) -> Way:
    """How people sign in: as the developer's own code says, if there is any; else as the settings say.

    Raises:
        ValueError: It would not be safe; the words say what to do.
    """
    if hook is not None:
        return OwnCode(hook)
    match settings.oauth_login:
        case "oidc" | "github":
            return _elsewhere(settings)
        case "header":
            return ProxyHeader(settings.oauth_login_header, settings.trusted_proxies)
        case "auto":
            return AutoApproval(options)
        case _:
            return _users(settings, store)


def _users(settings: Settings, store: Store) -> Way:
    from mcp_server.oauth.login.locker import Locker  # noqa: PLC0415 - for those who have accounts
    from mcp_server.oauth.login.passwords import Passwords  # noqa: PLC0415 - for those who have passwords
    from mcp_server.oauth.login.users import Users  # noqa: PLC0415 - likewise

    return Users(store, Passwords(), Locker(settings.totp_keys))


def _elsewhere(settings: Settings) -> Way:
    from mcp_server.oauth.login.upstream import Admitted  # noqa: PLC0415 - an HTTP client is for those who need one

    secret = settings.oauth_client_secret
    if settings.oauth_client_id is None or secret is None:
        msg = "OAUTH_CLIENT_ID and OAUTH_CLIENT_SECRET are what the provider knows this server by; set both."
        raise ValueError(msg)
    admitted = Admitted.of(settings.oauth_allowed_subjects, settings.oauth_allowed_email_domains)
    if settings.oauth_login == "github":
        from mcp_server.oauth.login.github import GitHub  # noqa: PLC0415 - one of the two

        return GitHub(settings.oauth_client_id, secret.get_secret_value(), admitted)
    from mcp_server.oauth.login.oidc import Oidc, OidcAccount  # noqa: PLC0415 - the other one

    if settings.oauth_oidc_url is None:
        msg = "OAUTH_OIDC_URL is the issuer's address; set it."
        raise ValueError(msg)
    account = OidcAccount(
        settings.oauth_oidc_url,
        settings.oauth_client_id,
        secret.get_secret_value(),
        settings.oauth_login_scopes,
    )
    return Oidc(account, admitted)
