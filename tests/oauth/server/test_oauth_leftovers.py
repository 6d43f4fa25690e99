"""What is kept of those who begin and never come back: nothing in the end. And what is not looked up twice."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from typing import Any

import psycopg
from granting import ASKED, CLIENT, Granting

from mcp_server.oauth.approvals import Person
from mcp_server.oauth.login.sessions import Sessions
from mcp_server.oauth.server.client import Client
from mcp_server.oauth.server.grants import end_grants
from mcp_server.oauth.server.options import ServerOptions
from mcp_server.oauth.server.registrations import KIND as CLIENTS
from mcp_server.oauth.server.registrations import Registrations
from mcp_server.stores import Record, Store
from mcp_server.stores.memory import MemoryStore
from tests.store_backends import Backend, Clock, redis_client

SOON: dict[str, Any] = {"pending_lifetime": 3.0, "code_lifetime": 3.0, "unused_lifetime": 3.0}


def kept_in(backend: Backend, store: Store) -> int:
    """How many rows, keys or records there are, be they alive or over."""
    match backend.name:
        case "memory":
            return sum(len(shelf) for shelf in vars(store)["_shelves"].values())
        case "sqlite":
            with closing(sqlite3.connect(backend.url.removeprefix("sqlite:///"))) as connection:
                return connection.execute("SELECT count(*) FROM records").fetchone()[0]
        case "redis":
            with redis_client() as client:
                return len(list(client.scan_iter(match=f"{{{backend.prefix}}}*")))
        case _:
            with psycopg.connect(backend.url) as connection:
                found = connection.execute("SELECT count(*) FROM mcp_server_records").fetchone()
                assert found is not None
                return found[0]


def test_of_those_who_never_come_back_nothing_is_kept(any_store: Backend) -> None:
    async def test(store: Store) -> None:
        granting = Granting(store, any_store.clock or time.time, SOON)
        registrations = Registrations(store, ServerOptions("https://a.example", **SOON), granting.clock)
        sessions = Sessions(store, "users", 3, clock=granting.clock)
        for number in range(20):
            await granting.grants.begin(CLIENT, ASKED)  # nobody decides
            await granting.code(f"local:{number}")  # is not redeemed
            await sessions.open(Person(f"local:{number}"))  # is not used
            await registrations.register(Client(""))  # signs nobody in
        last, _ = await registrations.register(Client(""))
        assert kept_in(any_store, store) > 0
        await any_store.outlive(store, CLIENTS, last.id)
        await store.sweep()
        assert kept_in(any_store, store) == 0

    any_store.run(test)


def in_memory(test: Callable[[Granting], Awaitable[None]]) -> None:
    async def main() -> None:
        clock = Clock(time.time())
        store = MemoryStore(clock=clock)
        await store.open()
        await test(Granting(store, clock))

    asyncio.run(main())


def test_a_clock_that_is_set_back_makes_no_token_good_for_longer() -> None:
    async def test(granting: Granting) -> None:
        tokens = await granting.tokens()
        other = Granting(granting.store, granting.clock)
        assert await other.grants.access(tokens.access) is not None
        await end_grants(granting.store)
        granting.clock.now -= 3600
        assert await other.grants.access(tokens.access) is None

    in_memory(test)


def test_what_is_not_used_any_more_is_forgotten() -> None:
    async def test(granting: Granting) -> None:
        tokens = [await granting.tokens() for _ in range(3)]
        for each in tokens:
            assert await granting.grants.access(each.access) is not None
        granting.clock.now += 5
        assert await granting.grants.access(tokens[0].access) is not None
        assert len(vars(granting.grants)["_cache"]) == 1

    in_memory(test)


def test_that_a_registration_is_in_use_is_looked_up_once_a_day() -> None:
    class Counting(MemoryStore):
        asked = 0

        async def get(self, kind: str, key: str) -> Record | None:
            self.asked += 1
            return await super().get(kind, key)

    async def main() -> None:
        clock = Clock(time.time())
        store = Counting(clock=clock)
        await store.open()
        registrations = Registrations(store, ServerOptions("https://a.example"), clock)
        client, _ = await registrations.register(Client(""))
        await registrations.used(client)
        known = await registrations.find(client.id)
        assert known is not None
        before = store.asked
        await registrations.used(known)
        assert store.asked == before
        clock.now += 86_400
        await registrations.used(known)
        clock.now += 89 * 86_400
        assert await registrations.find(client.id) is not None

    asyncio.run(main())
