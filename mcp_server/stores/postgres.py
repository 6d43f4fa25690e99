"""Records in PostgreSQL: for several machines, and for what must not be lost.

Every operation is one statement in a transaction of its own; those that meet on a record queue for its row. Time is
that of the database, so processes whose clocks differ agree on what has expired.

Connections come from a pool, and each is looked at before it is used: one that broke while nobody used it is replaced
without anybody noticing. A statement that was sent is never sent again by itself, as it may have been carried out.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final, LiteralString

import psycopg
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import AsyncConnectionPool, PoolClosed

from mcp_server.stores.rules import check, check_lifetime, check_search
from mcp_server.stores.store import Record, StoreUnavailable

_MIGRATIONS: Final[Sequence[LiteralString]] = (
    """
    CREATE TABLE mcp_server_records (
        kind text COLLATE "C" NOT NULL,
        key text COLLATE "C" NOT NULL,
        owner text COLLATE "C" NOT NULL,
        expires timestamptz,
        value bytea NOT NULL,
        PRIMARY KEY (kind, key)
    );
    CREATE INDEX mcp_server_records_by_owner ON mcp_server_records (kind, owner, key);
    CREATE INDEX mcp_server_records_by_end ON mcp_server_records (expires) WHERE expires IS NOT NULL;
    """,
)
"""The statements that lead from each version of the schema to the next; what was released is never changed."""

_LOCK: Final = 0x6D63_7073
"""Held while the schema is brought up to date, so that processes which start at once do not do it twice."""

_PORTION: Final = 500
"""How many records one statement of a sweep removes."""

_COLUMNS: Final[LiteralString] = "key, value, owner, extract(epoch FROM expires)::float8"
_ALIVE: Final[LiteralString] = "(expires IS NULL OR expires > now())"
_THIS: Final[LiteralString] = f"kind = %(kind)s AND key = %(key)s AND {_ALIVE}"
_END: Final[LiteralString] = "now() + make_interval(secs => %(lifetime)s::float8)"
_PUT: Final[LiteralString] = f"""
    INSERT INTO mcp_server_records AS record (kind, key, owner, expires, value)
    VALUES (%(kind)s, %(key)s, %(owner)s, {_END}, %(value)s)
    ON CONFLICT (kind, key) DO UPDATE SET owner = excluded.owner, expires = excluded.expires, value = excluded.value
"""  # noqa: S608 - all that is put in here and below is constant
_ADD: Final[LiteralString] = f"{_PUT} WHERE record.expires <= now()"
_GET: Final[LiteralString] = f"SELECT {_COLUMNS} FROM mcp_server_records WHERE {_THIS}"  # noqa: S608
_TAKE: Final[LiteralString] = f"DELETE FROM mcp_server_records WHERE {_THIS} RETURNING {_COLUMNS}"  # noqa: S608
_DELETE: Final[LiteralString] = f"DELETE FROM mcp_server_records WHERE {_THIS}"  # noqa: S608
_SWAP: Final[LiteralString] = f"""
    UPDATE mcp_server_records SET value = %(after)s, expires = {_END} WHERE {_THIS} AND value = %(before)s
"""  # noqa: S608
_FIND: Final[LiteralString] = f"""
    SELECT {_COLUMNS} FROM mcp_server_records
    WHERE kind = %(kind)s AND key > %(after)s AND (%(owner)s::text IS NULL OR owner = %(owner)s) AND {_ALIVE}
    ORDER BY key LIMIT %(limit)s
"""  # noqa: S608
_SWEEP: Final[LiteralString] = """
    DELETE FROM mcp_server_records WHERE (kind, key) IN (
        SELECT kind, key FROM mcp_server_records WHERE expires <= now() LIMIT %(limit)s FOR UPDATE SKIP LOCKED
    )
"""


class PostgresStore:
    """A `Store` in a table of PostgreSQL, which is made if there is none.

    Args:
        url: `postgresql://`, with whatever options libpq knows.
        patience: How many seconds an operation may wait for a connection.
        connections: How many there may be at once; further operations wait for one.

    Raises:
        ValueError: Nothing can be done with the URL.
    """

    def __init__(self, url: str, *, patience: float = 5.0, connections: int = 10) -> None:
        try:
            conninfo_to_dict(url)
        except psycopg.Error:
            msg = "The URL of PostgreSQL must have the form postgresql://user:PASSWORD@host:5432/database."
            raise ValueError(msg) from None
        self._url = url
        self._patience = patience
        self._connections = connections
        self._pool: AsyncConnectionPool[AsyncConnection] | None = None

    async def open(self) -> None:
        """Connect, and bring the schema up to date."""
        if self._pool is not None:
            return
        with _reporting():
            await self._migrate()
            if self._pool is not None:  # somebody else has opened it meanwhile
                return
            pool: AsyncConnectionPool[AsyncConnection] = AsyncConnectionPool(
                self._url,
                min_size=1,
                max_size=self._connections,
                timeout=self._patience,
                reconnect_timeout=self._patience,  # then whoever asks next begins anew, without growing pauses
                kwargs={"autocommit": True, **self._waiting},
                open=False,
            )
            self._pool = pool
            await pool.open()

    async def close(self) -> None:
        """Let go of the connections."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()

    async def put(self, kind: str, key: str, value: bytes, *, lifetime: float | None, owner: str = "") -> None:
        """Store a record, whether or not there is one already."""
        await self._store(_PUT, kind, key, value, lifetime=lifetime, owner=owner)

    async def add(self, kind: str, key: str, value: bytes, *, lifetime: float | None, owner: str = "") -> bool:
        """Store a record if there is none."""
        return await self._store(_ADD, kind, key, value, lifetime=lifetime, owner=owner)

    async def get(self, kind: str, key: str) -> Record | None:
        """Read a record."""
        check(kind, key)
        found = await self._rows(_GET, {"kind": kind, "key": key})
        return found[0] if found else None

    async def take(self, kind: str, key: str) -> Record | None:
        """Remove a record and give it."""
        check(kind, key)
        found = await self._rows(_TAKE, {"kind": kind, "key": key})
        return found[0] if found else None

    async def swap(self, kind: str, key: str, before: bytes, after: bytes, *, lifetime: float | None) -> bool:
        """Replace a record's value and lifetime if its value is still `before`."""
        check(kind, key)
        check_lifetime(lifetime)
        named = {"kind": kind, "key": key, "before": before, "after": after, "lifetime": lifetime}
        return await self._count(_SWAP, named) > 0

    async def delete(self, kind: str, key: str) -> bool:
        """Remove a record."""
        check(kind, key)
        return await self._count(_DELETE, {"kind": kind, "key": key}) > 0

    async def find(self, kind: str, *, owner: str | None = None, after: str = "", limit: int = 100) -> Sequence[Record]:
        """Records of a kind, in the order of their keys, from the first key greater than `after`."""
        check_search(kind, owner, after)
        return await self._rows(_FIND, {"kind": kind, "owner": owner, "after": after, "limit": max(limit, 0)})

    async def sweep(self) -> int:
        """Remove what has expired, a portion in each statement; what others are sweeping is left to them."""
        removed = 0
        while portion := await self._count(_SWEEP, {"limit": _PORTION}):
            removed += portion
        return removed

    async def _store(
        self, statement: LiteralString, kind: str, key: str, value: bytes, *, lifetime: float | None, owner: str
    ) -> bool:
        check(kind, key, owner)
        check_lifetime(lifetime)
        named = {"kind": kind, "key": key, "value": value, "lifetime": lifetime, "owner": owner}
        return await self._count(statement, named) > 0

    async def _rows(self, statement: LiteralString, named: Mapping[str, Any]) -> list[Record]:
        with _reporting():
            async with self._connection() as connection:
                cursor = await connection.execute(statement, named, binary=True)
                return [Record(*row) for row in await cursor.fetchall()]

    async def _count(self, statement: LiteralString, named: Mapping[str, Any]) -> int:
        with _reporting():
            async with self._connection() as connection:
                return (await connection.execute(statement, named)).rowcount

    @asynccontextmanager
    async def _connection(self) -> AsyncGenerator[AsyncConnection]:
        pool = self._opened()
        connection = await _working(pool)
        try:
            yield connection
        finally:
            await pool.putconn(connection)

    def _opened(self) -> AsyncConnectionPool[AsyncConnection]:
        if self._pool is None:
            msg = "The store in PostgreSQL is not open; call open() first."
            raise StoreUnavailable(msg)
        return self._pool

    @property
    def _waiting(self) -> dict[str, Any]:
        """How long to wait for a server that is silent; to connect, libpq knows whole seconds, and none below two."""
        return {
            "connect_timeout": max(2, round(self._patience)),
            "tcp_user_timeout": round(self._patience * 1000),
        }

    async def _migrate(self) -> None:
        """Over a connection of its own: unlike the pool, it says what is wrong."""
        async with await AsyncConnection.connect(self._url, **self._waiting) as connection:
            await connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
            version = await _version(connection)
            if version > len(_MIGRATIONS):
                msg = "The store in PostgreSQL was written by a newer version of this server; update this one."
                raise StoreUnavailable(msg)
            if version == len(_MIGRATIONS):  # so that a user who may not create tables can use those there are
                return
            for migration in _MIGRATIONS[version:]:
                await connection.execute(migration)
            await connection.execute("CREATE TABLE IF NOT EXISTS mcp_server_schema (version integer NOT NULL)")
            await connection.execute("DELETE FROM mcp_server_schema")
            await connection.execute("INSERT INTO mcp_server_schema VALUES (%s)", [len(_MIGRATIONS)])


async def _working(pool: AsyncConnectionPool[AsyncConnection]) -> AsyncConnection:
    """A connection that is not broken. The pool's own way to find one makes pauses, which grow, between any two."""
    connection = await pool.getconn()
    while _is_broken(connection):
        await pool.putconn(connection)  # it is replaced, so this comes to an end
        connection = await pool.getconn()
    return connection


def _is_broken(connection: AsyncConnection) -> bool:
    """Whether the server has hung up: first there may be its farewell to read, then the end. Waits for nothing."""
    try:
        connection.pgconn.consume_input()
        connection.pgconn.consume_input()
    except psycopg.OperationalError:
        return True
    return connection.closed


async def _version(connection: AsyncConnection) -> int:
    made = await (await connection.execute("SELECT to_regclass('mcp_server_schema') IS NOT NULL")).fetchone()
    if made is None or not made[0]:
        return 0
    found = await (await connection.execute("SELECT version FROM mcp_server_schema")).fetchone()
    return 0 if found is None else found[0]


@contextmanager
def _reporting() -> Generator[None]:
    try:
        yield
    except (psycopg.Error, PoolClosed, OSError) as error:
        code = getattr(error, "sqlstate", None) or type(error).__name__
        msg = f"PostgreSQL cannot be used ({code}); see that it runs, that the URL is right and it has room."
        raise StoreUnavailable(msg) from error
