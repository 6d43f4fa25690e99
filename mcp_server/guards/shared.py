"""Counters of sliding windows in Redis, shared by all workers: the asynchronous storage of `limits`.

Imported only where a storage URL is configured.

When Redis is away, limits are open. A rate limit protects against too much of something; refusing everybody, or
making everybody wait, would be worse than what it protects against. So:

- a hit waits `patience` seconds at most, then the request passes, uncounted by any rate;
- after a failure Redis is left alone for `pause` seconds, then one request tries again, while others pass at once;
- every request that passed this way is counted in `unlimited`, and the log has one alarm a minute, then one line
  when counting works again.

Keys are another matter: those fail closed, and are not kept here.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, cast

from limits.aio.storage import RedisStorage
from limits.aio.storage.redis.redispy import RedispyBridge
from limits.errors import ConfigurationError
from limits.storage import storage_from_string

from mcp_server.guards.rates import Rate, Verdict, left_of, weigh

_log = logging.getLogger(__name__)

_ALARM_EVERY = 60.0
_SCHEMES = ("redis", "rediss", "redis+unix", "redis+cluster", "redis+sentinel")


def checked(url: str) -> str:
    """Give the URL back, or raise ValueError, whose words do not quote it: it may hold a password."""
    scheme, found, _ = url.partition("://")
    if not found or scheme not in _SCHEMES:
        msg = "the storage of rate limits is a URL such as redis://host:6379/0"
        raise ValueError(msg)
    return url


class SharedWindows:
    """Counts in Redis.

    Args:
        url: `redis://`, `rediss://`, `redis+unix://`, `redis+cluster://` or `redis+sentinel://`.
        prefix: begins every key.
        patience: seconds a hit may wait for Redis.
        pause: seconds between attempts while Redis is away.
        clock: seconds that only go up.

    Raises:
        ValueError: a URL nothing can be done with, or the client library is not installed. Nothing is connected yet.
    """

    def __init__(
        self,
        url: str,
        *,
        prefix: str = "mcp-server",
        patience: float = 0.25,
        pause: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._storage = _open_storage(url, prefix)
        self._patience = patience
        self._pause = pause
        self._clock = clock
        self._away = False
        self._try_again_at = 0.0
        self._alarm_again_at = 0.0
        self.unlimited = 0

    async def take(self, rate: Rate, key: str, cost: int) -> Verdict:
        """Count a hit if the rate allows it; let it pass if nobody can tell."""
        return await self._asked(rate, lambda: self._take(rate, key, cost))

    async def look(self, rate: Rate, key: str, cost: int) -> Verdict:
        """Judge a hit without counting it; let it pass if nobody can tell."""
        return await self._asked(rate, lambda: self._look(rate, key, cost))

    async def close(self) -> None:
        """Let go of the connections."""
        client: Any = cast("RedispyBridge", self._storage.bridge).get_connection()
        await client.aclose()

    async def _take(self, rate: Rate, key: str, cost: int) -> Verdict:
        allowed = await self._storage.acquire_sliding_window_entry(key, rate.amount, rate.window, cost)
        standing = await self._look(rate, key, 0 if allowed else cost)
        # What was decided stands, whatever others have counted in between.
        return standing._replace(allowed=allowed)

    async def _look(self, rate: Rate, key: str, cost: int) -> Verdict:
        counts = await self._storage.get_sliding_window(key, rate.window)
        return weigh(rate, cost, counts[0], counts[2], left_of(rate.window, counts))

    async def _asked(self, rate: Rate, question: Callable[[], Awaitable[Verdict]]) -> Verdict:
        if self._away:
            now = self._clock()
            if now < self._try_again_at:
                return self._pass(rate)
            # Before the attempt, so that only this request waits for it.
            self._try_again_at = now + self._pause
        try:
            async with asyncio.timeout(self._patience):
                verdict = await question()
        except Exception as problem:  # noqa: BLE001 - whatever is wrong over there, nobody is refused for it
            return self._fail(rate, problem)
        if self._away:
            self._away = False
            _log.warning("Rate limits are counted again; %d requests passed uncounted so far.", self.unlimited)
        return verdict

    def _fail(self, rate: Rate, problem: Exception) -> Verdict:
        now = self._clock()
        self._away = True
        self._try_again_at = now + self._pause
        if now >= self._alarm_again_at:
            self._alarm_again_at = now + _ALARM_EVERY
            # The name of the error only: its text may quote the URL, and that a password.
            _log.error(
                "Rate limits are open: their storage does not answer (%s). %d requests passed uncounted so far.",
                type(problem).__name__,
                self.unlimited + 1,
            )
        return self._pass(rate)

    def _pass(self, rate: Rate) -> Verdict:
        self.unlimited += 1
        return Verdict(allowed=True, remaining=rate.amount, reset_after=0.0, rate=rate)


def _open_storage(url: str, prefix: str) -> RedisStorage:
    try:
        # Here, since the client library is an extra.
        from redis.asyncio.retry import Retry  # noqa: PLC0415
        from redis.backoff import NoBackoff  # noqa: PLC0415

        # Once, at once: a pooled connection may be left over from before Redis was restarted.
        options: dict[str, Any] = {"key_prefix": prefix, "retry": Retry(NoBackoff(), 1)}
        storage = storage_from_string(f"async+{checked(url)}", implementation="redispy", **options)
    except (ImportError, ConfigurationError) as problem:
        msg = f"rate limits cannot be kept in Redis: {problem} (pip install 'redis>=6')"
        raise ValueError(msg) from None
    return cast("RedisStorage", storage)
