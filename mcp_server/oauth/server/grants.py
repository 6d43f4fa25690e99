"""Grants in our store: the ledger that this server has by itself, and what its pages may do.

Each change of a grant is read, worked out (`grant`) and swapped; if somebody else was faster, again from the start.

What a kill leaves behind, between any two statements:

- `begin`: one `put`. Before it nothing has happened, after it the person can decide.
- `allow`: the pending request is taken, then the grant is put. Between the two neither is there: the person starts
  again. Two who allow the same request at once are one who takes it and one who finds nothing.
- `redeem`, `refresh`: one `swap`. If the answer does not arrive, a refresh token works again in its grace; a code does
  not, and the person starts again.
- `end`: one `delete`, with which every token of the grant is gone.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, Final

from pydantic_core import from_json, to_json

from mcp_server.oauth.access import Access
from mcp_server.oauth.approvals import NotPending, Pending, Person
from mcp_server.oauth.server.client import REFRESH, Client
from mcp_server.oauth.server.faults import Fault, unavailable
from mcp_server.oauth.server.grant import AccessToken, Code, Grant, read, written
from mcp_server.oauth.server.handles import digest, is_handout, key_of, new_handout, new_place
from mcp_server.oauth.server.ledger import Proof, Request, Tokens
from mcp_server.oauth.server.options import ServerOptions
from mcp_server.oauth.server.redirects import with_answer
from mcp_server.observe.cleaning import clean
from mcp_server.stores import Record, Store
from mcp_server.stores.rules import Clock

logger = logging.getLogger("mcp_server.oauth")

KIND: Final = "oauth-grant"
PENDING: Final = "oauth-pending"

_TRIES: Final = 64
"""How often a change may lose against others; each loss is somebody else's success."""
_CACHED: Final = 10_000


@dataclass(frozen=True, slots=True)
class _Cached:
    """A grant as the store had it at `since`, or a little later."""

    grant: Grant
    since: float


class Grants:
    """A `Ledger` and an `Approvals` on a store.

    Args:
        store: Where grants and pending requests are kept; opened and closed by somebody else.
        options: How long things last.
        page: Gives the address of the page that asks a person, from the id of a pending request.
        clock: What time it is.
    """

    serves = True

    def __init__(self, store: Store, options: ServerOptions, page: Callable[[str], str], clock: Clock) -> None:
        self._store = store
        self._options = options
        self._page = page
        self._clock = clock
        self._cache: OrderedDict[str, _Cached] = OrderedDict()
        self._ends = 0

    # Asking a person

    async def begin(self, client: Client, request: Request) -> str:
        """Keep a request until a person decides."""
        identity = new_handout(new_place())
        value = to_json({"client": _shown(client), "request": request, "expires": self._clock() + self._pending})
        await self._store.put(PENDING, digest(identity), value, lifetime=self._pending)
        return self._page(identity)

    async def pending(self, id: str) -> Pending:  # noqa: A002 - it is one
        """Look at a request."""
        return _pending(id, await self._store.get(PENDING, digest(id)))

    async def allow(self, id: str, person: Person, scopes: tuple[str, ...] | None = None) -> str:  # noqa: A002
        """The person agrees: the request becomes a grant with a code."""
        if scopes is not None and not set(scopes) <= set((await self.pending(id)).scopes):
            raise ValueError("Nobody can allow more than was asked for.")
        record = await self._store.take(PENDING, digest(id))
        pending, request = _pending(id, record), _request(record)
        now, code = self._clock(), new_handout(new_place())
        grant = Grant(
            client=pending.client_id,
            client_name=pending.client_name,
            subject=person.subject,
            name=person.name,
            scopes=pending.scopes if scopes is None else tuple(each for each in pending.scopes if each in scopes),
            resource=pending.resource,
            made=now,
            code=Code(
                digest(code),
                request.challenge,
                request.redirect_uri,
                request.redirect_named,
                now + self._options.code_lifetime,
            ),
        )
        lifetime = self._options.code_lifetime
        await self._store.put(KIND, key_of(code), written(grant), lifetime=lifetime, owner=person.subject)
        logger.info("OAUTH %s has allowed client %s", clean(person.subject), clean(pending.client_id))
        return with_answer(request.redirect_uri, code=code, state=request.state, iss=self._options.issuer)

    async def refuse(self, id: str) -> str:  # noqa: A002 - it is one
        """The person does not agree."""
        record = await self._store.take(PENDING, digest(id))
        pending, request = _pending(id, record), _request(record)
        logger.info("OAUTH client %s was refused", clean(pending.client_id))
        return with_answer(
            request.redirect_uri,
            error="access_denied",
            error_description="The person did not agree.",
            state=request.state,
            iss=self._options.issuer,
        )

    @property
    def _pending(self) -> float:
        return self._options.pending_lifetime

    # Tokens

    async def redeem(self, client: Client, code: str, proof: Proof) -> Tokens:
        """Give tokens for a code, once; a code that somebody tries in vain is used up as well."""
        for _ in range(_TRIES):
            record = await self._record(code)
            grant = None if record is None else read(record.value)
            if record is None or grant is None or grant.code is None or not grant.is_code(code):
                raise _no_code()
            fault = _no_code() if grant.code.used else self._fault_in(grant, grant.code, client, proof)
            if fault is not None:
                why = "was used again" if grant.code.used else "was not proved"
                logger.warning("OAUTH a code of client %s %s; its grant has ended", clean(grant.client), why)
                await self._end(record.key)
                raise fault
            now, lifetime = self._clock(), self._options.access_lifetime
            after, access, refresh = grant.redeemed(code, now, lifetime, refreshes=REFRESH in client.grants)
            lasts = self._options.refresh_lifetime if refresh else lifetime
            if await self._store.swap(KIND, record.key, record.value, written(after), lifetime=lasts):
                return Tokens(access, lifetime, after.scopes, refresh)
        raise unavailable()

    async def refresh(self, client: Client, token: str, scopes: tuple[str, ...] | None, resource: str | None) -> Tokens:
        """Give new tokens for a refresh token; one that was used long ago ends the grant."""
        options = self._options
        for _ in range(_TRIES):
            record = await self._record(token)
            grant = None if record is None else read(record.value)
            if record is None or grant is None or not grant.is_refresh(token) or grant.client != client.id:
                raise _no_refresh()
            now = self._clock()
            if not grant.refreshable(token, now, options.refresh_grace):
                logger.warning(
                    "OAUTH a refresh token of client %s was used again; its grant has ended", clean(client.id)
                )
                await self._end(record.key)
                raise _no_refresh()
            if resource is not None and resource != grant.resource:
                raise Fault("invalid_target", "The token is for another resource.")
            if scopes is not None and not set(scopes) <= set(grant.scopes):
                raise Fault("invalid_scope", "The person has not allowed that.")
            if grant.is_crowded(now, options.refresh_grace):
                raise unavailable()
            given = grant.scopes if scopes is None else scopes
            after, access, new = grant.refreshed(token, given, now, options.refresh_grace, options.access_lifetime)
            if await self._swap(record, after, options.refresh_lifetime):
                return Tokens(access, options.access_lifetime, given, new)
        raise unavailable()

    async def serve(self, client: Client, scopes: tuple[str, ...], resource: str) -> Tokens:
        """Give a token to a client that asks in its own name."""
        now, place, lifetime = self._clock(), new_place(), self._options.access_lifetime
        subject = f"client:{client.id}"
        grant = Grant(client.id, client.name, subject, client.name, scopes, resource, made=now)
        grant, token = grant.with_access(place, scopes, now, lifetime)
        await self._store.put(KIND, key_of(token), written(grant), lifetime=lifetime, owner=subject)
        return Tokens(token, lifetime, scopes)

    async def access(self, token: str) -> Access | None:
        """What an access token says, as of `revocation_delay` seconds ago at most."""
        if not is_handout(token):
            return None
        key, now = key_of(token), self._clock()
        cached = self._cache.get(key)
        if cached is not None and self._is_fresh(cached, now) and (found := cached.grant.good(token, now)) is not None:
            return self._said(cached.grant, found)
        ends = self._ends
        record = await self._store.get(KIND, key)
        if record is None:
            self._cache.pop(key, None)
            return None
        grant = read(record.value)
        found = grant.good(token, now)
        # Not if a grant was ended while the store was asked: it may have been this one.
        if found is not None and ends == self._ends:
            self._remember(key, grant, now)
        return None if found is None else self._said(grant, found)

    async def look(self, token: str) -> Access | None:
        """What a token says at this moment, refresh tokens included."""
        record = await self._record(token)
        if record is None:
            return None
        grant, now = read(record.value), self._clock()
        found = grant.good(token, now)
        if found is None and grant.is_refresh(token) and grant.refreshable(token, now, self._options.refresh_grace):
            found = AccessToken("", record.expires or now, grant.scopes)
        return None if found is None else self._said(grant, found)

    async def end(self, client: Client, token: str) -> None:
        """End the grant to which a token of this client belongs."""
        record = await self._record(token)
        if record is None:
            return
        grant = read(record.value)
        if grant.client == client.id and (grant.is_refresh(token) or grant.good(token, self._clock()) is not None):
            await self._end(record.key)
            logger.info("OAUTH client %s has ended a grant of %s", clean(client.id), clean(grant.subject))

    def _fault_in(self, grant: Grant, code: Code, client: Client, proof: Proof) -> Fault | None:
        """Why a code may not be redeemed so."""
        if grant.client != client.id or self._clock() >= code.expires:
            return _no_code()
        if proof.redirect_uri != code.redirect_uri and (code.redirect_named or proof.redirect_uri is not None):
            return Fault("invalid_grant", "redirect_uri is another one than in the authorization request.")
        if not hmac.compare_digest(challenge_of(proof.verifier), code.challenge):
            return Fault("invalid_grant", "code_verifier does not fit code_challenge.")
        if proof.resource is not None and proof.resource != grant.resource:
            return Fault("invalid_target", "The code is for another resource.")
        return None

    async def _record(self, token: str) -> Record | None:
        return await self._store.get(KIND, key_of(token)) if is_handout(token) else None

    async def _swap(self, record: Record, after: Grant, lifetime: float) -> bool:
        return await self._store.swap(KIND, record.key, record.value, written(after), lifetime=lifetime)

    async def _end(self, key: str) -> None:
        await self._store.delete(KIND, key)
        self._ends += 1
        self._cache.pop(key, None)

    def _remember(self, key: str, grant: Grant, now: float) -> None:
        if self._options.revocation_delay <= 0:
            return
        self._make_room(self._clock())
        self._cache[key] = _Cached(grant, now)
        self._cache.move_to_end(key)

    def _make_room(self, now: float) -> None:
        """Forget what is too old, and the oldest if there is too much; the oldest stand in front."""
        while self._cache:
            oldest = next(iter(self._cache.values()))
            if len(self._cache) < _CACHED and self._is_fresh(oldest, now):
                break
            self._cache.popitem(last=False)

    def _is_fresh(self, cached: _Cached, now: float) -> bool:
        # Before `since` lies what a clock says that was set back: then nothing is believed.
        return 0 <= now - cached.since < self._options.revocation_delay

    def _said(self, grant: Grant, token: AccessToken) -> Access:
        claims: dict[str, Any] = {"aud": grant.resource, "iat": int(grant.made)}
        if grant.name:
            claims["name"] = grant.name
        return Access(
            subject=grant.subject,
            client=grant.client,
            scopes=frozenset(token.scopes),
            issuer=self._options.issuer,
            expires=token.expires,
            claims=claims,
        )


async def end_grants(store: Store, *, subject: str | None = None, client: str | None = None) -> int:
    """End the grants of a person, of a client, or of both together; gives how many there were."""
    ended = 0
    async for record, grant in listed(store, subject=subject):
        if client is None or grant.client == client:
            ended += await store.delete(KIND, record.key)
    return ended


async def listed(store: Store, *, subject: str | None = None) -> AsyncIterator[tuple[Record, Grant]]:
    """The grants in a store."""
    after = ""
    while records := await store.find(KIND, owner=subject, after=after):
        for record in records:
            yield record, read(record.value)
        after = records[-1].key


def challenge_of(verifier: str) -> str:
    """The S256 challenge that belongs to a verifier (RFC 7636)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _shown(client: Client) -> dict[str, Any]:
    return {"id": client.id, "name": client.name, "uri": client.uri, "known_by": client.known_by}


def _pending(identity: str, record: Record | None) -> Pending:
    if record is None:
        raise NotPending
    said: dict[str, Any] = from_json(record.value)
    client, request = said["client"], _request(record)
    return Pending(
        id=identity,
        client_id=client["id"],
        client_name=client["name"],
        client_uri=client["uri"],
        known_by=client["known_by"],
        redirect_uri=request.redirect_uri,
        scopes=request.scopes,
        resource=request.resource,
        expires=said["expires"],
    )


def _request(record: Record | None) -> Request:
    if record is None:
        raise NotPending
    said: dict[str, Any] = from_json(record.value)["request"]
    said["scopes"] = tuple(said["scopes"])
    return Request(**said)


def _no_code() -> Fault:
    return Fault("invalid_grant", "The code is not valid, has been used, or is too old.")


def _no_refresh() -> Fault:
    return Fault("invalid_grant", "The refresh token is not valid, has been used, or is too old.")
