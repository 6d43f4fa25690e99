"""Who calls, from what the guards have found out about a request."""

from __future__ import annotations

from functools import lru_cache

from starlette.types import Scope

from mcp_server.engine.calls import Principal
from mcp_server.guards.caller import caller_of


def principal_of(scope: Scope) -> Principal | None:
    """The holder of the key that came with the request; None where no key is asked for."""
    key = caller_of(scope).key
    return None if key is None else _holder(key)


@lru_cache(maxsize=1024)
def _holder(key: str) -> Principal:
    return Principal(key)
