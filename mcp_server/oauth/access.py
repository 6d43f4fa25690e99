"""What a valid token says, and who can tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Access:
    """What the bearer of a token may do. It holds no token."""

    subject: str
    """The person or the machine for whom the token was issued."""
    client: str
    """The program that was given the token."""
    scopes: frozenset[str] = frozenset()
    issuer: str = ""
    expires: float | None = None
    """Seconds since the epoch."""
    claims: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What else the issuer says, such as a name; for tools, never for decisions of this package."""
    remembered: bool = False
    """Whether the verifier remembers what it has found, and hears of revocations; then nobody else should."""


class VerifierUnavailable(Exception):  # noqa: N818 - it is what has happened
    """Nobody can tell at the moment whether a token is valid; the request fails with 503, it does not pass."""


class TokenVerifier(Protocol):
    """Tells what a token is good for at this server."""

    async def verify(self, token: str, *, anew: bool = False) -> Access | None:
        """Give what a valid token says: signature, issuer, audience and times are checked. None for every other.

        With `anew`, nothing that is remembered counts.

        Raises:
            VerifierUnavailable: It cannot be found out.
        """
        ...
