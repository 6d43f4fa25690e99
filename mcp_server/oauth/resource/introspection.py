"""Tokens that say nothing to us: their issuer is asked about each (RFC 7662).

Whoever comes with a token while its issuer is being asked waits for that answer.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from typing import Final
from urllib.parse import quote_plus

from mcp_server.oauth.access import Access, VerifierUnavailable
from mcp_server.oauth.resource.claims import Demands, Invalid
from mcp_server.oauth.resource.fetching import Fetcher, FetchFailed
from mcp_server.oauth.resource.flights import Flights

_AT_ONCE: Final = 20
"""How many questions one issuer is asked at once; the others wait, and not for long."""
_QUEUEING: Final = 2.0


class Introspection:
    """Asks one issuer, under the name that it gave to this server."""

    def __init__(
        self,
        issuer: str,
        url: str,
        identity: tuple[str, str],
        demands: Demands,
        fetcher: Fetcher,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._issuer = issuer
        self._url = url
        self._identity = (quote_plus(identity[0]), quote_plus(identity[1]))  # RFC 6749, 2.3.1
        self._demands = demands
        self._fetcher = fetcher
        self._clock = clock
        self._seats = asyncio.Semaphore(_AT_ONCE)
        self._flights: Flights[Access] = Flights()

    async def access(self, token: bytes) -> Access:
        """What the issuer says of a token; raises `Invalid` or `VerifierUnavailable`."""
        return await self._flights.join(hashlib.sha256(token).digest(), lambda: self._said_of(token))

    async def _said_of(self, token: bytes) -> Access:
        form = {"token": token.decode("ascii"), "token_type_hint": "access_token"}
        try:
            async with asyncio.timeout(_QUEUEING):
                await self._seats.acquire()
        except TimeoutError:
            raise VerifierUnavailable("too many tokens have to be asked about at once") from None
        try:
            claims = (await self._fetcher.post(self._url, form, self._identity)).content
        except FetchFailed as error:
            raise VerifierUnavailable(f"{self._url}: {error}") from error
        finally:
            self._seats.release()
        if claims.get("active") is not True:
            raise Invalid("its issuer does not know it, or does not want it any more")
        if claims.get("iss", self._issuer) != self._issuer:
            raise Invalid("it is from another issuer (iss)")
        if str(claims.get("token_type", "bearer")).lower() not in {"bearer", "access_token"}:
            raise Invalid("it is no bearer token (token_type)")
        return self._demands.access(claims, self._clock(), issuer=self._issuer, lasting=True)
