"""Streams end with the token that opened them: when it expires, and when it is revoked.

A request is checked when it comes, and most are answered a moment later. A stream goes on, so its token is looked at
again: when it expires, and until then as often as a token is believed for other requests. One timer serves all streams,
tokens are asked about once for all streams that they opened, and where there are no streams there is nothing.

If nobody can tell whether a token is still valid, its streams go on until it expires: a new stream would be refused
meanwhile, but to end all of them because a store is away for a second would help nobody.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from starlette.types import Scope

from mcp_server.engine.calls import Principal
from mcp_server.guards.caller import caller_of
from mcp_server.guards.keyring import bearer_token
from mcp_server.oauth.access import VerifierUnavailable
from mcp_server.oauth.resource.chain import Chain
from mcp_server.oauth.resource.claims import LEEWAY, Invalid

SOONEST: Final = 1.0
"""How often a token is looked at if it is to be asked about for every request: a stream has no requests."""
_AT_ONCE: Final = 8
"""How many tokens are asked about at the same time."""
_A_MOMENT: Final = 0.01

logger = logging.getLogger("mcp_server.oauth")


@dataclass(slots=True)
class _Stay:
    """A token that has opened streams. It is kept as it is, since it is to be shown again; so does its request."""

    token: bytes
    every: float
    expires: float | None
    due: float
    ends: dict[Callable[[], None], None] = field(default_factory=dict[Callable[[], None], None])


class Stays:
    """Ends streams.

    Args:
        chain: Finds out what a token says.
        believed_for: For how many seconds other requests with a token of an issuer are believed.
    """

    def __init__(
        self, chain: Chain, believed_for: Callable[[str], float], *, clock: Callable[[], float] = time.time
    ) -> None:
        self._chain = chain
        self._believed_for = believed_for
        self._clock = clock
        self._stays: dict[bytes, _Stay] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._strikes = float("inf")
        self._looking: asyncio.Task[None] | None = None

    def hold(self, scope: Scope, end: Callable[[], None]) -> Callable[[], None]:
        """Have a stream ended with the token of its request; what is returned is called when it has ended by itself."""
        caller = caller_of(scope)
        bearer, token = caller.bearer, bearer_token(caller.headers.get(b"authorization", b""))
        if not isinstance(bearer, Principal) or token is None:
            return _nothing
        stay = self._stays.get(token)
        if stay is None:
            every = max(SOONEST, self._believed_for(bearer.issuer))
            stay = self._stays[token] = _Stay(token, every, bearer.expires, self._clock())
            # Soon for the first time: it may have been believed for its request without being asked about.
            self._put_off(stay, SOONEST)
            self._set_timer(stay.due)
        stay.ends[end] = None
        return partial(self._release, token, end)

    async def close(self) -> None:
        """Look at nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
        if self._looking is not None:
            self._looking.cancel()

    def _release(self, token: bytes, end: Callable[[], None]) -> None:
        stay = self._stays.get(token)
        if stay is None:
            return
        stay.ends.pop(end, None)
        if not stay.ends:
            del self._stays[token]
        if not self._stays and self._timer is not None:
            self._timer.cancel()
            self._timer, self._strikes = None, float("inf")

    def _put_off(self, stay: _Stay, seconds: float) -> None:
        """Look at a token again after so long: also when it expires, by its own clock and by a lenient one."""
        now = self._clock()
        expiry = [] if stay.expires is None else [stay.expires, stay.expires + LEEWAY]
        stay.due = min([now + seconds, *(moment for moment in expiry if moment > now)])

    def _set_timer(self, due: float) -> None:
        if due >= self._strikes or self._looking is not None:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._strikes = due
        self._timer = asyncio.get_running_loop().call_later(max(_A_MOMENT, due - self._clock()), self._strike)

    def _strike(self) -> None:
        self._timer, self._strikes = None, float("inf")
        self._looking = asyncio.create_task(self._look())

    async def _look(self) -> None:
        """Look at all tokens for which it is time."""
        now = self._clock()
        due = iter([stay for stay in self._stays.values() if stay.due <= now])
        try:
            await asyncio.gather(*(self._ask(due) for _ in range(_AT_ONCE)))
        finally:
            self._looking = None
            if self._stays:
                self._set_timer(min(stay.due for stay in self._stays.values()))

    async def _ask(self, due: Iterator[_Stay]) -> None:
        for stay in due:
            self._put_off(stay, stay.every)
            try:
                access = await self._chain.access(stay.token, anew=True)
            except Invalid as reason:
                self._end(stay, str(reason))
            except Exception as error:
                if not isinstance(error, VerifierUnavailable):
                    logger.exception("Whether the token of a stream is still valid could not be found out")
                if stay.expires is not None and self._clock() >= stay.expires + LEEWAY:
                    self._end(stay, "it has expired")
            else:
                stay.expires = access.expires
                self._put_off(stay, stay.every)

    def _end(self, stay: _Stay, why: str) -> None:
        if self._stays.get(stay.token) is stay:
            del self._stays[stay.token]
        if stay.ends:
            logger.info("OAUTH streams have ended with their token (%d): %s", len(stay.ends), why)
        for end in stay.ends:
            asyncio.get_running_loop().call_soon(end)  # each for itself: none is to keep the others from ending


def _nothing() -> None: ...
