"""Clients in the store: those that have registered themselves, and those that an operator has added by command.

A registration that nobody signs in with ends after a day, one that is in use a long time after its last use. So what
strangers can leave here is bounded: by what may be registered in a day.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any, Final

from pydantic_core import from_json, to_json

from mcp_server.oauth.server.client import SECRET_METHODS, Client
from mcp_server.oauth.server.handles import digest
from mcp_server.oauth.server.options import ServerOptions
from mcp_server.stores import Record, Store
from mcp_server.stores.rules import Clock

KIND: Final = "oauth-client"
OPERATOR: Final = "operator"
"""The owner of what an operator has added."""
ANYBODY: Final = "registration"

_DAY: Final = 86_400
_LONGEST_ID: Final = 128


class Registrations:
    """The clients in a store."""

    def __init__(self, store: Store, options: ServerOptions, clock: Clock) -> None:
        self._store = store
        self._options = options
        self._clock = clock

    async def register(self, client: Client) -> tuple[Client, str | None]:
        """Give a client an id, and a secret if it will use one."""
        secret = secrets.token_urlsafe(32) if client.method in SECRET_METHODS else None
        client = replace(client, id=secrets.token_hex(16), secret=digest(secret) if secret else None)
        value = _written(client, used=None)
        await self._store.put(KIND, client.id, value, lifetime=self._options.unused_lifetime, owner=ANYBODY)
        return client, secret

    async def find(self, identity: str) -> Client | None:
        """The client with this id."""
        record = await self._record(identity)
        return None if record is None else read(record)

    async def used(self, client: Client) -> None:
        """Have a registration last on, because somebody has signed in with it; written at most once a day.

        If two do this at once, one of them does it.
        """
        now = self._clock()
        if client.used is not None and now - client.used < _DAY:
            return
        record = await self._record(client.id)
        if record is None or record.owner == OPERATOR:
            return
        after = to_json({**from_json(record.value), "used": now})
        await self._store.swap(KIND, record.key, record.value, after, lifetime=self._options.client_lifetime)

    async def _record(self, identity: str) -> Record | None:
        if not identity.isascii() or not identity.isprintable() or len(identity) > _LONGEST_ID:
            return None
        return await self._store.get(KIND, identity)


async def add_known(store: Store, client: Client) -> bool:
    """Keep a client for good; False if there is one with its id."""
    return await store.add(KIND, client.id, _written(client, used=None), lifetime=None, owner=OPERATOR)


async def listed(store: Store) -> AsyncIterator[tuple[Record, Client]]:
    """All clients in a store."""
    after = ""
    while records := await store.find(KIND, after=after):
        for record in records:
            yield record, read(record)
        after = records[-1].key


def read(record: Record) -> Client:
    """The client of a record."""
    said: Mapping[str, Any] = from_json(record.value)
    return Client(
        id=record.key,
        name=said["name"],
        known_by="settings" if record.owner == OPERATOR else "registration",
        redirect_uris=tuple(said["redirects"]),
        method=said["method"],
        grants=frozenset(said["grants"]),
        scopes=None if said["scopes"] is None else tuple(said["scopes"]),
        secret=said["secret"],
        keys=tuple(said["keys"]),
        keys_uri=said["keys_uri"],
        uri=said["uri"],
        application=said["application"],
        used=said["used"],
    )


def _written(client: Client, *, used: float | None) -> bytes:
    return to_json(
        {
            "name": client.name,
            "redirects": client.redirect_uris,
            "method": client.method,
            "grants": sorted(client.grants),
            "scopes": client.scopes,
            "secret": client.secret,
            "keys": client.keys,
            "keys_uri": client.keys_uri,
            "uri": client.uri,
            "application": client.application,
            "used": used,
        }
    )
