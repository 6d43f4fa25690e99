"""The door: what the key guard asks about tokens, and what it says to those who stay outside.

A token that was found to be valid is believed for a while, so that a request costs one hash and one look. What is
remembered is the hash of the token and whom it names, never the token. The while is a setting, begins when the token is
asked about and is never longer than it lasts; for so long may a revocation go unnoticed. What was found not to be valid
is not remembered. Where the verifier itself remembers, it is asked each time, and for each caller anew: nobody gets an
answer that was under way before a revocation. That the token was valid a moment ago still counts for limits.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from pydantic_core import to_json
from starlette.types import Scope

from mcp_server.engine.calls import Principal
from mcp_server.engine.scopes import Hierarchy
from mcp_server.guards.caller import Caller, caller_of
from mcp_server.guards.keyring import bearer_token
from mcp_server.guards.refusals import UNDECIDED, Refusal, lacking_scope, unauthorized
from mcp_server.oauth.access import Access, VerifierUnavailable
from mcp_server.oauth.resource.addresses import FACES, Addresses, face_of, metadata_url
from mcp_server.oauth.resource.chain import Chain
from mcp_server.oauth.resource.claims import LEEWAY, Invalid

LONGEST_TOKEN: Final = 16 * 1024
_MOST_REMEMBERED: Final = 10_000

logger = logging.getLogger("mcp_server.oauth")


class Challenges:
    """What a client is told that is refused: where to sign in, and for which scopes to ask.

    Without `signs_in` there is no place to be sent to: the tokens come from programs of the operator's.
    """

    def __init__(
        self, addresses: Addresses, scopes: Sequence[str], required: Iterable[str], words: str, *, signs_in: bool
    ) -> None:
        self._addresses = addresses
        self._required = frozenset(required)
        self._signs_in = signs_in
        places = [(base, face) for base in addresses.bases for face in FACES]
        asked = [f'scope="{" ".join(scopes)}"'] if scopes else []
        parameters = {place: ", ".join([*self._place(*place), *asked]) for place in places}
        self._missing = {place: unauthorized(challenge=text, detail=words) for place, text in parameters.items()}
        self._invalid = {
            place: unauthorized(error="invalid_token", challenge=text, detail=words)
            for place, text in parameters.items()
        }
        self._lacking = {place: lacking_scope(self._needs(place, ())) for place in places}

    def missing(self, scope: Scope) -> Refusal:
        """The 401 for who sends nothing."""
        return self._missing[self._reached(scope)]

    def invalid(self, scope: Scope) -> Refusal:
        """The 401 for who sends what is not valid."""
        return self._invalid[self._reached(scope)]

    def lacking(self, scope: Scope) -> Refusal:
        """The 403 for who sends a token without the scopes that all of them need."""
        return self._lacking[self._reached(scope)]

    def headers(self, scope: Scope, needed: Sequence[str]) -> list[tuple[bytes, bytes]]:
        """What goes with a 403 for an operation that needs these scopes."""
        challenge = f'Bearer error="insufficient_scope", {self._needs(self._reached(scope), needed)}'
        return [(b"www-authenticate", challenge.encode("ascii"))]

    def _needs(self, place: tuple[str, str], needed: Sequence[str]) -> str:
        scopes = " ".join(sorted({*self._required, *needed}))
        return ", ".join([f'scope="{scopes}"', *self._place(*place)])

    def _place(self, base: str, face: str) -> list[str]:
        return [f'resource_metadata="{metadata_url(base, face)}"'] if self._signs_in else []

    def _reached(self, scope: Scope) -> tuple[str, str]:
        return self._addresses.base(scope), face_of(scope)


class Door:
    """Lets in whose token is valid; see `guards.keys.Tokens`.

    Args:
        chain: Finds out what a token says.
        challenges: What is said to those who stay outside.
        required: Scopes that every token needs.
        hierarchy: Which scopes imply which.
        remembered_for: How long a valid token is believed, in seconds.
    """

    def __init__(
        self,
        chain: Chain,
        challenges: Challenges,
        *,
        required: Iterable[str] = (),
        hierarchy: Hierarchy | None = None,
        remembered_for: float = 30.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._chain = chain
        self._challenges = challenges
        self._required = frozenset(required)
        self._hierarchy = hierarchy or Hierarchy()
        self._remembered_for = remembered_for
        self._clock = clock
        self._remembered: OrderedDict[bytes, _Remembered] = OrderedDict()

    def recall(self, caller: Caller) -> bool:
        """Whether the token of a request was found to be valid a moment ago."""
        sent = caller.headers.get(b"authorization", b"")
        token = bearer_token(sent) if len(sent) <= LONGEST_TOKEN else None
        known = None if token is None else self._known(hashlib.sha256(token).digest())
        if known is None:
            return False
        if known.believed:
            caller.bearer = known.principal
        return self._hierarchy.allow(known.principal, self._required)

    async def admit(self, token: bytes, scope: Scope) -> Refusal | None:
        """Let the bearer of a token in, or say how to refuse them."""
        caller = caller_of(scope)
        principal = caller.bearer
        if not isinstance(principal, Principal):
            try:
                principal = await self._principal(token)
            except Invalid as reason:
                caller.fault = str(reason)
                return self._challenges.invalid(scope)
            except VerifierUnavailable as reason:
                logger.error("A token cannot be checked: %s", reason)  # noqa: TRY400 - the reason says it all
                return UNDECIDED
        if not self._hierarchy.allow(principal, self._required):
            caller.bearer = None
            caller.fault = "it lacks a scope that every token needs"
            return self._challenges.lacking(scope)
        caller.bearer = principal
        return None

    def missing(self, scope: Scope) -> Refusal:
        """How to refuse whoever sends no token."""
        return self._challenges.missing(scope)

    def unreadable(self, scope: Scope) -> Refusal:
        """How to refuse whoever sends something that is no token."""
        caller_of(scope).fault = "it is no bearer token"
        return self._challenges.invalid(scope)

    async def _principal(self, token: bytes) -> Principal:
        if len(token) > LONGEST_TOKEN:
            raise Invalid("it is too long")
        digest = hashlib.sha256(token).digest()
        known = self._known(digest)
        if known is not None and known.believed:
            return known.principal
        return await self._found(token, digest)

    async def _found(self, token: bytes, digest: bytes) -> Principal:
        since = self._clock()
        try:
            access = await self._chain.access(token)
        except Invalid:
            self._remembered.pop(digest, None)
            raise
        principal = principal_of(access)
        until = since + self._remembered_for
        if access.expires is not None:
            until = min(until, access.expires + LEEWAY)
        self._make_room()
        self._remembered[digest] = _Remembered(since, until, principal, believed=not access.remembered)
        self._remembered.move_to_end(digest)
        return principal

    def _make_room(self) -> None:
        """Forget what is over, and the oldest if there is too much; the oldest stand in front."""
        while self._remembered:
            oldest = next(iter(self._remembered.values()))
            if len(self._remembered) < _MOST_REMEMBERED and not self._is_over(oldest):
                break
            self._remembered.popitem(last=False)

    def _known(self, digest: bytes) -> _Remembered | None:
        found = self._remembered.get(digest)
        if found is None:
            return None
        if not self._is_over(found):
            return found
        del self._remembered[digest]
        return None

    def _is_over(self, known: _Remembered) -> bool:
        # A clock that was set back makes nobody be believed for longer than about twice the while.
        return not known.since <= self._clock() < known.until


@dataclass(frozen=True, slots=True)
class _Remembered:
    """A token that was found to be valid, and from when until when that counts."""

    since: float
    until: float
    principal: Principal
    believed: bool
    """Whether the verifier need not be asked again."""


def principal_of(access: Access) -> Principal:
    """Whoever a token names: the same name for every token of one person at one program, and for no other."""
    said = to_json([access.issuer, access.subject, access.client])
    name = hashlib.sha256(b"mcp-server bearer\0" + said).hexdigest()[:32]
    return Principal(name, access.scopes, access.subject, access.client, access.issuer, access.claims, access.expires)
