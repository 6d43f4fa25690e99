"""The four stores, each with nobody else's records in it, and what they say about their size.

Redis is a process of our own. PostgreSQL is one that runs already; a schema is made in it and removed again.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from mcp_server.stores import Record, Store

POSTGRES: Final = "postgresql://root@127.0.0.1:5432/test"
NAMES: Final = ("memory", "SQLite", "Redis", "PostgreSQL")
_PATIENCE: Final = 30.0


class NotHere(Exception):  # noqa: N818 - it is what has happened
    """A store cannot be measured on this machine; the words say why."""


@dataclass(frozen=True, slots=True)
class Backend:
    """A store that is empty at first."""

    name: str
    url: str
    size: Callable[[Store], int]
    """How many bytes it takes at this moment, as whoever keeps it says."""

    @property
    def is_shared(self) -> bool:
        """Whether several processes can use it."""
        return self.name != "memory"


@contextlib.contextmanager
def backend(name: str, postgres: str) -> Generator[Backend]:
    """One of the stores; nothing is left of it at the end.

    Raises:
        NotHere: It cannot be had.
    """
    with tempfile.TemporaryDirectory(prefix="mcp-server-oauth-") as folder:
        match name:
            case "memory":
                yield Backend(name, "memory://", _held)
            case "SQLite":
                path = Path(folder) / "store.db"
                yield Backend(name, f"sqlite:///{path}", lambda _: _checkpointed(path))
            case "Redis":
                with _redis(folder) as url:
                    yield Backend(name, url, lambda _: _used(url))
            case _:
                with _schema(postgres) as (url, size):
                    yield Backend(name, url, lambda _: size())


def _held(store: Store) -> int:
    """What the records in memory take, with the two places in which each of them stands."""
    taken = 0
    shelves = cast("dict[str, object]", vars(store)["_shelves"])
    for shelf in shelves.values():
        records = cast("dict[str, Record]", vars(shelf)["_records"])
        taken += sys.getsizeof(records) + sys.getsizeof(vars(shelf)["_keys"])
        taken += sum(sys.getsizeof(part) for each in records.values() for part in (each, each.key, each.value))
    return taken


def _checkpointed(path: Path) -> int:
    """The file with everything in it that stands in the log beside it."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path.stat().st_size


@contextlib.contextmanager
def _redis(folder: str) -> Generator[str]:
    program = shutil.which("redis-server")
    if program is None:
        raise NotHere("redis-server is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder]
    child = subprocess.Popen([program, *options], stdout=subprocess.PIPE)
    assert child.stdout is not None
    try:
        if not any(b"Ready to accept connections" in line for line in child.stdout):
            raise NotHere("redis-server does not start")
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        child.terminate()
        child.stdout.read()
        child.stdout.close()
        child.wait(_PATIENCE)


def _used(url: str) -> int:
    import redis  # noqa: PLC0415 - it may be absent

    client: Any = redis.Redis.from_url(url)  # pyright: ignore[reportUnknownMemberType] - its types are not those it has
    with client:
        return client.info("memory")["used_memory"]


@contextlib.contextmanager
def _schema(server: str) -> Generator[tuple[str, Callable[[], int]]]:
    import psycopg  # noqa: PLC0415 - it may be absent
    from psycopg import sql  # noqa: PLC0415

    schema = f"benchmark_{secrets.token_hex(6)}"
    try:
        connection = psycopg.connect(server, autocommit=True, connect_timeout=5)
    except psycopg.OperationalError as error:
        raise NotHere(f"PostgreSQL cannot be reached ({type(error).__name__}); name one with --postgres") from None

    def size() -> int:
        # The room of what was deleted is free for others once it has been looked for: by autovacuum, or here at once.
        connection.execute(sql.SQL("VACUUM {}.mcp_server_records").format(sql.Identifier(schema)))
        found = connection.execute("SELECT pg_total_relation_size(%s)", [f"{schema}.mcp_server_records"]).fetchone()
        if found is None:
            raise NotHere("PostgreSQL does not say how large its table is")
        return found[0]

    with connection:
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
        try:
            parting = "&" if "?" in server else "?"
            yield f"{server}{parting}options=-c%20search_path%3D{schema}", size
        finally:
            connection.execute("SET client_min_messages = warning")
            connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(schema)))
