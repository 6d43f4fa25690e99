"""From the environment to a running HTTP server: settings, log, application, uvicorn.

Whatever is wrong with the settings is said at once and ends the process with 78 (EX_CONFIG) before anything listens.
"""

from __future__ import annotations

import logging
import os
import secrets
import signal
import socket
import sys
import tempfile
from pathlib import Path
from types import FrameType
from typing import Any, Final

from starlette.applications import Starlette
from starlette.types import ASGIApp

from mcp_server.app import AppNotFound, load_server
from mcp_server.guards.redact import Redactor
from mcp_server.http_server import http_app
from mcp_server.observe.logs import CallLog, configure
from mcp_server.observe.metrics import share_between_workers
from mcp_server.settings import Settings, SettingsError, exit_with_problems, load_settings

logger = logging.getLogger("mcp_server")

_DOTENV: Final = "MCP_SERVER_DOTENV"
"""Tells worker processes which file their parent was started with."""


def configured_app(*, dotenv: Path | None = None) -> Starlette:
    """The application that the environment describes, and the process's log; exits with 78 if something is wrong."""
    return _build(_settings(dotenv))


def serve(*, dotenv: Path | None = None, **overrides: object) -> None:
    """Run the HTTP server until it is asked to stop.

    Args:
        dotenv: A file with further settings, which the environment overrules.
        overrides: Settings that overrule both, such as `port=9000` or `mcp_app="shop.server:server"`.
    """
    # Through the environment, so that worker processes and the served module see the same.
    os.environ.update({name.upper(): str(value) for name, value in overrides.items() if value is not None})
    settings = _settings(dotenv)
    sockets = _sockets(settings)
    for number in (signal.SIGINT, signal.SIGTERM):
        # uvicorn repeats a signal once it has obeyed it; to be asked to stop, and to stop, is a success.
        signal.signal(number, _stopped_as_asked)
    if settings.workers > 1:
        _serve_with_workers(settings, sockets, dotenv)
    else:
        run_uvicorn(_build(settings, streaming=True), settings, sockets)


def _serve_with_workers(settings: Settings, sockets: list[socket.socket], dotenv: Path | None) -> None:
    os.environ[_DOTENV] = str(dotenv or "")
    if not (settings.session_secrets or settings.keys):
        # The workers must read each other's session ids.
        os.environ["SESSION_SECRET"] = secrets.token_hex(32)
    with tempfile.TemporaryDirectory(prefix="mcp-server-metrics-") as counts:
        if settings.metrics_enabled:
            share_between_workers(Path(counts))
        _log_of(settings)
        for warning in settings.warnings:
            logger.warning(warning)
        run_uvicorn("mcp_server.serving:worker_app", settings, sockets, factory=True)


def _stopped_as_asked(_number: int, _frame: FrameType | None) -> None: ...


def worker_app() -> Starlette:
    """The application in one of several worker processes; uvicorn imports it there by name."""
    dotenv = os.environ.get(_DOTENV)
    return _build(_settings(Path(dotenv) if dotenv else None), streaming=True, warned=True)


def _settings(dotenv: Path | None) -> Settings:
    try:
        settings = load_settings(dotenv)
    except SettingsError as error:
        exit_with_problems(error)
    for name, value in settings.dotenv.values.items():
        if value:
            os.environ.setdefault(name, value)
    return settings


def _log_of(settings: Settings) -> CallLog:
    redact = Redactor(settings.secrets).text if settings.secrets else str
    return configure(settings.log_level, settings.log_format, access=False, redact=redact)


def _build(settings: Settings, *, streaming: bool | None = None, warned: bool = False) -> Starlette:
    if settings.aws_lambda_function_name is None:
        from mcp_server.heap import keep_freed_memory  # noqa: PLC0415 - Lambda pays for what is imported

        keep_freed_memory()
    calls = _log_of(settings)
    try:
        server = load_server(settings.mcp_app)
    except AppNotFound as error:
        sys.exit(str(error))
    try:
        return http_app(server, settings, calls, streaming=streaming, warned=warned)
    except SettingsError as error:
        exit_with_problems(error)


def _sockets(settings: Settings) -> list[socket.socket]:
    """Taken before anything else is done, so that a port in use is the first thing that is heard of."""
    # Lambda has a server of its own, and does not wait for another to be imported.
    from mcp_server.listening import CannotListen, bound  # noqa: PLC0415

    try:
        return bound(settings.host, settings.port)
    except CannotListen as error:
        sys.exit(str(error))


def run_uvicorn(app: ASGIApp | str, settings: Settings, sockets: list[socket.socket], **options: Any) -> None:
    """Serve an application, with a connection of ours for each of uvicorn's."""
    import uvicorn  # noqa: PLC0415 - as above

    from mcp_server.connections import Connection  # noqa: PLC0415
    from mcp_server.listening import room_for, run  # noqa: PLC0415

    options["limit_concurrency"] = room_for(settings.max_connections)
    run(uvicorn.Config(app, http=Connection, **_uvicorn_options(settings), **options), sockets)


def _uvicorn_options(settings: Settings) -> dict[str, Any]:
    options: dict[str, Any] = {
        "workers": settings.workers,
        "timeout_graceful_shutdown": settings.grace_seconds,
        "proxy_headers": False,  # the guards read them, and believe only proxies that are trusted
        "access_log": False,
        "log_config": None,
        "server_header": False,
    }
    if settings.tls is not None:
        options["ssl_certfile"], options["ssl_keyfile"] = settings.tls
    return options
