"""The variables of OAuth: whose tokens are taken, which are issued, how people sign in; the second part of `fields`."""

from __future__ import annotations

from typing import Final

from mcp_server.settings import defaults, values
from mcp_server.settings.serving_fields import ServingFields
from mcp_server.settings.variables import Group

_TOKENS: Final = Group("Tokens of an identity provider, instead of a key or beside it")
_ISSUING: Final = Group("Tokens of its own: people sign in, and this server issues the tokens (OAuth 2.1)")
_SIGNING_IN: Final = Group("How people sign in, if they have OAuth")


class OAuthFields(ServingFields):
    """Tokens, and the people for whom they are."""

    # Tokens of an identity provider, instead of a key or beside it

    oauth_issuers: values.Issuers = _TOKENS.variable(
        "OAUTH_ISSUERS",
        "Who issues the tokens that callers send, such as https://login.example.com/, exactly as in iss there.",
        default=(),
        read_by="oauth: resource",
        otherwise="none; callers need a key",
    )
    oauth_audience: values.Audiences = _TOKENS.variable(
        "OAUTH_AUDIENCE",
        "Further audiences (aud) of tokens that are meant for this server, besides its own addresses.",
        default=(),
        also=("OAUTH_AUDIENCES",),
        read_by="oauth: resource",
        otherwise="PUBLIC_URL, alone and with /mcp",
    )
    oauth_required_scopes: values.Scopes = _TOKENS.variable(
        "OAUTH_REQUIRED_SCOPES",
        "Scopes that every token must have, whatever it is used for.",
        default=(),
        read_by="oauth: resource",
        otherwise="none",
    )
    oauth_challenge_scopes: values.Scopes = _TOKENS.variable(
        "OAUTH_CHALLENGE_SCOPES",
        "Scopes that clients are told to ask for when they sign in.",
        default=defaults.challenge_scopes,
        read_by="oauth: resource",
        otherwise="OAUTH_REQUIRED_SCOPES, or OAUTH_SCOPES if this server issues the tokens",
    )
    oauth_token_cache_seconds: values.WholeSeconds = _TOKENS.variable(
        "OAUTH_TOKEN_CACHE_SECONDS",
        "How long a token that was found valid is believed, and so how late a revocation may be noticed.",
        default=30,
        read_by="oauth: resource",
    )
    oauth_jwks_url: values.ServiceUrl | None = _TOKENS.variable(
        "OAUTH_JWKS_URL",
        "Where the keys of the one issuer are.",
        read_by="oauth: resource",
        otherwise="as the issuer's metadata say",
    )
    oauth_introspection_url: values.ServiceUrl | None = _TOKENS.variable(
        "OAUTH_INTROSPECTION_URL",
        "Where the one issuer is asked, as RFC 7662 has it, about tokens that cannot be read.",
        read_by="oauth: resource",
        otherwise="such tokens are refused",
    )
    oauth_introspection_client_id: values.Name | None = _TOKENS.variable(
        "OAUTH_INTROSPECTION_CLIENT_ID",
        "The name under which this server asks there.",
        read_by="oauth: resource",
        otherwise="none",
    )
    oauth_introspection_client_secret: values.Secret | None = _TOKENS.variable(
        "OAUTH_INTROSPECTION_CLIENT_SECRET",
        "The secret that belongs to that name.",
        read_by="oauth: resource, guards: redact",
        otherwise="none",
    )
    mcp_jwt_secret: values.Secret | None = _TOKENS.variable(
        "MCP_JWT_SECRET",
        "A secret, 32 or more random characters, with which programs of yours sign tokens by HS256.",
        read_by="oauth: resource, guards: redact",
        otherwise="such tokens are refused",
    )

    # Tokens of its own: people sign in, and this server issues the tokens (OAuth 2.1)

    oauth_enabled: values.Flag = _ISSUING.variable(
        "OAUTH_ENABLED",
        "Whether clients can send people here to sign in; needs PUBLIC_URL or DOMAIN, unless HOST is this machine.",
        default=False,
        read_by="oauth: server",
    )
    oauth_scopes: values.Scopes = _ISSUING.variable(
        "OAUTH_SCOPES",
        "What clients may ask for; those that ask for nothing ask for all of it.",
        default=("read", "write"),
        read_by="oauth: server",
    )
    oauth_access_token_lifetime: values.Lifetime = _ISSUING.variable(
        "OAUTH_ACCESS_TOKEN_LIFETIME",
        "For how many seconds an access token is good.",
        default=3_600,
        read_by="oauth: server",
    )
    oauth_refresh_token_lifetime: values.Lifetime = _ISSUING.variable(
        "OAUTH_REFRESH_TOKEN_LIFETIME",
        "After how many seconds without use people have to sign in again.",
        default=2_592_000,
        read_by="oauth: server",
    )
    oauth_revocation_delay: values.WholeSeconds = _ISSUING.variable(
        "OAUTH_REVOCATION_DELAY",
        "For how many seconds one process may go on believing a token that another has revoked; 0 asks each time.",
        default=5,
        read_by="oauth: server",
    )
    oauth_rate: values.Rates = _ISSUING.variable(
        "OAUTH_RATE",
        "How often an address may ask for a sign-in or for tokens.",
        default="60/minute",
        read_by="oauth: server",
    )
    oauth_clients: values.Clients | None = _ISSUING.variable(
        "OAUTH_CLIENTS",
        "The clients that you have registered yourself: a JSON array, or the path of a file that holds one.",
        read_by="oauth: server",
        otherwise="those added with mcp-server clients add",
    )
    oauth_registration: values.Flag = _ISSUING.variable(
        "OAUTH_REGISTRATION",
        "Whether clients may register themselves (RFC 7591); many cannot do without.",
        default=True,
        read_by="oauth: server",
    )
    oauth_registration_key: values.Secret | None = _ISSUING.variable(
        "OAUTH_REGISTRATION_KEY",
        "What clients must send as a bearer token in order to register, 32 or more random characters.",
        read_by="oauth: server, guards: redact",
        otherwise="everybody may",
    )
    oauth_registration_rate: values.Rates = _ISSUING.variable(
        "OAUTH_REGISTRATION_RATE",
        "How many clients an address may register; all users of a hosted client share a few.",
        default="10/minute;200/day",
        read_by="oauth: server",
    )
    oauth_registrations_per_day: values.Count = _ISSUING.variable(
        "OAUTH_REGISTRATIONS_PER_DAY",
        "How many clients may be registered in a day by everybody together.",
        default=1000,
        read_by="oauth: server",
    )
    oauth_client_documents: values.Flag = _ISSUING.variable(
        "OAUTH_CLIENT_DOCUMENTS",
        "Whether an https address is taken for a client's id, and the document there for what the client says.",
        default=True,
        read_by="oauth: server",
    )
    oauth_client_document_hosts: values.Hosts = _ISSUING.variable(
        "OAUTH_CLIENT_DOCUMENT_HOSTS",
        "Whose documents are taken, such as claude.ai; *.example.com is possible.",
        default=(),
        read_by="oauth: server",
        otherwise="everybody's",
    )
    oauth_loopback_documents: values.Flag = _ISSUING.variable(
        "OAUTH_LOOPBACK_DOCUMENTS",
        "For development: whether such a document may be on this machine, and over http there.",
        default=False,
        read_by="oauth: server",
    )

    # How people sign in, if they have OAuth

    oauth_login: values.LoginWay | None = _SIGNING_IN.variable(
        "OAUTH_LOGIN",
        "Whose accounts they have: users of this server, oidc or github for those of others, header if a proxy signs "
        "them in, auto to ask nobody while developing on this machine.",
        read_by="oauth: login",
        otherwise="users",
    )
    oauth_oidc_url: values.IssuerUrl | None = _SIGNING_IN.variable(
        "OAUTH_OIDC_URL",
        "The issuer whose accounts people have, or its discovery document, for OAUTH_LOGIN=oidc.",
        also=("OIDC_DISCOVERY_URL",),
        read_by="oauth: login, oidc",
        otherwise="none",
    )
    oauth_client_id: values.Name | None = _SIGNING_IN.variable(
        "OAUTH_CLIENT_ID",
        "By what the provider of those accounts knows this server, for oidc and github.",
        read_by="oauth: login, oidc and github",
        otherwise="none",
    )
    oauth_client_secret: values.Secret | None = _SIGNING_IN.variable(
        "OAUTH_CLIENT_SECRET",
        "The secret that the provider has given this server.",
        read_by="oauth: login, oidc and github; guards: redact",
        otherwise="none",
    )
    oauth_login_scopes: values.Scopes = _SIGNING_IN.variable(
        "OAUTH_LOGIN_SCOPES",
        "What is asked of the provider, for oidc.",
        default=("openid", "profile", "email"),
        read_by="oauth: login, oidc",
    )
    oauth_allowed_email_domains: values.EmailDomains = _SIGNING_IN.variable(
        "OAUTH_ALLOWED_EMAIL_DOMAINS",
        "Domains whose people are let in, by the address that the provider has verified.",
        default=(),
        read_by="oauth: login, oidc and github",
        otherwise="everybody's, unless OAUTH_ALLOWED_SUBJECTS is set",
    )
    oauth_allowed_subjects: values.Subjects = _SIGNING_IN.variable(
        "OAUTH_ALLOWED_SUBJECTS",
        "People who are let in, by their subject or verified e-mail address, at GitHub also by name or id:NUMBER; "
        "* for everybody.",
        default=(),
        read_by="oauth: login, oidc and github",
        otherwise="everybody, unless OAUTH_ALLOWED_EMAIL_DOMAINS is set",
    )
    oauth_login_header: values.HeaderName = _SIGNING_IN.variable(
        "OAUTH_LOGIN_HEADER",
        "In which header a proxy in TRUSTED_PROXIES names the person, for OAUTH_LOGIN=header.",
        default="X-Forwarded-User",
        read_by="oauth: login, header",
    )
    oauth_totp_key: values.Secrets = _SIGNING_IN.variable(
        "OAUTH_TOTP_KEY",
        "What encrypts the secrets of authenticator apps in the store, 32 or more random characters, for "
        "OAUTH_LOGIN=users; the first of several encrypts, all are valid.",
        default=(),
        also=("OAUTH_TOTP_KEYS",),
        read_by="oauth: login, users; mcp-server users; guards: redact",
        otherwise="nobody can be asked for codes",
    )
    oauth_session_lifetime: values.Lifetime = _SIGNING_IN.variable(
        "OAUTH_SESSION_LIFETIME",
        "For how many seconds a browser stays signed in.",
        default=28_800,
        read_by="oauth: login",
    )
    oauth_remember_consent: values.Moment = _SIGNING_IN.variable(
        "OAUTH_REMEMBER_CONSENT",
        "For how many seconds people may have their consent to an application remembered; 0 asks every time.",
        default=0,
        read_by="oauth: login",
    )
    oauth_scope_words: values.ScopeWords | None = _SIGNING_IN.variable(
        "OAUTH_SCOPE_WORDS",
        "What scopes allow, for the people who are asked: items:read=See the catalogue; items:write=Change it.",
        read_by="oauth: login",
        otherwise="the name of each scope",
    )
