"""Who is signed in, and who has agreed to what before: records in the store. Knows nothing of HTTP.

A session is known by a random value, of which only the browser has more than the digest. It ends at its time, however
busy it was, when its person signs out, and when their account is changed.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Iterable
from typing import Final

from mcp_server.oauth.approvals import Pending, Person
from mcp_server.stores.rules import Clock
from mcp_server.stores.store import Store

SESSION: Final = "login-session"
CONSENT: Final = "login-consent"
_PAGE: Final = 100


def new_id() -> str:
    """A value that nobody guesses: 256 random bits."""
    return secrets.token_urlsafe(32)


def digest_of(*parts: str) -> str:
    """Under which key something is stored that the store must not know."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


class Sessions:
    """The sessions of one way to sign in; those of another are none."""

    def __init__(self, store: Store, way: str, lifetime: int, *, clock: Clock = time.time) -> None:
        self._store = store
        self._way = way
        self._lifetime = lifetime
        self._clock = clock

    async def open(self, person: Person) -> str:
        """Begin a session, always with an id that nobody has seen before."""
        identity = new_id()
        until = self._clock() + self._lifetime
        value = json.dumps({"way": self._way, "name": person.name, "subject": person.subject, "until": until})
        await self._store.put(
            SESSION, digest_of(identity), value.encode(), lifetime=self._lifetime, owner=owner_of(person.subject)
        )
        return identity

    async def person(self, identity: str) -> Person | None:
        """Whose session it is, if it is one."""
        record = await self._store.get(SESSION, digest_of(identity))
        if record is None:
            return None
        kept = json.loads(record.value)
        if kept["way"] != self._way or kept["until"] <= self._clock():
            return None
        return Person(kept["subject"], kept["name"])

    async def close(self, identity: str) -> None:
        """End a session."""
        await self._store.delete(SESSION, digest_of(identity))


class Consents:
    """What people have asked not to be asked again."""

    def __init__(self, store: Store, lifetime: int) -> None:
        self._store = store
        self._lifetime = lifetime

    async def remember(self, pending: Pending, person: Person) -> None:
        """Keep that a person has agreed."""
        value = json.dumps({"client": pending.client_id, "scopes": sorted(pending.scopes)}).encode()
        await self._store.put(
            CONSENT, _about(pending, person), value, lifetime=self._lifetime, owner=owner_of(person.subject)
        )

    async def covers(self, pending: Pending, person: Person) -> bool:
        """Whether they have agreed to this before: the same client, address and resource, and no further scope."""
        record = await self._store.get(CONSENT, _about(pending, person))
        return record is not None and set(pending.scopes) <= set(json.loads(record.value)["scopes"])


async def forget(store: Store, subject: str, kinds: Iterable[str] = (SESSION, CONSENT)) -> int:
    """End all sessions of somebody, and forget what they have agreed to; says how many records that were."""
    gone = 0
    for kind in kinds:
        while page := await store.find(kind, owner=owner_of(subject), limit=_PAGE):
            gone += sum([await store.delete(kind, record.key) for record in page])
    return gone


def owner_of(subject: str) -> str:
    """The owner of a person's records; a subject that is too long for a store is its digest."""
    return subject if len(subject.encode()) <= 500 else digest_of(subject)  # noqa: PLR2004 - half of what a store takes


def _about(pending: Pending, person: Person) -> str:
    return digest_of(person.subject, pending.client_id, pending.redirect_uri, pending.resource)
