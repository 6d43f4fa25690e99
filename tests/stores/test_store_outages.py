"""A store that is away says so, and is there again when it is back."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest
from redis_servers import OwnRedis, own_redis

from mcp_server.stores import Record, Store, StoreUnavailable, open_store
from mcp_server.stores.postgres import PostgresStore
from mcp_server.stores.redis import RedisStore
from mcp_server.stores.sqlite import SqliteStore
from tests.store_backends import PATIENCE, Backend, backend, redis_client

CLOSED_PORT = 1


class Line:
    """A TCP proxy that can be cut and mended, so that a server seems to go away and come back."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = 0

    async def mend(self) -> None:
        """Let everything through."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """End every connection and refuse new ones."""
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await self._server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, far_writer}
        await asyncio.gather(_pour(reader, far_writer), _pour(far_reader, writer))
        self._writers -= {writer, far_writer}


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.close()
        await writer.wait_closed()


@contextlib.asynccontextmanager
async def opened(store: Store) -> AsyncGenerator[Store]:
    try:
        async with asyncio.timeout(PATIENCE):
            await store.open()
            yield store
    finally:
        await store.close()


async def soon(ask: Callable[[], Awaitable[Record | None]]) -> Record | None:
    """The first answer that is one."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                return await ask()
            except StoreUnavailable:
                await asyncio.sleep(0.05)


# -- a server that is away -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["redis", "postgresql"])
def test_a_closed_port_is_unavailable_and_no_secret_is_told(scheme: str) -> None:
    async def main() -> None:
        store = open_store(f"{scheme}://user:hunter2@127.0.0.1:{CLOSED_PORT}/0")
        with pytest.raises(StoreUnavailable, match="see that it runs") as caught:
            await store.open()
        assert "hunter2" not in str(caught.value)
        with pytest.raises(StoreUnavailable):
            await store.get("kind", "key")
        await store.close()

    asyncio.run(main())


@pytest.mark.parametrize("name", ["redis", "postgres"])
def test_a_server_that_went_away_is_used_again_when_it_is_back(name: str, tmp_path: Path) -> None:
    async def main(found: Backend) -> None:
        line = Line(6379 if name == "redis" else 5432)
        await line.mend()
        url = found.url.replace(":6379", f":{line.port}").replace(":5432", f":{line.port}")
        store = RedisStore(url, prefix=found.prefix) if name == "redis" else PostgresStore(url, patience=1)
        async with opened(store):
            await store.put("kind", "a", b"1", lifetime=None)
            await line.cut()
            with pytest.raises(StoreUnavailable, match="cannot be used"):
                await store.get("kind", "a")
            with pytest.raises(StoreUnavailable, match="cannot be used"):
                await store.take("kind", "a")
            await line.mend()
            assert await soon(lambda: store.get("kind", "a")) == Record("a", b"1")
            assert await store.take("kind", "a") == Record("a", b"1")
        await line.cut()

    with backend(name, tmp_path) as found:
        asyncio.run(main(found))


def test_idle_connections_that_redis_has_ended_are_replaced(tmp_path: Path) -> None:
    async def main(found: Backend) -> None:
        name = f"test-{uuid.uuid4().hex}"
        url = f"{found.url}?client_name={name}"
        store = RedisStore(url, prefix=found.prefix)
        async with opened(store):
            await asyncio.gather(*(store.put("kind", str(number), b"", lifetime=None) for number in range(5)))
            with redis_client() as client:
                ours = [each["id"] for each in client.client_list() if each["name"] == name]
                assert len(ours) > 1
                for identity in ours:
                    client.client_kill_filter(_id=identity)
            await _ended(store)
            for number in range(5):
                assert await store.take("kind", str(number)) is not None

    with backend("redis", tmp_path) as found:
        asyncio.run(main(found))


async def _ended(store: RedisStore) -> None:
    """Wait until the end of all its connections has arrived; Redis has ended them, but that takes a moment."""
    pool: Any = store._client.connection_pool  # pyright: ignore[reportPrivateUsage]
    async with asyncio.timeout(PATIENCE):
        while not all(each._reader.at_eof() for each in pool._available_connections):  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.01)


def test_backends_that_postgresql_has_ended_are_replaced_unnoticed(tmp_path: Path) -> None:
    async def main(found: Backend) -> None:
        async with opened(found.new()) as store:
            await asyncio.gather(*(store.put("kind", str(number), b"", lifetime=None) for number in range(5)))
            with psycopg.connect(found.url, autocommit=True) as connection:
                ended = connection.execute(
                    "SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity "
                    "WHERE application_name = current_setting('application_name') AND pid <> pg_backend_pid()"
                ).fetchone()
            assert ended is not None
            assert ended[0] >= 1
            assert len(await store.find("kind")) == 5
            assert await store.take("kind", "0") == Record("0", b"")

    with backend("postgres", tmp_path) as found:
        asyncio.run(main(found))


def test_a_full_redis_refuses_and_forgets_nothing(tmp_path: Path) -> None:
    async def main(server: OwnRedis) -> None:
        async with opened(RedisStore(server.url)) as store:
            await store.put("kind", "a", b"1", lifetime=None, owner="ann")
            with redis_client(port=server.port) as client:
                client.config_set("maxmemory", "1")
                with pytest.raises(StoreUnavailable, match="has room"):
                    await store.put("kind", "a", b"2", lifetime=None, owner="bob")
                with pytest.raises(StoreUnavailable):
                    await store.swap("kind", "a", b"1", b"2", lifetime=0)
                with pytest.raises(StoreUnavailable):
                    await store.add("kind", "b", b"2", lifetime=None)
                assert list(await store.find("kind", owner="ann")) == [Record("a", b"1", "ann")]
                client.config_set("maxmemory", "0")
            assert await store.swap("kind", "a", b"1", b"2", lifetime=None) is True

    with own_redis(tmp_path) as server:
        asyncio.run(main(server))


def test_the_indexes_in_redis_are_empty_when_everything_has_expired(tmp_path: Path) -> None:
    async def main(found: Backend) -> None:
        async with opened(found.new()) as store:
            await store.put("kind", "moved", b"", lifetime=0.2, owner="ann")
            await store.put("kind", "moved", b"", lifetime=0.2, owner="bob")
            await store.put("kind", "taken", b"", lifetime=900, owner="ann")
            await store.put("kind", "lasting", b"", lifetime=0.2, owner="ann")
            await store.put("kind", "lasting", b"", lifetime=None, owner="ann")
            await store.take("kind", "taken")
            await store.delete("kind", "lasting")
            await found.outlive(store, "kind", "moved")
            await store.put("kind", "returned", b"", lifetime=0.2, owner="ann")
            await found.outlive(store, "kind", "returned")
            await store.put("kind", "given away", b"", lifetime=0.2, owner="ann")
            await found.outlive(store, "kind", "given away")
            await store.put("kind", "given away", b"", lifetime=None, owner="bob")
            await store.sweep()
            with redis_client() as client:
                names = {name.decode() for name in client.scan_iter(match=f"{{{found.prefix}}}*")}
                assert names == {
                    f"{{{found.prefix}}}:{rest}" for rest in ("record:kind:given away", "kind:kind", "owner:kind:bob")
                }
                await store.delete("kind", "given away")
                assert list(client.scan_iter(match=f"{{{found.prefix}}}*")) == []

    with backend("redis", tmp_path) as found:
        asyncio.run(main(found))


# -- a disk that fails -----------------------------------------------------------------------------------------------


async def _pragma(store: SqliteStore, statement: str) -> None:
    await store._run(lambda: store._connection().execute(statement))  # pyright: ignore[reportPrivateUsage]


def test_a_full_disk_is_unavailable_until_there_is_room(tmp_path: Path) -> None:
    async def main() -> None:
        store = SqliteStore(tmp_path / "store.db")
        async with opened(store):
            await store.put("kind", "a", b"1", lifetime=None)
            await _pragma(store, "PRAGMA max_page_count = 10")
            with pytest.raises(StoreUnavailable, match="the disk is full; make room"):
                await store.put("kind", "big", b"x" * 1_000_000, lifetime=None)
            with pytest.raises(StoreUnavailable, match="the disk is full"):
                await store.swap("kind", "a", b"1", b"x" * 1_000_000, lifetime=None)
            assert list(await store.find("kind")) == [Record("a", b"1")]
            await _pragma(store, "PRAGMA max_page_count = 1000000")
            await store.put("kind", "big", b"x" * 1_000_000, lifetime=None)

    asyncio.run(main())


def test_a_change_that_fails_half_way_leaves_nothing_open(tmp_path: Path) -> None:
    async def main() -> None:
        store, unfit = SqliteStore(tmp_path / "store.db"), cast("bytes", object())
        async with opened(store):
            with pytest.raises(StoreUnavailable):
                await store.put("kind", "a", unfit, lifetime=None)
            await store.put("kind", "a", b"1", lifetime=None)
            assert await store.take("kind", "a") == Record("a", b"1")

    asyncio.run(main())


def test_a_read_only_file_is_unavailable_for_writing(tmp_path: Path) -> None:
    async def main() -> None:
        store = SqliteStore(tmp_path / "store.db")
        async with opened(store):
            await store.put("kind", "a", b"1", lifetime=None)
            await _pragma(store, "PRAGMA query_only = ON")
            with pytest.raises(StoreUnavailable, match="read-only"):
                await store.take("kind", "a")
            assert await store.get("kind", "a") == Record("a", b"1")

    asyncio.run(main())


def test_a_file_that_another_process_keeps_locked_is_unavailable(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "store.db"
        async with opened(SqliteStore(path, patience=0.05)) as store:
            other = sqlite3.connect(path, isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreUnavailable, match="another process keeps it locked"):
                await store.put("kind", "a", b"1", lifetime=None)
            assert await store.get("kind", "a") is None
            other.execute("ROLLBACK")
            other.close()
            await store.put("kind", "a", b"1", lifetime=None)

    asyncio.run(main())


def test_a_file_that_is_locked_when_it_is_opened_is_unavailable_until_it_is_free(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "store.db"
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        store = SqliteStore(path, patience=0.05)
        with pytest.raises(StoreUnavailable, match="another process keeps it locked"):
            await store.open()
        other.execute("ROLLBACK")
        other.close()
        async with opened(store):
            await store.put("kind", "a", b"1", lifetime=None)

    asyncio.run(main())


@pytest.mark.parametrize("content", [b"this is a text file, and a long one at that" * 100])
def test_a_file_that_is_something_else_is_unavailable_and_stays_as_it_is(tmp_path: Path, content: bytes) -> None:
    async def main() -> None:
        path = tmp_path / "notes.txt"
        path.write_bytes(content)
        store = SqliteStore(path)
        with pytest.raises(StoreUnavailable, match="no SQLite file"):
            await store.open()
        with pytest.raises(StoreUnavailable, match="is not open"):
            await store.get("kind", "a")
        await store.close()
        assert path.read_bytes() == content

    asyncio.run(main())


def test_a_folder_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    async def main() -> None:
        (tmp_path / "file").touch()
        with pytest.raises(StoreUnavailable, match="cannot be used"):
            await SqliteStore(tmp_path / "file" / "folder" / "store.db").open()

    asyncio.run(main())


# -- versions of the schema ------------------------------------------------------------------------------------------


def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "store.db"
        async with opened(SqliteStore(path)):
            pass
        with contextlib.closing(sqlite3.connect(path)) as other:
            other.execute("PRAGMA user_version = 1000")
        with pytest.raises(StoreUnavailable, match="newer version"):
            await SqliteStore(path).open()

    asyncio.run(main())


def test_a_table_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    async def main(found: Backend) -> None:
        async with opened(found.new()):
            pass
        with psycopg.connect(found.url) as other:
            other.execute("UPDATE mcp_server_schema SET version = 1000")
        with pytest.raises(StoreUnavailable, match="newer version"):
            await found.new().open()

    with backend("postgres", tmp_path) as found:
        asyncio.run(main(found))
