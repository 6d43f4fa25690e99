"""A client proves who it is by what it has signed (`private_key_jwt`, RFC 7523).

Only signatures by a private key count: with `HS256` the public key would be the secret. An assertion is good once, for
this server, and for a few minutes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import jwt

from mcp_server.oauth.server.faults import invalid_client
from mcp_server.oauth.server.handles import digest
from mcp_server.stores import Store
from mcp_server.stores.rules import Clock

KIND: Final = "oauth-assertion"
BEARER: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")

_LONGEST: Final = 3600
"""Seconds that an assertion may have before it: what was made to last is a secret that lies about."""
_LEEWAY: Final = 30


class Assertions:
    """Checks assertions.

    Args:
        store: Remembers which ones have been used.
        audiences: What this server is called in them.
        clock: What time it is.
    """

    def __init__(self, store: Store, audiences: Sequence[str], clock: Clock) -> None:
        self._store = store
        self._audiences = frozenset(audiences)
        self._clock = clock

    async def check(self, assertion: str, client_id: str, keys: Sequence[Mapping[str, Any]]) -> None:
        """Accept an assertion of a client, once.

        Raises:
            Fault: It is not one, or has been used.
        """
        claims = _signed(assertion, keys)
        now = self._clock()
        expires = claims.get("exp")
        if not isinstance(expires, int | float) or not now - _LEEWAY < expires <= now + _LONGEST + _LEEWAY:
            raise invalid_client("The assertion has no exp within the next hour.")
        begins = claims.get("nbf", 0)
        if not isinstance(begins, int | float) or not begins <= now + _LEEWAY:
            raise invalid_client("The assertion is not valid yet.")
        if claims.get("iss") != client_id or claims.get("sub") != client_id:
            raise invalid_client("iss and sub of the assertion have to be the client's id.")
        audience = claims.get("aud")
        named = cast("list[Any]", audience) if isinstance(audience, list) else [audience]
        if self._audiences.isdisjoint(each for each in named if isinstance(each, str)):
            raise invalid_client("aud of the assertion has to be the issuer.")
        # By jti where there is one, else by what is signed: a signature can be written in more than one way.
        signed = assertion.rpartition(".")[0]
        once = digest(f"{client_id}\n{claims['jti']}" if isinstance(claims.get("jti"), str) else signed)
        if not await self._store.add(KIND, once, b"", lifetime=expires + _LEEWAY - now):
            raise invalid_client("The assertion has been used before.")


def client_named_in(assertion: str) -> str | None:
    """Who an assertion says it is from; nothing is checked yet."""
    try:
        claims: Mapping[str, Any] = jwt.decode(assertion, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        return None
    found = claims.get("sub")
    return found if isinstance(found, str) else None


def _signed(assertion: str, keys: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """What is signed by one of the keys."""
    try:
        header = jwt.get_unverified_header(assertion)
    except jwt.InvalidTokenError:
        raise invalid_client("The assertion cannot be read.") from None
    algorithm, named = header.get("alg"), header.get("kid")
    if algorithm not in ALGORITHMS:
        raise invalid_client("The assertion is not signed in a way that this server supports.")
    for key in keys:
        if named is not None and key.get("kid") is not None and key["kid"] != named:
            continue
        try:
            public = jwt.PyJWK(dict(key), algorithm=key.get("alg") or algorithm)
            return jwt.decode(
                assertion,
                public,
                algorithms=[algorithm],
                # Times and names are compared by us: with our clock, and without exceptions.
                options={
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                    "verify_aud": False,
                    "verify_iss": False,
                    "verify_sub": False,
                    "verify_jti": False,
                },
            )
        except (jwt.PyJWTError, ValueError, TypeError, KeyError, NotImplementedError):
            continue  # the next key may be the one
    raise invalid_client("The assertion is not signed by a key of the client.")
