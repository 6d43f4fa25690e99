"""The variables: each one's type, default, other names, and who reads it.

Must not know what other rooms look like inside; `read_by` names who is handed the value, so that an option which does
nothing would be seen here.
"""

from __future__ import annotations

from typing import Final

from pydantic_settings import BaseSettings, SettingsConfigDict

from mcp_server.settings import defaults, values
from mcp_server.settings.variables import Group

_PROCESS: Final = Group("What runs")
_LISTENING: Final = Group("Where it listens, and under which name it is reached")
_KEYS: Final = Group("Who may call")
_TOKENS: Final = Group("Tokens of an identity provider, instead of a key or beside it")
_ISSUING: Final = Group("Tokens of its own: people sign in, and this server issues the tokens (OAuth 2.1)")
_SIGNING_IN: Final = Group("How people sign in, if they have OAuth")
_LIMITS: Final = Group("How much and how often")
_STREAMS: Final = Group("Event streams and sessions")
_KEPT: Final = Group("What outlives a process, and news between processes")
_BROWSERS: Final = Group("Pages in browsers")
_LOGS: Final = Group("Logs and metrics")
_BACKEND: Final = Group("The service that the sample tools call")
_PLATFORM: Final = Group("Set by the platform", shown=False)


class Fields(BaseSettings):
    """What can be set, in the order in which `.env.example` shows it; a default may follow from the fields before."""

    model_config = SettingsConfigDict(defer_build=True)  # only the model that is made of these is ever validated

    # What runs

    app_name: values.Name | None = _PROCESS.variable(
        "APP_NAME",
        "The name by which the server introduces itself.",
        read_by="server: serverInfo",
        otherwise="the name given in the code",
    )
    environment: values.Environment | None = _PROCESS.variable(
        "ENVIRONMENT",
        "development, staging or production; the last two start only with a strong key.",
        read_by="guards: keys",
        otherwise="without a key, only this machine may call",
    )
    debug: values.Flag = _PROCESS.variable(
        "DEBUG",
        "Whether to log in detail; callers never see more than without it.",
        default=False,
        also=("DEBUG_MODE",),
        read_by="LOG_LEVEL",
    )
    mcp_app: values.Reference | None = _PROCESS.variable(
        "MCP_APP",
        "The server to run, as module:name or path/to/file.py:name.",
        read_by="cli: run",
        otherwise="the sample catalogue",
    )
    workers: values.Count = _PROCESS.variable(
        "WORKERS",
        "How many processes serve; more than one need REDIS_URL to count requests together.",
        default=1,
        also=("WEB_CONCURRENCY", "GATEWAY_MAX_WORKERS"),
        read_by="main_http: uvicorn workers",
    )
    grace_seconds: values.WholeSeconds = _PROCESS.variable(
        "GRACE_SECONDS",
        "How long calls may go on after the server was told to stop; docker stop waits 10 seconds.",
        default=8,
        read_by="main_http: uvicorn timeout_graceful_shutdown",
    )

    # Where it listens, and under which name it is reached

    host: values.Address = _LISTENING.variable(
        "HOST",
        "The address to listen on; 0.0.0.0 makes it reachable from other machines.",
        default="127.0.0.1",
        also=("PROXY_HOST", "MCP_HOST"),
        read_by="main_http: uvicorn host",
    )
    port: values.Port = _LISTENING.variable(
        "PORT",
        "The port to listen on.",
        default=8000,
        also=("PROXY_PORT", "MCP_GATEWAY_PORT", "MCP_PORT"),
        read_by="main_http: uvicorn port",
    )
    domain: values.Domain | None = _LISTENING.variable(
        "DOMAIN",
        "The host name under which clients reach the server, such as api.example.com.",
        also=("MCP_DOMAIN",),
        read_by="PUBLIC_URL, ALLOWED_HOSTS",
        otherwise="none",
    )
    public_url: values.PublicUrl | None = _LISTENING.variable(
        "PUBLIC_URL",
        "The address under which clients reach the server.",
        default=defaults.public_url,
        parts=("domain",),
        read_by="server: addresses that are handed out",
        otherwise="https://DOMAIN",
    )
    allowed_hosts: values.Hosts = _LISTENING.variable(
        "ALLOWED_HOSTS",
        "Further host names that requests may be addressed to; *.example.com is possible.",
        default=(),
        read_by="guards: origin",
        otherwise="the hosts of PUBLIC_URL and DOMAIN",
    )
    trusted_proxies: values.Networks = _LISTENING.variable(
        "TRUSTED_PROXIES",
        "Networks of the proxies in front, whose X-Forwarded-For is believed; none if there is no proxy.",
        default=("127.0.0.1/32", "::1/128"),
        also=("FORWARDED_ALLOW_IPS",),
        read_by="guards: addresses",
    )
    client_ip_header: values.HeaderName | None = _LISTENING.variable(
        "CLIENT_IP_HEADER",
        "A header in which a trusted proxy names the client, such as Fly-Client-IP.",
        read_by="guards: addresses",
        otherwise="X-Forwarded-For",
    )
    ssl_cert_path: values.File | None = _LISTENING.variable(
        "SSL_CERT_PATH",
        "The certificate, if the server itself is to speak HTTPS.",
        read_by="main_http: uvicorn ssl_certfile",
        otherwise="none",
    )
    ssl_key_path: values.File | None = _LISTENING.variable(
        "SSL_KEY_PATH",
        "The private key of that certificate.",
        read_by="main_http: uvicorn ssl_keyfile",
        otherwise="none",
    )
    use_ssl: values.Flag = _LISTENING.variable(
        "USE_SSL",
        "Whether the server itself speaks HTTPS; false if a proxy in front does.",
        default=defaults.use_tls,
        read_by="main_http: uvicorn ssl_*",
        otherwise="true if there is a certificate",
    )

    # Who may call

    mcp_api_key: values.Secrets = _KEYS.variable(
        "MCP_API_KEY",
        "The key that callers send as a bearer token, 32 or more random characters, or several.",
        default=(),
        read_by="guards: keys, redact",
        otherwise="see ENVIRONMENT",
    )
    mcp_api_key_previous: values.Secrets = _KEYS.variable(
        "MCP_API_KEY_PREVIOUS",
        "The key before, accepted as well until all callers have the new one.",
        default=(),
        read_by="guards: keys, redact",
        otherwise="none",
    )

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

    # How much and how often

    rate_limit_requests_per_minute: values.Count | None = _LIMITS.variable(
        "RATE_LIMIT_REQUESTS_PER_MINUTE",
        "The number in RATE_LIMIT, for those who write it this way.",
        read_by="RATE_LIMIT",
        otherwise="100",
    )
    rate_limit_window: values.Window | None = _LIMITS.variable(
        "RATE_LIMIT_WINDOW",
        "The seconds in RATE_LIMIT, for those who write it this way.",
        read_by="RATE_LIMIT",
        otherwise="60",
    )
    rate_limit: values.Rates = _LIMITS.variable(
        "RATE_LIMIT",
        "How many requests an address may send; several limits are separated by semicolons.",
        default=defaults.rate_limit,
        parts=("rate_limit_requests_per_minute", "rate_limit_window"),
        read_by="guards: limits, per address",
        otherwise="100/minute",
    )
    rate_limit_per_key: values.Rates = _LIMITS.variable(
        "RATE_LIMIT_PER_KEY",
        "How many requests a key may send.",
        default=defaults.rate_limit_per_key,
        read_by="guards: limits, per key",
        otherwise="RATE_LIMIT",
    )
    rate_limit_burst: values.Count | None = _LIMITS.variable(
        "RATE_LIMIT_BURST",
        "How many of them may come at once.",
        read_by="guards: limits",
        otherwise="no limit of its own",
    )
    rate_limit_day: values.Count | None = _LIMITS.variable(
        "RATE_LIMIT_DAY",
        "How many requests a caller may send in a day.",
        read_by="guards: limits",
        otherwise="no quota",
    )
    redis_host: values.HostName | None = _LIMITS.variable(
        "REDIS_HOST",
        "The host in REDIS_URL, for those who write it this way; in compose, the service's name.",
        read_by="REDIS_URL",
        otherwise="none",
    )
    redis_port: values.Port = _LIMITS.variable(
        "REDIS_PORT", "The port in REDIS_URL.", default=6379, read_by="REDIS_URL"
    )
    redis_password: values.Password | None = _LIMITS.variable(
        "REDIS_PASSWORD", "The password in REDIS_URL.", read_by="REDIS_URL", otherwise="none"
    )
    redis_url: values.RedisUrl | None = _LIMITS.variable(
        "REDIS_URL",
        "The Redis that several processes share.",
        default=defaults.redis_url,
        parts=("redis_host", "redis_port", "redis_password"),
        read_by="RATE_LIMIT_STORAGE_URL, STORE_URL, EVENT_BUS_URL",
        otherwise="made of REDIS_HOST, if that is set",
    )
    rate_limit_storage_url: values.StorageUrl = _LIMITS.variable(
        "RATE_LIMIT_STORAGE_URL",
        "Where requests are counted.",
        default=defaults.storage_url,
        parts=("redis_url", "redis_host"),
        read_by="guards: limits",
        otherwise="REDIS_URL, or memory:// in each process",
    )
    max_connections: values.Count = _LIMITS.variable(
        "MAX_CONNECTIONS",
        "How many connections may be open; a further one takes the place of one that is idle, or else gets a 503.",
        default=1000,
        also=("GATEWAY_MAX_CONNECTIONS",),
        read_by="main_http: uvicorn limit_concurrency",
    )
    max_body_bytes: values.ByteCount = _LIMITS.variable(
        "MAX_BODY_BYTES",
        "How large a request may be, in bytes; larger ones are refused.",
        default=4 * 1024 * 1024,
        read_by="guards: bodies",
    )
    max_output_bytes: values.ByteCount = _LIMITS.variable(
        "MAX_OUTPUT_BYTES",
        "How large a tool's result may be, in bytes, before the log has a warning.",
        default=10_240,
        read_by="observe: call lines",
    )
    tool_timeout: values.Seconds = _LIMITS.variable(
        "TOOL_TIMEOUT",
        "How many seconds a call may take, unless its tool has a limit of its own.",
        default=10.0,
        also=("GATEWAY_REQUEST_TIMEOUT",),
        read_by="engine: deadline",
    )

    # Event streams and sessions

    sse_heartbeat_interval: values.Seconds = _STREAMS.variable(
        "SSE_HEARTBEAT_INTERVAL",
        "The seconds between the comments that keep a silent event stream open.",
        default=15.0,
        read_by="transports: sse",
    )
    sse_stream_timeout: values.Seconds = _STREAMS.variable(
        "SSE_STREAM_TIMEOUT",
        "How many seconds an event stream may last; clients open a new one.",
        default=300.0,
        read_by="transports: sse",
    )
    sse_max_connections: values.Count = _STREAMS.variable(
        "SSE_MAX_CONNECTIONS", "How many event streams may be open at once.", default=100, read_by="transports: sse"
    )
    session_secret: values.Secrets = _STREAMS.variable(
        "SESSION_SECRET",
        "What signs the session ids of older clients; the first of several signs, all are valid.",
        default=(),
        also=("SESSION_SECRETS",),
        read_by="transports: session_ids, guards: redact",
        otherwise="a new one at each start",
    )
    session_ttl: values.Lifetime = _STREAMS.variable(
        "SESSION_TTL", "How many seconds such a session lasts.", default=86_400, read_by="transports: session_ids"
    )

    # What outlives a process, and news between processes

    data_dir: values.Folder | None = _KEPT.variable(
        "DATA_DIR",
        "The folder for files of the server's own; it is made if there is none.",
        read_by="STORE_URL",
        otherwise="mcp-server in $XDG_STATE_HOME, or in ~/.local/state",
    )
    db_host: values.HostName | None = _KEPT.variable(
        "DB_HOST",
        "The host in STORE_URL, for those who write it this way; in compose, the service's name.",
        also=("POSTGRES_HOST",),
        read_by="STORE_URL",
        otherwise="none",
    )
    db_port: values.Port = _KEPT.variable(
        "DB_PORT", "The port in STORE_URL.", default=5432, also=("POSTGRES_PORT",), read_by="STORE_URL"
    )
    db_name: values.Name | None = _KEPT.variable(
        "DB_NAME",
        "The database in STORE_URL.",
        also=("POSTGRES_DB",),
        read_by="STORE_URL",
        otherwise="the one that is called like the user",
    )
    db_user: values.Name | None = _KEPT.variable(
        "DB_USER", "The user in STORE_URL.", also=("POSTGRES_USER",), read_by="STORE_URL", otherwise="none"
    )
    db_password: values.Password | None = _KEPT.variable(
        "DB_PASSWORD", "The password in STORE_URL.", also=("POSTGRES_PASSWORD",), read_by="STORE_URL", otherwise="none"
    )
    store_url: values.KeptUrl | None = _KEPT.variable(
        "STORE_URL",
        "Where records are kept that must outlive a process; memory:// forgets them at its end.",
        default=defaults.store_url,
        also=("DATABASE_URL",),
        parts=("db_host", "db_port", "db_name", "db_user", "db_password"),
        read_by="stores: open_store",
        otherwise="the PostgreSQL at DB_HOST, or REDIS_URL, or mcp-server.db in DATA_DIR",
    )
    task_ttl: values.Lifetime = _KEPT.variable(
        "TASK_TTL",
        "How many seconds a task may take, and how many it is kept from its end.",
        default=3600,
        read_by="engine: tasks",
    )
    task_max_running: values.Count = _KEPT.variable(
        "TASK_MAX_RUNNING",
        "How many tasks may run in each process at once; further calls are refused.",
        default=1000,
        read_by="engine: tasks",
    )
    task_max_per_caller: values.Count = _KEPT.variable(
        "TASK_MAX_PER_CALLER",
        "How many tasks of one key may run at once; without keys, all callers are one.",
        default=200,
        read_by="engine: tasks",
    )
    task_max_result: values.ByteCount = _KEPT.variable(
        "TASK_MAX_RESULT",
        "How large the result of a task may be, in bytes, to be kept.",
        default=4 * 1024 * 1024,
        read_by="engine: tasks",
    )
    event_bus_url: values.StorageUrl = _KEPT.variable(
        "EVENT_BUS_URL",
        "What carries news of changes from one process to the clients of the others.",
        default=defaults.storage_url,
        parts=("redis_url", "redis_host"),
        read_by="bus: open_bus",
        otherwise="REDIS_URL, or memory:// for one process",
    )

    # Pages in browsers

    cors_allowed_origins: values.Origins = _BROWSERS.variable(
        "CORS_ALLOWED_ORIGINS",
        "Origins of the web pages that may call, such as https://app.example.com.",
        default=(),
        read_by="guards: cors, origin",
        otherwise="none",
    )
    cors_allowed_methods: values.Methods = _BROWSERS.variable(
        "CORS_ALLOWED_METHODS",
        "HTTP methods that those pages may use.",
        default=("GET", "POST", "DELETE", "OPTIONS"),
        read_by="guards: cors",
    )
    cors_allowed_headers: values.HeaderNames = _BROWSERS.variable(
        "CORS_ALLOWED_HEADERS",
        "Headers that those pages may send besides the ones of the protocol.",
        default=(),
        read_by="guards: cors",
        otherwise="none",
    )

    # Logs and metrics

    log_level: values.LogLevel = _LOGS.variable(
        "LOG_LEVEL",
        "DEBUG, INFO, WARNING, ERROR or CRITICAL.",
        default=defaults.log_level,
        read_by="observe: logs",
        otherwise="INFO, or DEBUG if DEBUG=true",
    )
    log_format: values.LogFormat = _LOGS.variable(
        "LOG_FORMAT", "text for people, json for machines.", default="text", read_by="observe: logs"
    )
    trace_requests: values.Flag = _LOGS.variable(
        "TRACE_REQUESTS",
        "Whether to log the steps of each request; never what is in it.",
        default=False,
        also=("MCP_TRACE_REQUESTS",),
        read_by="observe: lines",
    )
    metrics_enabled: values.Flag = _LOGS.variable(
        "METRICS_ENABLED", "Whether /metrics is served.", default=False, read_by="http_server: /metrics"
    )
    metrics_key: values.Secret | None = _LOGS.variable(
        "METRICS_KEY",
        "The key for /metrics, another one than those of callers.",
        read_by="http_server: /metrics, guards: redact",
        otherwise="none",
    )

    # The service that the sample tools call

    api_base_url: values.BaseUrl | None = _BACKEND.variable(
        "API_BASE_URL",
        "The address of a catalogue service for the sample tools.",
        read_by="sample: source",
        otherwise="a built-in catalogue",
    )
    api_key: values.Secret | None = _BACKEND.variable(
        "API_KEY",
        "The key of that service; callers never see it.",
        read_by="sample: source, guards: redact",
        otherwise="none",
    )
    api_key_header: values.HeaderName | None = _BACKEND.variable(
        "API_KEY_HEADER",
        "The header in which that service expects its key.",
        read_by="sample: source",
        otherwise="Authorization",
    )
    api_key_scheme: values.HeaderName | None = _BACKEND.variable(
        "API_KEY_SCHEME",
        "The word before that key.",
        read_by="sample: source",
        otherwise="Bearer in Authorization, none in another header",
    )

    # Set by the platform, not by people, and so not in `.env.example`

    aws_lambda_function_name: str | None = _PLATFORM.variable(
        "AWS_LAMBDA_FUNCTION_NAME", "Set by AWS Lambda.", read_by="production"
    )
