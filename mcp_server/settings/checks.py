"""What only shows when several variables are seen together.

A problem stops the start, a warning does not. Must not change anything, and must not repeat a value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from mcp_server.settings.meanings import EVERYBODY, OFF, host_of, is_loopback, rates_in
from mcp_server.settings.problems import Problem

if TYPE_CHECKING:
    from pydantic import SecretStr

    from mcp_server.settings.fields import Fields
    from mcp_server.settings.model import Settings

SHORTEST_KEY: Final = 32
_FEWEST_CHARACTERS: Final = 8
"""A random key of 32 hexadecimal digits has fewer different ones about four times in a hundred million."""

_ISSUING: Final = frozenset(
    {
        *("oauth_scopes", "oauth_access_token_lifetime", "oauth_refresh_token_lifetime", "oauth_revocation_delay"),
        *("oauth_rate", "oauth_clients", "oauth_registration", "oauth_registration_key", "oauth_registration_rate"),
        *("oauth_registrations_per_day", "oauth_client_documents", "oauth_client_document_hosts"),
        "oauth_loopback_documents",
    }
)

_MAKE_ONE: Final = "make one with: openssl rand -hex 32"
_MANY_TENANTS: Final = re.compile(
    r"https://login\.microsoftonline\.com/(common|organizations|consumers)(/|$)", re.IGNORECASE
)
_PLACEHOLDER: Final = re.compile(r"(^|[-_])your|^(change|replace|example|placeholder|test|<)", re.IGNORECASE)


def problems(settings: Settings) -> Iterator[Problem]:
    """What makes it wrong, or dangerous, to start."""
    yield from _half_of_tls(settings)
    yield from _small_burst(settings)
    if settings.listening:
        yield from _tokens(settings)
        yield from _login(settings)
    if settings.oauth_enabled and settings.listening:
        yield from _issuing(settings)
    if settings.production and settings.listening:
        if not (settings.keys or settings.takes_tokens):
            yield Problem("MCP_API_KEY", f"is required in production; {_MAKE_ONE}", depends=("MCP_API_KEY_PREVIOUS",))
        if settings.metrics_enabled and settings.metrics_key is None:
            yield Problem("METRICS_KEY", f"is required in production if METRICS_ENABLED=true; {_MAKE_ONE}")
        for name, fault in _weak(settings):
            yield Problem(name, f"{fault}; {_MAKE_ONE}")


def warnings(settings: Settings) -> Iterator[str]:
    """What the operator may not have meant."""
    yield from _idle(settings)
    yield from _idle_issuing(settings)
    if not settings.listening:
        return
    if not settings.production:
        yield from _open_doors(settings)
        yield from (f"{name} {fault}; in production the server would not start" for name, fault in _weak(settings))
    yield from _one_of_many(settings)
    if settings.takes_tokens and settings.production and not (settings.keys or settings.session_secrets):
        yield "SESSION_SECRET is not set, so that the sessions of older clients end with this process; " + _MAKE_ONE
    if settings.oauth_login == "oidc" and not _admits_some(settings):
        yield (
            "OAUTH_LOGIN=oidc lets in everybody who has an account there; to let in fewer, set "
            "OAUTH_ALLOWED_EMAIL_DOMAINS or OAUTH_ALLOWED_SUBJECTS"
        )
    if EVERYBODY in settings.trusted_proxies:
        yield (
            "TRUSTED_PROXIES=* lets everybody who reaches this server directly choose the address under which "
            "requests are counted; name the networks of your proxies"
        )
    if EVERYBODY in settings.cors_allowed_origins and settings.production:
        yield "CORS_ALLOWED_ORIGINS=* lets every web page call; name the origins of yours"
    if settings.rate_limit == OFF and settings.production and not settings.rate_limit_day:
        yield "RATE_LIMIT=off lets whoever guesses keys guess as fast as they can"
    if settings.rate_limit_burst and OFF in {settings.rate_limit, settings.rate_limit_per_key}:
        yield "RATE_LIMIT_BURST is not used for a limit that is off"
    if settings.debug and settings.production:
        yield "DEBUG=true makes the log of a production server long"
    if settings.production and _in_clear(settings):
        yield "PUBLIC_URL begins with http://, so keys travel unencrypted; put HTTPS in front"


def _half_of_tls(settings: Settings) -> Iterator[Problem]:
    certificate, key = "SSL_CERT_PATH", "SSL_KEY_PATH"
    if settings.ssl_cert_path and not settings.ssl_key_path:
        yield Problem(key, f"must be set as well, because {certificate} is", depends=(certificate,))
    if settings.ssl_key_path and not settings.ssl_cert_path:
        yield Problem(certificate, f"must be set as well, because {key} is", depends=(key,))
    if settings.use_ssl and not (settings.ssl_cert_path or settings.ssl_key_path):
        yield Problem("USE_SSL", f"must be false, unless {certificate} and {key} are set", depends=(certificate, key))


def _small_burst(settings: Settings) -> Iterator[Problem]:
    """A burst is spread over as many seconds as the rate needs for it, and there is nothing shorter than one."""
    limits = [rates_in(text) for text in (settings.rate_limit, settings.rate_limit_per_key)]
    shortest = [min(rates, key=lambda rate: rate[1]) for rates in limits if rates]
    least = max((-(-count // seconds) for count, seconds in shortest), default=0)
    if settings.rate_limit_burst is not None and settings.rate_limit_burst < least:
        rule = f"must be at least {least}, which is what the rate allows in a second"
        yield Problem("RATE_LIMIT_BURST", rule, depends=("RATE_LIMIT", "RATE_LIMIT_PER_KEY"))


def _tokens(settings: Settings) -> Iterator[Problem]:
    """A token says for whom it is meant, and of whom its issuer is to be asked."""
    secret = settings.mcp_jwt_secret
    if secret is not None and len(secret.get_secret_value()) < SHORTEST_KEY:
        # A key can only be guessed by asking us; a secret that signs, at home, from any one token.
        yield Problem("MCP_JWT_SECRET", f"must have at least {SHORTEST_KEY} characters; {_MAKE_ONE}")
    foreign = settings.takes_tokens and not settings.oauth_enabled
    if foreign and settings.public_url is None and not _only_here(settings):
        because = "OAUTH_ISSUERS" if settings.oauth_issuers else "MCP_JWT_SECRET"
        rule = f"(or DOMAIN) must be set, because {because} is: tokens are valid for one address"
        yield Problem("PUBLIC_URL", rule, depends=("DOMAIN", "HOST", "ENVIRONMENT", because))
    if any(_MANY_TENANTS.match(issuer) for issuer in settings.oauth_issuers):
        yield Problem("OAUTH_ISSUERS", "must name your own tenant by its id, as iss does; common is that of everybody")
    for name, url in (
        ("OAUTH_JWKS_URL", settings.oauth_jwks_url),
        ("OAUTH_INTROSPECTION_URL", settings.oauth_introspection_url),
    ):
        if url is not None and len(settings.oauth_issuers) != 1:
            yield Problem(name, "needs exactly one address in OAUTH_ISSUERS", depends=("OAUTH_ISSUERS",))
    identity = ("OAUTH_INTROSPECTION_CLIENT_ID", "OAUTH_INTROSPECTION_CLIENT_SECRET")
    given = (settings.oauth_introspection_client_id, settings.oauth_introspection_client_secret)
    if settings.oauth_introspection_url is not None:
        for name, value in zip(identity, given, strict=True):
            if value is None:
                rule = "must be set as well, because OAUTH_INTROSPECTION_URL is"
                yield Problem(name, rule, depends=("OAUTH_INTROSPECTION_URL",))


def _only_here(settings: Settings) -> bool:
    return not settings.production and is_loopback(f"[{settings.host}]" if ":" in settings.host else settings.host)


def _issuing(settings: Settings) -> Iterator[Problem]:
    """People sign in at an address that a stranger cannot choose, and over nothing that a stranger can read."""
    depends = ("DOMAIN", "HOST", "ENVIRONMENT", "OAUTH_ENABLED")
    if settings.public_url is None and not _only_here(settings):
        rule = "(or DOMAIN) must be set, because OAUTH_ENABLED is: it is where people sign in"
        yield Problem("PUBLIC_URL", rule, depends=depends)
    if _in_clear(settings):
        rule = "must begin with https://, because OAUTH_ENABLED is set: tokens would travel unencrypted"
        yield Problem("PUBLIC_URL", rule, depends=depends)
    if not settings.oauth_scopes:
        yield Problem("OAUTH_SCOPES", "must name at least one scope")
    if settings.oauth_loopback_documents and settings.production:
        rule = "must be false in production, where it would let strangers ask services of this machine"
        yield Problem("OAUTH_LOOPBACK_DOCUMENTS", rule, depends=("ENVIRONMENT",))


def _login(settings: Settings) -> Iterator[Problem]:
    """A way to sign in that would let nobody in, or everybody."""
    way = settings.oauth_login
    if way is None:
        return
    depends = ("OAUTH_LOGIN",)
    if settings.public_url is not None and _in_clear(settings):
        rule = "must begin with https:// for people to sign in, as their passwords would travel unencrypted"
        yield Problem("PUBLIC_URL", rule, depends=depends)
    if way in {"oidc", "github"}:
        for name, value in (
            ("OAUTH_CLIENT_ID", settings.oauth_client_id),
            ("OAUTH_CLIENT_SECRET", settings.oauth_client_secret),
        ):
            if value is None:
                yield Problem(name, f"is required by OAUTH_LOGIN={way}; the provider gives it", depends=depends)
        yield from _provider(settings)
    if way == "header" and ("trusted_proxies" not in settings.model_fields_set or not _lists_proxies(settings)):
        rule = "must list the networks of your proxies, and not *, for OAUTH_LOGIN=header to believe what they say"
        yield Problem("TRUSTED_PROXIES", rule, depends=depends)
    if way == "auto":
        yield from _auto(settings)


def _provider(settings: Settings) -> Iterator[Problem]:
    url, depends = settings.oauth_oidc_url, ("OAUTH_LOGIN", "OAUTH_OIDC_URL")
    if settings.oauth_login == "oidc" and url is None:
        rule = "is required by OAUTH_LOGIN=oidc; it is the address of the issuer"
        yield Problem("OAUTH_OIDC_URL", rule, depends=depends)
    if settings.oauth_login == "oidc" and url is not None and _MANY_TENANTS.match(url):
        yield Problem("OAUTH_OIDC_URL", "must name your own tenant; common is that of everybody", depends=depends)
    public = settings.oauth_login == "github" or (url is not None and host_of(url) == "accounts.google.com")
    if public and not _admits_some(settings):
        rule = (
            "must say who is let in, or be *, because anybody can have an account there; "
            "OAUTH_ALLOWED_EMAIL_DOMAINS does as well"
        )
        yield Problem("OAUTH_ALLOWED_SUBJECTS", rule, depends=(*depends, "OAUTH_ALLOWED_EMAIL_DOMAINS"))


def _admits_some(settings: Fields) -> bool:
    return bool(settings.oauth_allowed_subjects or settings.oauth_allowed_email_domains)


def _lists_proxies(settings: Fields) -> bool:
    return bool(settings.trusted_proxies) and EVERYBODY not in settings.trusted_proxies


def _auto(settings: Settings) -> Iterator[Problem]:
    """Nobody is asked: then nobody else may come."""
    if settings.production:
        yield Problem("OAUTH_LOGIN", "must not be auto in production, where it would let everybody in")
        return
    for name, host in (
        ("HOST", settings.host),
        ("DOMAIN", settings.domain),
        ("PUBLIC_URL", None if settings.public_url is None else host_of(settings.public_url)),
    ):
        if host is not None and not is_loopback(f"[{host}]" if host.count(":") > 1 and "[" not in host else host):
            rule = "must be this machine's own, because OAUTH_LOGIN=auto lets in everybody who reaches it"
            yield Problem(name, rule, depends=("OAUTH_LOGIN",))


def _weak(settings: Settings) -> Iterator[tuple[str, str]]:
    """Secrets that somebody could guess, and why; every one that opens a door or signs."""
    metrics_key = () if settings.metrics_key is None else (settings.metrics_key,)
    jwt_secret = () if settings.mcp_jwt_secret is None else (settings.mcp_jwt_secret,)
    registration_key = () if settings.oauth_registration_key is None else (settings.oauth_registration_key,)
    for name, secrets in (
        ("MCP_API_KEY", settings.mcp_api_key),
        ("MCP_API_KEY_PREVIOUS", settings.mcp_api_key_previous),
        ("MCP_JWT_SECRET", jwt_secret),
        ("OAUTH_REGISTRATION_KEY", registration_key),
        ("METRICS_KEY", metrics_key),
        ("SESSION_SECRET", settings.session_secret),
        ("OAUTH_TOTP_KEY", settings.oauth_totp_key),
    ):
        if fault := _guessable(secrets):
            yield name, fault


def _guessable(secrets: tuple[SecretStr, ...]) -> str | None:
    texts = [secret.get_secret_value() for secret in secrets]
    if any(_PLACEHOLDER.search(text) or len(set(text)) < _FEWEST_CHARACTERS for text in texts):
        return "is a placeholder"
    if any(len(text) < SHORTEST_KEY for text in texts):
        return f"must have at least {SHORTEST_KEY} characters"
    return None


def _idle(settings: Settings) -> Iterator[str]:
    """What is never looked at, because another variable says the same or is missing."""
    for whole, parts in (
        ("rate_limit", ("rate_limit_requests_per_minute", "rate_limit_window")),
        ("redis_url", ("redis_host", "redis_port", "redis_password")),
        ("store_url", ("db_host", "db_port", "db_name", "db_user", "db_password", "data_dir")),
    ):
        unused = settings.model_fields_set.intersection(parts) if whole in settings.model_fields_set else ()
        yield from (f"{part.upper()} is not used, because {whole.upper()} is set" for part in sorted(unused))
    unused = {"oauth_introspection_client_id", "oauth_introspection_client_secret"} & settings.model_fields_set
    if settings.oauth_introspection_url is None and unused:
        yield from (f"{name.upper()} is not used unless OAUTH_INTROSPECTION_URL is set" for name in sorted(unused))
    of_tokens = {"oauth_audience", "oauth_required_scopes", "oauth_challenge_scopes", "oauth_token_cache_seconds"}
    if not settings.takes_tokens:
        unused = of_tokens & settings.model_fields_set
        rule = "is not used unless OAUTH_ISSUERS or OAUTH_ENABLED is set"
        yield from (f"{name.upper()} {rule}" for name in sorted(unused))
    if settings.redis_url is None and settings.model_fields_set & {"redis_port", "redis_password"}:
        yield "REDIS_PORT and REDIS_PASSWORD are not used unless REDIS_HOST is set"
    at_provider = {"oauth_client_id", "oauth_client_secret", "oauth_oidc_url"} & settings.model_fields_set
    if settings.oauth_login not in {"oidc", "github"}:
        yield from (f"{name.upper()} is not used unless OAUTH_LOGIN is oidc or github" for name in sorted(at_provider))
    of_database = {"db_port", "db_name", "db_user", "db_password"}
    if settings.db_host is None and settings.store_url is None and settings.model_fields_set & of_database:
        yield "DB_PORT, DB_NAME, DB_USER and DB_PASSWORD are not used unless DB_HOST is set"


def _idle_issuing(settings: Settings) -> Iterator[str]:
    """What is set about tokens that nobody issues, and what is issued and soon forgotten."""
    said = {name for name in settings.model_fields_set if name in _ISSUING}
    if said and not settings.oauth_enabled:
        yield from (f"{name.upper()} is not used unless OAUTH_ENABLED=true" for name in sorted(said))
    if settings.oauth_enabled and settings.production and settings.store.startswith("memory:"):
        yield "STORE_URL=memory:// forgets who has signed in whenever the server is started; name a file or a database"


def _open_doors(settings: Settings) -> Iterator[str]:
    if not (settings.keys or settings.takes_tokens):
        who = "anybody who can reach this server" if settings.without_key == "open" else "anybody on this machine"
        yield f"MCP_API_KEY is not set: {who} may call it; {_MAKE_ONE}"
    if settings.metrics_enabled and settings.metrics_key is None:
        yield "METRICS_KEY is not set: whoever may call this server may also read /metrics"


def _one_of_many(settings: Settings) -> Iterator[str]:
    if settings.workers == 1:
        return
    if settings.rate_limit_storage_url.get_secret_value().startswith("memory:"):
        yield "WORKERS is more than 1 and each counts requests for itself; set REDIS_URL to count them together"
    if settings.event_bus_url.get_secret_value().startswith("memory:"):
        yield "WORKERS is more than 1 and clients hear only of changes in their own; set REDIS_URL to tell all of them"
    if settings.store_url is not None and settings.store_url.get_secret_value().startswith("memory:"):
        yield "WORKERS is more than 1 and each has a store of its own; set STORE_URL to something they can share"


def _in_clear(settings: Fields) -> bool:
    url = settings.public_url
    return url is not None and url.startswith("http://") and not is_loopback(host_of(url))
