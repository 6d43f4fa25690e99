"""Which verifier a token is for, by its shape and by the issuer that it names; no token is shown to two issuers."""

from __future__ import annotations

from collections.abc import Mapping

from mcp_server.oauth.access import Access, TokenVerifier
from mcp_server.oauth.resource.claims import Invalid
from mcp_server.oauth.resource.introspection import Introspection
from mcp_server.oauth.resource.signed import HS256, SignedByIssuer, SignedWithSecret, Unverified, taken_apart


class Chain:
    """Verifies tokens of every kind that was configured.

    Args:
        issuers: For tokens that are signed by somebody else.
        secret: For tokens that are signed by the operator's own programs.
        own: For tokens that this server has issued itself. It is asked about all that is left.
        introspection: For tokens that nobody else knows and that are not signed.
    """

    def __init__(
        self,
        issuers: Mapping[str, SignedByIssuer],
        secret: SignedWithSecret | None = None,
        own: TokenVerifier | None = None,
        introspection: Introspection | None = None,
    ) -> None:
        self._issuers = issuers
        self._secret = secret
        self._own = own
        self._introspection = introspection

    async def access(self, token: bytes, *, anew: bool = False) -> Access:
        """What a valid token says; with `anew`, as of this moment, whatever a verifier remembers.

        Raises:
            Invalid: It is not valid.
            VerifierUnavailable: It cannot be found out.
        """
        signed = taken_apart(token)
        if signed is not None:
            if signed.algorithm == HS256 and self._secret is not None:
                return await self._secret.access(signed)
            verifier = self._issuers.get(signed.issuer or "")
            if verifier is not None:
                return await verifier.access(signed)
        return await self._unsigned(token, signed, anew=anew)

    async def _unsigned(self, token: bytes, signed: Unverified | None, *, anew: bool) -> Access:
        if self._own is not None:
            access = await self._own.verify(token.decode("ascii"), anew=anew)
            if access is not None:
                return access
        if self._introspection is not None and signed is None:
            return await self._introspection.access(token)
        raise Invalid("it is from another issuer (iss)" if signed else "nobody here knows it")
