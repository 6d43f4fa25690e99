"""Which store is meant by a URL.

Each store is imported when it is asked for: their libraries are extras, or slow to import.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from mcp_server.stores.store import Store

_FORMS: Final = "memory://, sqlite:///file.db, redis://host:6379/0 or postgresql://user@host/database"


def open_store(url: str) -> Store:
    """The store that a URL means, not connected yet: `open` it.

    `sqlite:///file.db` is relative to the working directory, `sqlite:////var/lib/file.db` is absolute.

    Raises:
        ValueError: Nothing can be done with the URL, or the library for it is not installed; the words say what to
            do, and do not quote the URL, which may hold a password.
    """
    scheme, found, rest = url.partition("://")
    opener = _OPENERS.get(scheme.lower()) if found else None
    if opener is None:
        msg = f"The URL of a store must have the form {_FORMS}."
        raise ValueError(msg)
    return opener(url, rest)


def _memory(_url: str, rest: str) -> Store:
    from mcp_server.stores.memory import MemoryStore  # noqa: PLC0415

    if rest:
        msg = "The URL of the store in memory is memory:// and nothing behind it."
        raise ValueError(msg)
    return MemoryStore()


def _sqlite(_url: str, rest: str) -> Store:
    from mcp_server.stores.sqlite import SqliteStore  # noqa: PLC0415

    path = rest.removeprefix("/")
    if not rest.startswith("/") or path in {"", "/"} or path.endswith("/"):
        msg = "The URL of a SQLite file has three slashes before a relative path and four before an absolute one."
        raise ValueError(msg)
    if path == ":memory:" or "?" in path or "\0" in path:
        msg = "The URL of a SQLite file names a file and no options; memory:// is the store without a file."
        raise ValueError(msg)
    return SqliteStore(path)


def _redis(url: str, _rest: str) -> Store:
    try:
        from mcp_server.stores.redis import RedisStore  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise _missing(error, "redis>=6") from None
    return RedisStore(url)


def _postgres(url: str, _rest: str) -> Store:
    try:
        from mcp_server.stores.postgres import PostgresStore  # noqa: PLC0415
    except ImportError as error:  # psycopg raises this, too, if it finds no libpq
        raise _missing(error, "psycopg[binary,pool]>=3.2") from None
    return PostgresStore(url)


def _missing(error: ImportError, library: str) -> ValueError:
    return ValueError(f"This store needs a library that is not installed ({error}): pip install '{library}'")


_OPENERS: Final[dict[str, Callable[[str, str], Store]]] = {
    "memory": _memory,
    "sqlite": _sqlite,
    "redis": _redis,
    "rediss": _redis,
    "postgresql": _postgres,
    "postgres": _postgres,
}
