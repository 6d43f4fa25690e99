"""Tokens that carry a signature: JSON Web Tokens.

What a token says of itself is believed of one thing only: by which of the keys that we know for ourselves it is to be
checked. The algorithm must be one for which that key is good, so that a public key is never taken for a secret.
"""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final

import jwt
from pydantic_core import from_json

from mcp_server.oauth.access import Access
from mcp_server.oauth.resource.claims import Demands, Invalid
from mcp_server.oauth.resource.keysets import ALGORITHMS, KeySet
from mcp_server.protocol.messages import is_object

HS256: Final = "HS256"
_TYPES: Final = frozenset({"jwt", "at+jwt", "application/at+jwt"})
"""An issuer signs other things with the same keys, such as proofs and notices of logout."""

_JWS: Final = jwt.PyJWS()


@dataclass(frozen=True, slots=True)
class Unverified:
    """A token taken apart; nobody has said yet that it is genuine."""

    token: bytes
    algorithm: str
    kid: str | None
    claims: dict[str, Any]

    @property
    def issuer(self) -> str | None:
        """From whom it says it is."""
        issuer = self.claims.get("iss")
        return issuer if isinstance(issuer, str) else None


def taken_apart(token: bytes) -> Unverified | None:
    """A token as it presents itself; None if it is not a signed JSON Web Token.

    Raises:
        Invalid: It is one, of a kind that nobody is to present.
    """
    parts = token.split(b".")
    if len(parts) != 3:  # noqa: PLR2004 - header, claims, signature
        return None
    header, claims = _part(parts[0]), _part(parts[1])
    if header is None or claims is None:
        return None
    algorithm, kid = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or not (kid is None or isinstance(kid, str)):
        raise Invalid("its header is broken")
    if "crit" in header or str(header.get("typ", "JWT")).lower() not in _TYPES:
        raise Invalid("it is signed, but no access token (typ, crit)")
    return Unverified(token, algorithm, kid, claims)


class SignedByIssuer:
    """Verifies the tokens of one issuer with its public keys."""

    def __init__(self, issuer: str, keys: KeySet, demands: Demands, *, clock: Callable[[], float] = time.time) -> None:
        self._issuer = issuer
        self._keys = keys
        self._demands = demands
        self._clock = clock

    async def access(self, token: Unverified) -> Access:
        """What the token says; raises `Invalid` or `VerifierUnavailable`."""
        if token.algorithm not in ALGORITHMS:
            raise Invalid("it is signed in a way that is not accepted (alg)")
        if token.issuer != self._issuer:
            raise Invalid("it is from another issuer (iss)")
        # What can be seen without a key is looked at first: a stranger's token should cost an issuer nothing.
        access = self._demands.access(token.claims, self._clock(), issuer=self._issuer)
        keys = await self._keys.keys_for(token.algorithm, token.kid)
        if not any(_is_signed(token, key.key) for key in keys):
            raise Invalid("no key of its issuer has signed it")
        return access


class SignedWithSecret:
    """Verifies tokens that were signed with a secret which the operator's own programs share with us (HS256).

    Such a token must not name one of the other `issuers`: who knows the secret does not speak for them.
    """

    def __init__(
        self, secret: str, issuers: Collection[str], demands: Demands, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._secret = secret.encode()
        self._issuers = frozenset(issuers)
        self._demands = demands
        self._clock = clock

    async def access(self, token: Unverified) -> Access:
        """What the token says; raises `Invalid`."""
        if token.algorithm != HS256 or not _is_signed(token, self._secret):
            raise Invalid("it is not signed with MCP_JWT_SECRET")
        issuer = token.issuer or ""
        if issuer in self._issuers:
            raise Invalid("it is signed with MCP_JWT_SECRET in the name of somebody else (iss)")
        return self._demands.access(token.claims, self._clock(), issuer=issuer)


def _is_signed(token: Unverified, key: Any) -> bool:
    try:
        _JWS.decode_complete(token.token, key, algorithms=[token.algorithm])
    except (jwt.PyJWTError, ValueError, TypeError):
        return False
    return True


def _part(text: bytes) -> dict[str, Any] | None:
    """The JSON object in a part of a token."""
    try:
        found = from_json(base64.b64decode(text + b"=" * (-len(text) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        return None
    return found if is_object(found) else None
