"""Who calls, from what the guards have found out about a request."""

from __future__ import annotations

from functools import lru_cache

from mcp_server.engine.calls import Principal
from mcp_server.guards.caller import Caller


def principal_of(caller: Caller) -> Principal | None:
    """Whom the token of a request names, or the holder of its key; None where nobody has to say."""
    if caller.key is None:
        return None
    return caller.bearer if isinstance(caller.bearer, Principal) else _holder(caller.key)


def name_of(principal: Principal | None) -> str | None:
    """What stays the same when somebody comes back with another token: whose session something is."""
    return None if principal is None else principal.name


@lru_cache(maxsize=1024)
def _holder(key: str) -> Principal:
    return Principal(key)
