"""The variables that say what runs, where it listens and who may call; the first part of `fields`."""

from __future__ import annotations

from typing import Final

from pydantic_settings import BaseSettings, SettingsConfigDict

from mcp_server.settings import defaults, values
from mcp_server.settings.variables import Group

_PROCESS: Final = Group("What runs")
_LISTENING: Final = Group("Where it listens, and under which name it is reached")
_KEYS: Final = Group("Who may call")


class ServingFields(BaseSettings):
    """What runs, where, and for whom."""

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
        "The address to listen on; localhost is this machine alone, 0.0.0.0 lets other machines in, :: over IPv6 too.",
        default="localhost",
        also=("PROXY_HOST", "MCP_HOST"),
        read_by="main_http: listening",
    )
    port: values.Port = _LISTENING.variable(
        "PORT",
        "The port to listen on.",
        default=8000,
        also=("PROXY_PORT", "MCP_GATEWAY_PORT", "MCP_PORT"),
        read_by="main_http: listening",
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

    require_https: values.Flag = _LISTENING.variable(
        "REQUIRE_HTTPS",
        "Whether to refuse what came over plain HTTP, here or to a trusted proxy, from any other machine.",
        default=False,
        read_by="guards: https",
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
