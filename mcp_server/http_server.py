"""The HTTP server: one Starlette application, the same under uvicorn, in Docker and on AWS Lambda.

It is put together here and nowhere else. `guards_of` is the list of what a request passes on its way in, from the
outside in. What it reaches is one of the faces of MCP, or one of the few pages for people and machines.

    /mcp            POST  MCP in every version, and {"action": ...}     GET, DELETE  sessions of older clients
    /mcp/sse        POST  the same, always as events                    GET  the transport of 2024-11-05
    /mcp/messages   POST  the other half of that transport
    /health /ready /metrics /
    /.well-known/oauth-protected-resource…   with OAuth
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from mcp_server.engine.sealing import Seal
from mcp_server.engine.task_terms import TaskTerms
from mcp_server.guards.addresses import ClientAddress
from mcp_server.guards.bodies import BodyGuard
from mcp_server.guards.caller import Caller
from mcp_server.guards.cors import Cors
from mcp_server.guards.gate import in_one_layer
from mcp_server.guards.https import HttpsGuard
from mcp_server.guards.keyring import Keyring
from mcp_server.guards.keys import KeyGuard
from mcp_server.guards.limiter import Limiter
from mcp_server.guards.limits import Bucket, RateGuard, by_address, by_key
from mcp_server.guards.origin import OriginGuard
from mcp_server.guards.rates import Rate, rates_from
from mcp_server.guards.redact import Redactor
from mcp_server.guards.windows import MemoryWindows, Windows
from mcp_server.health import health, numbers, ready
from mcp_server.lifecycle import Lifecycle
from mcp_server.observe import lines
from mcp_server.observe.logs import Calls, NoCallLog
from mcp_server.observe.metrics import Metrics, NoMetrics, PrometheusMetrics
from mcp_server.observe.records import Vocabulary
from mcp_server.observe.traces import open_tracer
from mcp_server.pages import front_page
from mcp_server.settings.meanings import OFF
from mcp_server.transports.http import HttpFace
from mcp_server.transports.http_sse import HttpSse, opens_old_stream
from mcp_server.transports.journals import Journals
from mcp_server.transports.seats import Seats, Streaming
from mcp_server.transports.session_ids import SessionIds
from mcp_server.transports.steps import Steps
from mcp_server.watching import Watcher

if TYPE_CHECKING:
    from mcp_server.engine.engine import Engine
    from mcp_server.engine.neighbours import Neighbours
    from mcp_server.oauth.assembly import OAuth
    from mcp_server.server import Server
    from mcp_server.settings import Settings
    from mcp_server.stores import Store

logger = logging.getLogger("mcp_server.http")

OPEN: Final = ("/health", "/ready")
"""What anybody may ask, as often as they like."""


def http_app(
    server: Server,
    settings: Settings,
    calls: Calls | None = None,
    *,
    streaming: bool | None = None,
    warned: bool = False,
) -> Starlette:
    """The application for a server; further routes may be added to it, and it may be mounted in another one.

    Args:
        server: Whose tools it serves.
        settings: What the operator has decided.
        calls: Where the line of each call goes; nowhere, if the process's log is not ours.
        streaming: Whether what is said reaches the client at once, so that streams can last. On AWS Lambda it does not,
            unless whoever serves the application there knows better.
        warned: Whether the log has been told already what is doubtful about the settings.
    """
    for warning in () if warned else settings.warnings:
        logger.warning(warning)
    if streaming is None:
        streaming = settings.aws_lambda_function_name is None
    calls = calls or NoCallLog()
    known = Vocabulary(server.known_methods, server.known_names)
    metrics = PrometheusMetrics(known) if settings.metrics_enabled else NoMetrics()
    redactor = Redactor(settings.secrets)
    watcher = Watcher(calls, metrics, open_tracer(known), most_output=settings.max_output_bytes)
    windows, closes = _windows(settings)
    neighbours = _neighbours(settings, server.name) if streaming else None
    oauth = _oauth(settings, server, windows)
    engine = server.engine(
        timeout=settings.tool_timeout,
        observer=watcher,
        redact=redactor.data if settings.secrets else None,
        listen_for=settings.sse_stream_timeout,
        seal=Seal(_secrets(settings)),
        news=streaming,
        windows=windows,
        neighbours=neighbours,
        tasks=_tasks(settings, offered=streaming),
    )
    faces = _Faces.of(engine, settings, metrics, neighbours, lasting=streaming, oauth=oauth)
    lifecycle = Lifecycle(
        engine,
        lasting=not streaming,  # hosts that send answers whole also run the lifespan around each request
        drains=[faces.old.drain, server.drain],
        closes=[*closes, *(oauth.closes if oauth else ()), _stop_counting(metrics)],
    )
    app = _Application(
        routes=[
            Route("/", _front_page(engine, settings.public_url)),
            Route("/health", health),
            Route("/ready", ready(lifecycle, server, oauth.checks if oauth else ())),
            *([Route("/metrics", numbers(metrics, settings.metrics_key))] if settings.metrics_enabled else []),
            *(oauth.routes if oauth else ()),
        ],
        layers=[
            *([Middleware(Steps)] if settings.trace_requests else []),
            *in_one_layer(guards_of(settings, windows, oauth), refused=_tell_of_refusals(metrics)),
            Middleware(Faces, faces=faces.by_path(), lifecycle=lifecycle),
        ],
        lifespan=lifecycle.lifespan,
    )
    app.router.redirect_slashes = False  # clients of MCP and of OAuth do not follow redirects
    app.state.calls = calls
    app.state.windows = windows
    app.state.lifecycle = lifecycle
    return app


def _secrets(settings: Settings) -> list[bytes]:
    """What signs and seals. Processes without a secret still agree on something: the keys of their callers."""
    return [secret.encode() for secret in settings.session_secrets or settings.keys]


def _oauth(settings: Settings, server: Server, windows: Windows) -> OAuth | None:
    """What OAuth adds, if it is on."""
    if not settings.takes_tokens:
        return None
    from mcp_server.oauth.assembly import oauth_from  # noqa: PLC0415 - cryptography is for those who need it

    return oauth_from(settings, name=server.title, hierarchy=server.hierarchy, windows=windows, hook=server.signing_in)


def guards_of(settings: Settings, windows: Windows, oauth: OAuth | None = None) -> list[Middleware]:
    """What a request passes, from the outside in."""
    keyring = Keyring(settings.keys)
    door = oauth.door if oauth else None
    shared = oauth.shared_paths if oauth else ()
    entered = oauth.entered_paths if oauth else ()
    metrics_open = ("/metrics",) if settings.metrics_key else ()
    unknown = by_address(keyring or None, door.recall if door else None)

    def limit(text: str, name: str, bucket: Bucket) -> list[Middleware]:
        rates = _rates(settings, text)
        limiter = Limiter(rates, windows, name=name) if rates else None
        return [Middleware(RateGuard, limiter=limiter, bucket=bucket, open_paths=OPEN)] if limiter else []

    return [
        Middleware(
            Cors,
            origins=settings.cors_allowed_origins,
            methods=settings.cors_allowed_methods,
            headers=settings.cors_allowed_headers,
            loopback=not settings.production,
            open_paths=shared,
        ),
        Middleware(ClientAddress, trusted=settings.trusted_proxies, header=settings.client_ip_header),
        Middleware(
            OriginGuard,
            hosts=settings.allowed_hosts,
            origins=settings.cors_allowed_origins,
            open_paths=(*OPEN, *shared, *entered),
        ),
        *([Middleware(HttpsGuard, open_paths=OPEN)] if settings.require_https else []),
        Middleware(BodyGuard, max_bytes=settings.max_body_bytes),
        *limit(settings.rate_limit, "address", unknown),
        Middleware(
            KeyGuard,
            keyring=keyring,
            production=settings.production,
            unkeyed="open" if settings.without_key == "open" else "loopback",
            open_paths=(*OPEN, "/", *metrics_open, *(oauth.open_paths if oauth else ())),
            tokens=door,
        ),
        # Without keys and tokens nobody has a name to be counted under.
        *(limit(settings.rate_limit_per_key, "key", by_key) if keyring or door else []),
    ]


def _tell_of_refusals(metrics: Metrics) -> Callable[[Caller], None]:
    """Counts what the guards refuse, and says in the log whose key or token was none."""

    def tell(caller: Caller) -> None:
        refused = caller.refused or ""
        if caller.fault is not None:
            metrics.auth_failed(refused)
            logger.info(lines.oauth_failure(caller.fault, caller.address))
        elif refused == "unauthorized":
            metrics.auth_failed(refused)
            logger.info(lines.key_refused(refused, caller.address))
        else:
            metrics.limited(refused)

    return tell


class _Application(Starlette):
    """Starlette behind layers of ours.

    Its own layer, which answers what a route has tripped over, is behind them: a face answers for itself, and what is
    sent from there passes through nothing that only routes need. Layers that somebody adds come first, as ever.
    """

    def __init__(self, *, layers: Sequence[Middleware], **options: Any) -> None:
        super().__init__(**options)
        self._layers = layers

    def build_middleware_stack(self) -> ASGIApp:
        added, self.user_middleware = self.user_middleware, []
        try:
            app = super().build_middleware_stack()
        finally:
            self.user_middleware = added
        for layer in reversed([*added, *self._layers]):
            app = layer.cls(app, *layer.args, **layer.kwargs)
        return app


class Faces:
    """Hands requests for MCP to its faces, and every other to the application's routes.

    It stands in front of the router because these few paths are most of the traffic, and none of them needs a pattern.
    No request passes before the engine has been started.
    """

    def __init__(self, app: ASGIApp, faces: Mapping[str, ASGIApp], lifecycle: Lifecycle) -> None:
        self._app = app
        self._faces = faces
        self._lifecycle = lifecycle

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Pass a request on."""
        if scope["type"] != "http":
            return self._app(scope, receive, send)
        path: str = scope["path"]
        root: str = scope.get("root_path", "")
        if root and path.startswith(root):
            path = path[len(root) :]
        answers = self._faces.get(path, self._app)
        if self._lifecycle.started:
            return answers(scope, receive, send)
        return self._start_first(answers, scope, receive, send)

    async def _start_first(self, answers: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        await self._lifecycle.start()
        await answers(scope, receive, send)


@dataclass(frozen=True, slots=True)
class _Faces:
    """The faces of MCP over HTTP; the old one is made of streams, and is not served where these cannot last."""

    new: HttpFace
    old: HttpSse
    lasting: bool

    @classmethod
    def of(
        cls,
        engine: Engine,
        settings: Settings,
        metrics: Metrics,
        neighbours: Neighbours | None,
        *,
        lasting: bool,
        oauth: OAuth | None,
    ) -> _Faces:
        sessions = SessionIds(_secrets(settings), lifetime=float(settings.session_ttl), count=metrics.sessions)
        seats = Seats(settings.sse_max_connections, opened=metrics.stream_opened, closed=metrics.stream_closed)
        streaming = Streaming(
            seats,
            settings.sse_heartbeat_interval,
            settings.sse_stream_timeout,
            lasting,
            hold=oauth.hold if oauth and lasting else None,
        )
        return cls(
            HttpFace(engine, sessions, Journals(), streaming, neighbours, challenge=oauth.challenge if oauth else None),
            HttpSse(engine, streaming, message_path="/mcp/messages"),
            lasting,
        )

    def by_path(self) -> dict[str, ASGIApp]:
        events = self._events if self.lasting else self.new.events
        return {
            "/mcp": self.new,
            "/mcp/": self.new,
            "/mcp/sse": events,
            "/mcp/sse/": events,
            **({"/mcp/messages": self.old.message} if self.lasting else {}),
        }

    async def _events(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self.old.stream if opens_old_stream(scope) else self.new.events)(scope, receive, send)


def _stop_counting(metrics: Metrics) -> Callable[[], Awaitable[None]]:
    async def stop_counting() -> None:
        metrics.close()

    return stop_counting


def _rates(settings: Settings, text: str) -> tuple[Rate, ...]:
    """The rates of a limit; none, if it is off, but a quota stays a quota."""
    if text != OFF:
        return rates_from(text, burst=settings.rate_limit_burst, per_day=settings.rate_limit_day)
    return rates_from(f"{settings.rate_limit_day}/day") if settings.rate_limit_day else ()


def _windows(settings: Settings) -> tuple[Windows, list[Callable[[], Awaitable[None]]]]:
    """Where requests are counted, and what is to be let go of it in the end."""
    url = settings.rate_limit_storage_url.get_secret_value()
    if url == "memory://":
        return MemoryWindows(), []
    from mcp_server.guards.shared import SharedWindows  # noqa: PLC0415 - Redis is for those who have it

    shared = SharedWindows(url)
    return shared, [shared.close]


def _neighbours(settings: Settings, name: str) -> Neighbours | None:
    """The other processes of this server; none, if it is one process."""
    url = settings.event_bus_url.get_secret_value()
    if url == "memory://":
        return None
    from mcp_server.bus import open_bus  # noqa: PLC0415 - Redis is for those who have it
    from mcp_server.engine.neighbours import Neighbours  # noqa: PLC0415

    return Neighbours(open_bus(url, name))


def _tasks(settings: Settings, *, offered: bool) -> TaskTerms:
    """On which terms tasks are kept; not at all on hosts that are frozen as soon as a request has been answered."""

    def open_store() -> Store:
        from mcp_server.stores import open_store  # noqa: PLC0415 - only servers that have tasks need a store

        return open_store(settings.store)

    return TaskTerms(
        open_store=open_store,
        offered=offered,
        ttl=float(settings.task_ttl),
        most=settings.task_max_running,
        most_per_caller=settings.task_max_per_caller,
        most_bytes=settings.task_max_result,
        grace=float(settings.grace_seconds),
    )


def _front_page(engine: Engine, public_url: str | None) -> Callable[[Request], Response]:
    def page(request: Request) -> Response:
        return front_page(request, engine.describe(), public_url)

    return page
