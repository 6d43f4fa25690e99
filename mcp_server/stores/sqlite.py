"""Records in a SQLite file: for one machine, with as many processes as it likes.

One worker thread has the one connection, so the event loop never waits for the disk. Every change is a transaction
that is on the disk (WAL, synchronous=FULL) before it is reported, and takes the write lock at its beginning, so that
processes queue for it and none is refused half way.

Cancelling whoever waits stops nothing that has begun: the transaction ends whole, only nobody hears of it.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeVar

from mcp_server.stores.rules import Clock, check, check_search, end_of
from mcp_server.stores.store import Record, StoreUnavailable

Outcome = TypeVar("Outcome")

_MIGRATIONS: Final = (
    (
        """CREATE TABLE records (
            kind TEXT NOT NULL, key TEXT NOT NULL, owner TEXT NOT NULL, expires REAL, value BLOB NOT NULL,
            PRIMARY KEY (kind, key)
        )""",
        "CREATE INDEX records_by_owner ON records (kind, owner, key)",
        "CREATE INDEX records_by_end ON records (expires) WHERE expires IS NOT NULL",
    ),
)
"""The statements that lead from each version of the schema to the next; what was released is never changed."""

_PORTION: Final = 500
"""How many records one transaction of a sweep removes."""

_ALIVE: Final = "(expires IS NULL OR expires > :now)"
_PUT: Final = """
    INSERT INTO records (kind, key, owner, expires, value) VALUES (:kind, :key, :owner, :expires, :value)
    ON CONFLICT (kind, key) DO UPDATE SET owner = excluded.owner, expires = excluded.expires, value = excluded.value
"""
_ADD: Final = f"{_PUT} WHERE records.expires <= :now"
_GET: Final = f"SELECT key, value, owner, expires FROM records WHERE kind = :kind AND key = :key AND {_ALIVE}"  # noqa: S608
_DELETE: Final = f"DELETE FROM records WHERE kind = :kind AND key = :key AND {_ALIVE}"  # noqa: S608
_SWAP: Final = f"""
    UPDATE records SET value = :after, expires = :expires
    WHERE kind = :kind AND key = :key AND value = :before AND {_ALIVE}
"""  # noqa: S608 - all that is put in here is constant
_FIND: Final = f"""
    SELECT key, value, owner, expires FROM records WHERE kind = :kind AND key > :after AND {_ALIVE}
    ORDER BY key LIMIT :limit
"""  # noqa: S608
_FIND_OF_OWNER: Final = _FIND.replace("WHERE", "WHERE owner = :owner AND")
_SWEEP: Final = "DELETE FROM records WHERE rowid IN (SELECT rowid FROM records WHERE expires <= :now LIMIT :limit)"

_ADVICE: Final = {
    sqlite3.SQLITE_FULL: "the disk is full; make room",
    sqlite3.SQLITE_READONLY: "it is read-only; let the user of this process write the file and its folder",
    sqlite3.SQLITE_BUSY: "another process keeps it locked; end that process, or use PostgreSQL if many write",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; let the user of this process write the file and its folder",
    sqlite3.SQLITE_CORRUPT: "it is damaged; restore a backup, or move it away to begin anew",
    sqlite3.SQLITE_NOTADB: "it is no SQLite file; name another, or move it away to begin anew",
    sqlite3.SQLITE_IOERR: "the disk fails; look into the log of the system",
}
_PRIMARY: Final = 0xFF
"""The part of an error code that says what has happened; the rest says where."""


class SqliteStore:
    """A `Store` in a file of SQLite, which is made if there is none, readable only for its owner.

    Args:
        path: Where the file is; its folder is made too.
        clock: What time it is.
        patience: How long to wait for other processes that write, in seconds.
    """

    def __init__(self, path: str | Path, *, clock: Clock = time.time, patience: float = 10.0) -> None:
        self._path = Path(path)
        self._clock = clock
        self._patience = patience
        self._thread: ThreadPoolExecutor | None = None
        self._connected: sqlite3.Connection | None = None
        """Belongs to the thread, like everything that is called from there."""

    async def open(self) -> None:
        """Open the file and bring its schema up to date."""
        if self._thread is None:
            self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sqlite-store")
        await self._run(self._connect)

    async def close(self) -> None:
        """Close the file, after what has begun."""
        thread, self._thread = self._thread, None
        if thread is not None:
            closing = asyncio.get_running_loop().run_in_executor(thread, self._disconnect)
            thread.shutdown(wait=False)
            await asyncio.shield(closing)

    async def put(self, kind: str, key: str, value: bytes, *, lifetime: float | None, owner: str = "") -> None:
        """Store a record, whether or not there is one already."""
        check(kind, key, owner)
        expires = end_of(lifetime, self._clock())
        await self._change(_PUT, {"kind": kind, "key": key, "owner": owner, "expires": expires, "value": value})

    async def add(self, kind: str, key: str, value: bytes, *, lifetime: float | None, owner: str = "") -> bool:
        """Store a record if there is none."""
        check(kind, key, owner)
        expires = end_of(lifetime, self._clock())
        return await self._change(_ADD, {"kind": kind, "key": key, "owner": owner, "expires": expires, "value": value})

    async def get(self, kind: str, key: str) -> Record | None:
        """Read a record."""
        check(kind, key)
        found = await self._run(lambda: self._select(_GET, {"kind": kind, "key": key}))
        return found[0] if found else None

    async def take(self, kind: str, key: str) -> Record | None:
        """Remove a record and give it."""
        check(kind, key)
        named = {"kind": kind, "key": key}

        def take() -> Record | None:
            with self._transaction():
                found = self._select(_GET, named)
                if found:
                    self._execute(_DELETE, named)
            return found[0] if found else None

        return await self._run(take)

    async def swap(self, kind: str, key: str, before: bytes, after: bytes, *, lifetime: float | None) -> bool:
        """Replace a record's value and lifetime if its value is still `before`."""
        check(kind, key)
        expires = end_of(lifetime, self._clock())
        named = {"kind": kind, "key": key, "before": before, "after": after, "expires": expires}
        return await self._change(_SWAP, named)

    async def delete(self, kind: str, key: str) -> bool:
        """Remove a record."""
        check(kind, key)
        return await self._change(_DELETE, {"kind": kind, "key": key})

    async def find(self, kind: str, *, owner: str | None = None, after: str = "", limit: int = 100) -> Sequence[Record]:
        """Records of a kind, in the order of their keys, from the first key greater than `after`."""
        check_search(kind, owner, after)
        statement = _FIND if owner is None else _FIND_OF_OWNER
        named = {"kind": kind, "owner": owner, "after": after, "limit": max(limit, 0)}
        return await self._run(lambda: self._select(statement, named))

    async def sweep(self) -> int:
        """Remove what has expired, a portion in each transaction."""
        removed = 0
        while portion := await self._run(lambda: self._write(_SWEEP, {"limit": _PORTION})):
            removed += portion
        return removed

    async def _change(self, statement: str, named: dict[str, Any]) -> bool:
        return await self._run(lambda: self._write(statement, named)) > 0

    async def _run(self, job: Callable[[], Outcome]) -> Outcome:
        thread = self._thread
        if thread is None:
            raise self._not_open()
        return await asyncio.get_running_loop().run_in_executor(thread, self._reporting, job)

    # -- what the thread does ------------------------------------------------------------------------------------

    def _reporting(self, job: Callable[[], Outcome]) -> Outcome:
        try:
            return job()
        except (sqlite3.DatabaseError, OSError) as error:
            raise self._unavailable(error) from error

    def _write(self, statement: str, named: dict[str, Any]) -> int:
        with self._transaction():
            return self._execute(statement, named).rowcount

    def _select(self, statement: str, named: dict[str, Any]) -> list[Record]:
        return [Record(*row) for row in self._execute(statement, named)]

    def _execute(self, statement: str, named: dict[str, Any]) -> sqlite3.Cursor:
        return self._connection().execute(statement, {**named, "now": self._clock()})

    @contextmanager
    def _transaction(self) -> Generator[None]:
        """Take the write lock, before anything is read."""
        connection = self._connection()
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def _connection(self) -> sqlite3.Connection:
        if self._connected is None:
            raise self._not_open()
        return self._connected

    def _connect(self) -> None:
        if self._connected is not None:
            return
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
        with suppress(PermissionError):  # it belongs to somebody else, who has let us in
            self._path.chmod(0o600)
        self._connected = sqlite3.connect(
            self._path, timeout=self._patience, isolation_level=None, check_same_thread=False
        )
        try:
            self._use_wal()
            self._connected.execute("PRAGMA synchronous = FULL")
            self._migrate()
        except BaseException:
            self._disconnect()
            raise

    def _disconnect(self) -> None:
        connection, self._connected = self._connected, None
        if connection is not None:
            connection.close()

    def _use_wal(self) -> None:
        """Switch to the write-ahead log; SQLite does not wait by itself for others who are doing that as well."""
        deadline = time.monotonic() + self._patience
        while True:
            try:
                self._connection().execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & _PRIMARY != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
            else:
                return

    def _migrate(self) -> None:
        with self._transaction():
            connection = self._connection()
            version: int = connection.execute("PRAGMA user_version").fetchone()[0]
            if version > len(_MIGRATIONS):
                msg = f"The store {self._path} was written by a newer version of this server; update this one."
                raise StoreUnavailable(msg)
            for statements in _MIGRATIONS[version:]:
                for statement in statements:
                    connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")

    def _not_open(self) -> StoreUnavailable:
        return StoreUnavailable(f"The store {self._path} is not open; call open() first.")

    def _unavailable(self, error: Exception) -> StoreUnavailable:
        code = getattr(error, "sqlite_errorcode", None)
        advice = str(error) if code is None else _ADVICE.get(code & _PRIMARY, str(error))
        return StoreUnavailable(f"The store {self._path} cannot be used: {advice}.")
