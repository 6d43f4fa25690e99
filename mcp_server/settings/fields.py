"""The variables: each one's type, default, other names, and who reads it.

They stand in three files, of which each goes on where the one before ends: `serving_fields`, `oauth_fields`, and here.

Must not know what other rooms look like inside; `read_by` names who is handed the value, so that an option which does
nothing would be seen here.
"""

from __future__ import annotations

from typing import Final

from mcp_server.settings import defaults, values
from mcp_server.settings.oauth_fields import OAuthFields
from mcp_server.settings.variables import Group

_LIMITS: Final = Group("How much and how often")
_STREAMS: Final = Group("Event streams and sessions")
_KEPT: Final = Group("What outlives a process, and news between processes")
_BROWSERS: Final = Group("Pages in browsers")
_LOGS: Final = Group("Logs and metrics")
_BACKEND: Final = Group("The service that the sample tools call")
_PLATFORM: Final = Group("Set by the platform", shown=False)


class Fields(OAuthFields):
    """What can be set, in the order in which `.env.example` shows it; a default may follow from the fields before."""

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
    rate_limit: values.RatesOrOff = _LIMITS.variable(
        "RATE_LIMIT",
        "How many requests an address may send; several limits are separated by semicolons; off for no limit.",
        default=defaults.rate_limit,
        parts=("rate_limit_requests_per_minute", "rate_limit_window"),
        read_by="guards: limits, per address",
        otherwise="100/minute",
    )
    rate_limit_per_key: values.RatesOrOff = _LIMITS.variable(
        "RATE_LIMIT_PER_KEY",
        "How many requests a key may send; off for no limit.",
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
