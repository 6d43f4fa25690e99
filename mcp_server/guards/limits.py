"""How often one may ask, over HTTP.

One class, placed twice: before the keys are checked it counts by address, after that by key. Every path that is not
open counts into the same bucket, whichever face it belongs to.

By address, a request that carries a key of ours is not counted: it is counted by its key a moment later. Behind one
address may sit all users of a large client; what has to be counted by address is those we do not know, and those who
guess keys. Without keys everybody is counted by address. A token counts by address until it was found to be valid.

A refusal is a 429 with `Retry-After` in whole seconds, after which the same request passes if nothing else came in
between. Every counted answer carries `RateLimit` and `RateLimit-Policy` (the IETF draft); a refusal also carries the
three fields of its older revisions, which more clients read.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from starlette.types import ASGIApp, Scope

from mcp_server.guards.caller import Caller
from mcp_server.guards.gate import Guard, Look
from mcp_server.guards.keyring import Keyring
from mcp_server.guards.limiter import Limiter
from mcp_server.guards.paths import Paths
from mcp_server.guards.rates import Verdict
from mcp_server.guards.refusals import TOO_MANY, RawHeaders, Refusal

Bucket = Callable[[Caller], str | None]


def by_address(keyring: Keyring | None = None, recall: Callable[[Caller], bool] | None = None) -> Bucket:
    """Count by the client's address, except those who carry a key of this ring, or a token that is remembered."""

    def bucket(caller: Caller) -> str | None:
        sent = caller.headers.get(b"authorization")
        if sent is not None and keyring is not None and keyring.holder(sent) is not None:
            return None
        if sent is not None and recall is not None and recall(caller):
            return None
        return caller.address

    return bucket


def by_key(caller: Caller) -> str | None:
    """Count by the key a guard has recognised; those without one are not counted here."""
    return caller.key


class RateGuard(Guard):
    """Refuses with 429 whoever asks too often; `bucket` says under which name a request counts, None for not at all."""

    def __init__(self, app: ASGIApp, *, limiter: Limiter, bucket: Bucket, open_paths: Iterable[str] = ()) -> None:
        super().__init__(app)
        self._limiter = limiter
        self._bucket = bucket
        self._open = Paths(open_paths)
        self._names = {rate: f'"{limiter.name}-{rate.window}s"'.encode("ascii") for rate in limiter.rates}
        policies = [b"%b;q=%d;w=%d" % (self._names[rate], rate.amount, rate.window) for rate in limiter.rates]
        self._policy = (b"ratelimit-policy", b", ".join(policies))

    def look(self, scope: Scope, caller: Caller) -> Look:
        """Count a request, and refuse it if it is one too many."""
        bucket = self._bucket(caller)
        if bucket is None or self._open.match(scope):
            return None
        verdict = self._limiter.hit_now(bucket)
        return self._ask(bucket, caller) if verdict is None else self._judge(verdict, caller)

    async def _ask(self, bucket: str, caller: Caller) -> Refusal | None:
        return self._judge(await self._limiter.hit(bucket), caller)

    def _judge(self, verdict: Verdict, caller: Caller) -> Refusal | None:
        allowed, remaining, reset_after, rate = verdict
        standing = b"%b;r=%d;t=%d" % (self._names[rate], remaining, math.ceil(reset_after))
        caller.standing += ((b"ratelimit", standing), self._policy)
        return None if allowed else TOO_MANY.with_headers(_older(verdict))


def _older(verdict: Verdict) -> RawHeaders:
    # One more than the whole seconds in it: at the exact moment, the window may still be full by a hair.
    wait = str(int(verdict.reset_after) + 1).encode("ascii")
    return (
        (b"retry-after", wait),
        (b"ratelimit-limit", str(verdict.rate.amount).encode("ascii")),
        (b"ratelimit-remaining", str(verdict.remaining).encode("ascii")),
        (b"ratelimit-reset", wait),
    )
