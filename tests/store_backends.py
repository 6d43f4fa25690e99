"""The four stores as tests meet them: each apart from everything else that the same server keeps."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
import uuid
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import psycopg.sql
import pytest
import redis

from mcp_server.stores import Store, open_store
from mcp_server.stores.memory import MemoryStore
from mcp_server.stores.redis import RedisStore
from mcp_server.stores.sqlite import SqliteStore
from tests.redis_servers import RUNNING, require_running_redis

POSTGRES = "postgresql://root@127.0.0.1:5432/test"
ALL = ("memory", "sqlite", "redis", "postgres")
SHARED = ("sqlite", "redis", "postgres")
PATIENCE = 60.0
"""Seconds that anything may take on a busy machine."""


@dataclass
class Clock:
    """The time, which passes when a test says so."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Backend:
    """One kind of store, with records of its own."""

    name: str
    url: str
    """What reaches the same records from another process."""
    prefix: str
    new: Callable[[], Store]
    """Another store on the same records; in memory, the same store."""
    clock: Clock | None = None
    """The clock of its stores; None if it has one of its own, which cannot be set."""

    def run(self, test: Callable[[Store], Awaitable[None]]) -> None:
        """Run a test with an open store."""

        async def main() -> None:
            store = self.new()
            await store.open()
            try:
                async with asyncio.timeout(PATIENCE):
                    await test(store)
            finally:
                await store.close()

        asyncio.run(main())

    async def outlive(self, store: Store, kind: str, key: str) -> None:
        """Wait until a record has expired."""
        if self.clock is not None:
            self.clock.now += 1000
        deadline = time.monotonic() + PATIENCE
        while await store.get(kind, key) is not None:
            assert time.monotonic() < deadline, "it has never expired"
            await asyncio.sleep(0.02)


@dataclass
class _Memory:
    clock: Clock = field(default_factory=Clock)
    store: Store | None = None

    def __call__(self) -> Store:
        self.store = self.store or MemoryStore(clock=self.clock)
        return self.store


def store_at(url: str, prefix: str) -> Store:
    """The store at a URL; in Redis, names begin with a prefix."""
    return RedisStore(url, prefix=prefix, patience=PATIENCE) if url.startswith("redis") else open_store(url)


@contextlib.contextmanager
def backend(name: str, directory: Path) -> Generator[Backend]:
    """A store of this kind that nobody else has; what it leaves is removed."""
    prefix = f"test-{uuid.uuid4().hex}"
    if name == "memory":
        memory = _Memory()
        yield Backend(name, "memory://", prefix, memory, memory.clock)
    elif name == "sqlite":
        clock, path = Clock(), directory / "store.db"
        yield Backend(
            name, f"sqlite:///{path}", prefix, lambda: SqliteStore(path, clock=clock, patience=PATIENCE), clock
        )
    elif name == "redis":
        require_running_redis()
        yield Backend(name, RUNNING, prefix, lambda: store_at(RUNNING, prefix))
        with redis_client() as client:
            for key in client.scan_iter(match=f"{{{prefix}}}*"):
                client.delete(key)
    else:
        schema = prefix.replace("-", "_")
        with postgres_schema(schema) as url:
            yield Backend(name, url, prefix, lambda: open_store(url))


@pytest.fixture(params=ALL)
def any_store(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Backend]:
    """Each of the four stores."""
    with backend(request.param, tmp_path) as found:
        yield found


@pytest.fixture(params=SHARED)
def shared_store(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Backend]:
    """Each of the stores that several processes can have together."""
    with backend(request.param, tmp_path) as found:
        yield found


def redis_client(**options: Any) -> Any:
    """What looks at Redis from the side; its types are not those it has."""
    return redis.Redis(**options)


@contextlib.contextmanager
def postgres_schema(schema: str) -> Generator[str]:
    """The URL of a schema that is there for as long as the context lasts."""
    try:
        connection = psycopg.connect(POSTGRES, autocommit=True, connect_timeout=5)
    except psycopg.OperationalError:
        _missing("no PostgreSQL at 127.0.0.1:5432")
        raise
    with connection:
        connection.execute(psycopg.sql.SQL("CREATE SCHEMA {}").format(psycopg.sql.Identifier(schema)))
        try:
            yield f"{POSTGRES}?options=-c%20search_path%3D{schema}&application_name={schema}"
        finally:
            connection.execute("SET client_min_messages = warning")
            connection.execute(psycopg.sql.SQL("DROP SCHEMA {} CASCADE").format(psycopg.sql.Identifier(schema)))


def _missing(what: str) -> None:
    if os.environ.get("MCP_REQUIRE_SERVICES"):
        pytest.fail(what)
    pytest.skip(what)
