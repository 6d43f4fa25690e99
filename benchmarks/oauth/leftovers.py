"""What is left in a store of those who begin and never come back: clients that nobody signs in with, open requests.

Lifetimes are seconds here instead of minutes and a day, so that their end can be waited for. What has ended is swept,
and the same happens once more: a store that does not grow by that does not grow at all.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Final

from starlette.applications import Starlette
from starlette.middleware import Middleware

from benchmarks.oauth.backends import Backend
from benchmarks.oauth.callers import ORIGIN, Program, Steps
from mcp_server.guards.addresses import ClientAddress
from mcp_server.oauth.server import AuthorizationServer, ServerOptions
from mcp_server.stores import Store

_SOON: Final = 5.0
_KINDS: Final = ("oauth-client", "oauth-pending")


@dataclass(frozen=True, slots=True)
class Leftovers:
    """Bytes, and records."""

    count: int
    empty: int
    full: int
    swept: int
    """After everything has ended and was swept."""
    full_again: int
    """After the same once more."""
    swept_records: int
    """How many records sweeping has removed, or the entries that stood for them."""


async def measure(backend: Backend, store: Store, count: int) -> Leftovers:
    """So many clients register and begin a login each, and nobody ever comes back; twice."""
    await store.open()
    try:
        empty = backend.size(store)
        full = await _abandoned(backend, store, count)
        records = await store.sweep()
        for kind in _KINDS:
            if left := await store.find(kind):
                raise RuntimeError(f"{len(left)} records of {kind} were not swept")
        swept = backend.size(store)
        full_again = await _abandoned(backend, store, count)
        await store.sweep()
        return Leftovers(count, empty, full, swept, full_again, records)
    finally:
        await store.close()


async def _abandoned(backend: Backend, store: Store, count: int) -> int:
    """The size when all of them have begun; returns when all that is over."""
    # In Redis what has ended is gone by itself, so that nothing may end before the last has begun.
    lifetime = _SOON + count / 400
    options = ServerOptions(
        ORIGIN,
        pending_lifetime=lifetime,
        unused_lifetime=lifetime,
        rate="100000000/minute",
        registration_rate="100000000/minute",
        registrations_per_day=100_000_000,
    )
    server = AuthorizationServer(options, store, page=lambda identity: f"/consent?request={identity}")
    app = Starlette(routes=server.routes, middleware=[Middleware(ClientAddress, trusted=[])])
    for _ in range(count):
        program = Program(app, Steps())
        await program.register()
        await program.begin("v" * 43, "s")
    last = time.monotonic()
    full = backend.size(store)
    await asyncio.sleep(max(0.0, last + lifetime + 0.1 - time.monotonic()))
    return full
