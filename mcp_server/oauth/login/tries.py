"""How often somebody may guess.

Counted before a password is looked at, by address, by user and address, and by user; a right one counts too, so that
many at once cannot slip through. What is typed as a name is counted under its digest, whether there is such a user or
not. The counters are those of the rate limits: bounded in memory, or in the Redis that processes share.
"""

from __future__ import annotations

import math
from typing import Final

from mcp_server.guards.limiter import Limiter
from mcp_server.guards.rates import Rate
from mcp_server.guards.windows import Windows
from mcp_server.oauth.login.sessions import digest_of

MINUTE: Final = 60
HOUR: Final = 60 * MINUTE

BY_ADDRESS: Final = (Rate(30, 10 * MINUTE),)
BY_BOTH: Final = (Rate(10, 10 * MINUTE),)
BY_USER: Final = (Rate(50, HOUR),)
"""So that a thousand addresses cannot guess one user's password; whoever they lock out waits less than an hour."""
CODES: Final = (Rate(6, 5 * MINUTE), Rate(30, 24 * HOUR))
"""Of a million codes three are right at a time: thirty guesses a day find one in thirty years."""


class Tries:
    """Counts the guesses."""

    def __init__(self, windows: Windows) -> None:
        self._by_address = Limiter(BY_ADDRESS, windows, name="login-address")
        self._by_both = Limiter(BY_BOTH, windows, name="login-both")
        self._by_user = Limiter(BY_USER, windows, name="login-user")
        self._codes = Limiter(CODES, windows, name="login-code")

    async def password(self, name: str, address: str) -> int | None:
        """Count a password; None if it may be looked at, or how many seconds to wait."""
        user = digest_of(name)
        for limiter, key in (
            (self._by_address, address),
            (self._by_both, digest_of(user, address)),
            (self._by_user, user),
        ):
            verdict = await limiter.hit(key)
            if not verdict.allowed:
                return math.ceil(verdict.reset_after) + 1
        return None

    async def code(self, subject: str) -> int | None:
        """Count a one-time code; None if it may be looked at, or how many seconds to wait."""
        verdict = await self._codes.hit(digest_of(subject))
        return None if verdict.allowed else math.ceil(verdict.reset_after) + 1
