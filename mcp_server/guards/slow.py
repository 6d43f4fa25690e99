"""slowapi for plain functions: `@limiter.limit("5/minute")` on a route of one's own, counted where we count.

For user code that knows slowapi. Our own faces do not use it: its buckets are per path, its middleware breaks event
streams, and with Redis it blocks the event loop while it waits (`patience` seconds at most; while Redis is away it
counts in the memory of this process).

Imported only when asked for.
"""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Generator
from typing import Any

from limits import RateLimitItem, WindowStats
from limits.strategies import RateLimiter
from slowapi import Limiter
from slowapi.errors import RateLimitExceeded
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from mcp_server.guards.caller import caller_of
from mcp_server.guards.rates import Rate, Verdict
from mcp_server.guards.refusals import TOO_MANY
from mcp_server.guards.shared import checked
from mcp_server.guards.windows import MemoryWindows


def caller_name(request: Request) -> str:
    """Name whom slowapi counts: the key if there is one, else the address the guards have settled on."""
    caller = caller_of(request.scope)
    return caller.key or caller.address


class FunctionLimiter(Limiter):
    """A `slowapi.Limiter` that counts in the windows of this process."""

    def __init__(self, windows: MemoryWindows, *, prefix: str = "mcp-server") -> None:
        with _no_dotenv():
            super().__init__(caller_name, key_prefix=prefix, config_filename="")
        self._counter = _Counter(windows)

    @property
    def limiter(self) -> RateLimiter:
        """The counter that slowapi asks."""
        return self._counter


def shared_function_limiter(url: str, *, prefix: str = "mcp-server", patience: float = 0.25) -> Limiter:
    """Make a `slowapi.Limiter` that counts in the Redis of the other workers.

    Raises:
        ValueError: a URL nothing can be done with.
    """
    # Here, since the Redis client is an extra.
    from redis.backoff import NoBackoff  # noqa: PLC0415
    from redis.retry import Retry  # noqa: PLC0415

    checked(url)
    options: dict[str, Any] = {
        "key_prefix": prefix,
        "socket_connect_timeout": patience,
        "socket_timeout": patience,
        # By default it makes more attempts, and the event loop stands still between them.
        "retry": Retry(NoBackoff(), 1),
    }
    with _no_dotenv():
        return Limiter(
            caller_name,
            strategy="sliding-window-counter",
            storage_uri=url,
            storage_options=options,
            in_memory_fallback_enabled=True,
            config_filename="",
        )


def attach(app: Starlette, limiter: Limiter) -> None:
    """Make an application answer for this limiter: decorated functions find it, refusals are worded like ours."""
    app.state.limiter = limiter

    def refuse(request: Request, _: Exception) -> Response:
        item, identifiers = request.state.view_rate_limit
        wait = limiter.limiter.get_window_stats(item, *identifiers).reset_time - time.time()
        headers = {"Retry-After": str(int(max(0.0, wait)) + 1)}
        caller_of(request.scope).refused = TOO_MANY.error
        return Response(TOO_MANY.body(request.scope), TOO_MANY.status, headers, "application/json")

    app.add_exception_handler(RateLimitExceeded, refuse)


class _Counter(RateLimiter):
    """Our windows, as a strategy of `limits`."""

    def __init__(self, windows: MemoryWindows) -> None:  # pyright: ignore[reportMissingSuperCall]
        self._windows = windows

    def hit(self, item: RateLimitItem, *identifiers: str, cost: int = 1) -> bool:
        rate = Rate(item.amount, item.get_expiry())
        return self._windows.take_now(rate, item.key_for(*identifiers), cost).allowed

    def test(self, item: RateLimitItem, *identifiers: str, cost: int = 1) -> bool:
        return self._standing(item, identifiers, cost).allowed

    def get_window_stats(self, item: RateLimitItem, *identifiers: str) -> WindowStats:
        standing = self._standing(item, identifiers, 1)
        # What is left now, not after the hit that was tried.
        return WindowStats(time.time() + standing.reset_after, standing.remaining + standing.allowed)

    def _standing(self, item: RateLimitItem, identifiers: tuple[str, ...], cost: int) -> Verdict:
        return self._windows.look_now(Rate(item.amount, item.get_expiry()), item.key_for(*identifiers), cost)


@contextlib.contextmanager
def _no_dotenv() -> Generator[None]:
    """Keep slowapi from reading `.env` in whatever directory we were started from."""
    with warnings.catch_warnings():
        # An empty file name is how it is told; it warns that there is no such file.
        warnings.filterwarnings("ignore", message="Config file '' not found", category=UserWarning)
        yield
