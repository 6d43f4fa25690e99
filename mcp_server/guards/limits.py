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

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mcp_server.guards.caller import caller_of
from mcp_server.guards.keyring import Keyring
from mcp_server.guards.limiter import Limiter
from mcp_server.guards.paths import Paths
from mcp_server.guards.rates import Verdict
from mcp_server.guards.refusals import TOO_MANY, RawHeaders

Bucket = Callable[[Scope], str | None]


def by_address(keyring: Keyring | None = None, recall: Callable[[Scope], bool] | None = None) -> Bucket:
    """Count by the client's address, except those who carry a key of this ring, or a token that is remembered."""

    def bucket(scope: Scope) -> str | None:
        caller = caller_of(scope)
        sent = caller.headers.get(b"authorization")
        if sent is not None and keyring is not None and keyring.holder(sent) is not None:
            return None
        if sent is not None and recall is not None and recall(scope):
            return None
        return caller.address

    return bucket


def by_key(scope: Scope) -> str | None:
    """Count by the key a guard has recognised; those without one are not counted here."""
    return caller_of(scope).key


class RateGuard:
    """Refuses with 429 whoever asks too often; `bucket` says under which name a request counts, None for not at all."""

    def __init__(self, app: ASGIApp, *, limiter: Limiter, bucket: Bucket, open_paths: Iterable[str] = ()) -> None:
        self._app = app
        self._limiter = limiter
        self._bucket = bucket
        self._open = Paths(open_paths)
        self._names = {rate: f'"{limiter.name}-{rate.window}s"' for rate in limiter.rates}
        policies = ", ".join(f"{self._names[rate]};q={rate.amount};w={rate.window}" for rate in limiter.rates)
        self._policy = (b"ratelimit-policy", policies.encode("ascii"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count the request, and pass it on or refuse it."""
        if scope["type"] != "http" or self._open.match(scope) or (bucket := self._bucket(scope)) is None:
            await self._app(scope, receive, send)
            return
        verdict = await self._limiter.hit(bucket)
        if not verdict.allowed:
            await TOO_MANY(scope, send, headers=(*self._standing(verdict), *_older(verdict)))
            return

        async def send_with_standing(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *self._standing(verdict)]
            await send(message)

        await self._app(scope, receive, send_with_standing)

    def _standing(self, verdict: Verdict) -> RawHeaders:
        standing = f"{self._names[verdict.rate]};r={verdict.remaining};t={math.ceil(verdict.reset_after)}"
        return ((b"ratelimit", standing.encode("ascii")), self._policy)


def _older(verdict: Verdict) -> RawHeaders:
    # One more than the whole seconds in it: at the exact moment, the window may still be full by a hair.
    wait = str(int(verdict.reset_after) + 1).encode("ascii")
    return (
        (b"retry-after", wait),
        (b"ratelimit-limit", str(verdict.rate.amount).encode("ascii")),
        (b"ratelimit-remaining", str(verdict.remaining).encode("ascii")),
        (b"ratelimit-reset", wait),
    )
