"""The catalogue that ships with the package: a readable JSON file, searched by SQLite's FTS5 in memory.

Must not know of HTTP or of any configuration. Three things happen here, in the order of the file: words of a query
become an FTS5 expression that cannot fail to parse; a position becomes a cursor that only this query over this data
accepts; the file becomes an index at its first use and is only read afterwards.

A question takes the thread that asks for some hundred microseconds, so that it is answered where it is asked, on the
event loop too. One lock serialises the connection, which makes the catalogue safe to share between threads whatever
way SQLite was compiled.
"""

from __future__ import annotations

import json
import re
import unicodedata
from base64 import urlsafe_b64decode, urlsafe_b64encode
from contextlib import closing
from dataclasses import dataclass
from hashlib import blake2b
from importlib.resources import files
from threading import Lock
from typing import TYPE_CHECKING, Final

from pydantic import TypeAdapter

from mcp_server.sample.catalog import (
    DEFAULT_LIMIT,
    BadCursor,
    CatalogUnavailable,
    Item,
    ItemNotFound,
    ItemSummary,
    Page,
    check_bounds,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Mapping

_WORD: Final = re.compile(r"[^\W_]+")
_MAX_WORDS: Final = 32
_FUNCTION_WORDS: Final = frozenset(
    {"a", "an", "and", "at", "by", "for", "from", "in", "of", "on", "or", "some", "something", "the", "to", "with"}
)

_NO_FTS5: Final = (
    "The embedded catalogue needs SQLite with FTS5, which this Python lacks. Install a Python built against a "
    "complete SQLite (3.27 or newer, as in the official builds and images), or set API_BASE_URL."
)
_CREATE: Final = """
    CREATE VIRTUAL TABLE items
    USING fts5(id UNINDEXED, name, tags, category, summary, description,
               tokenize = 'porter unicode61 remove_diacritics 2')
"""
_INSERT: Final = "INSERT INTO items VALUES (?, ?, ?, ?, ?, ?)"
_RANKED: Final = "SELECT id FROM items WHERE items MATCH ? ORDER BY bm25(items, 0, 8, 4, 2, 2, 1), id"
_ITEMS: Final = TypeAdapter(tuple[Item, ...])


def read_shipped_items() -> bytes:
    """The JSON file beside this module, from a directory or out of a zip."""
    return files("mcp_server.sample").joinpath("items.json").read_bytes()


@dataclass(frozen=True, slots=True)
class _Question:
    """A query reduced to its words: what two queries that ask the same have in common."""

    words: tuple[str, ...]
    blank: bool

    @classmethod
    def of(cls, query: str) -> _Question:
        every = _WORD.findall(unicodedata.normalize("NFKC", query).lower())[:_MAX_WORDS]
        telling = [word for word in every if word not in _FUNCTION_WORDS]
        return cls(words=tuple(telling or every), blank=not query.strip())

    def expressions(self) -> tuple[str, ...]:
        """What to ask FTS5, strictest first: every word, then any word.

        Each word stands in quotes, where FTS5 knows no operators, and holds letters and digits only. The last one may
        be the beginning of a word, since it may still be being typed; asked for in both ways, a whole word ranks
        above a beginning.
        """
        if not self.words:
            return ()
        terms = [f'"{word}"' for word in self.words]
        terms[-1] = f"({terms[-1]} OR {terms[-1]}*)"
        every = " AND ".join(terms)
        return (every,) if len(terms) == 1 else (every, " OR ".join(terms))


@dataclass(frozen=True, slots=True)
class _Cursors:
    """Positions as opaque text, each bound to its question and to the data by a digest.

    Nothing is stored, so every process that holds the same data accepts the same cursors. The digest guards against
    mistakes, not malice: a forged cursor could do no more than skip results that are public anyway.
    """

    data_digest: bytes

    def at(self, question: _Question, offset: int) -> str:
        position = offset.to_bytes(4, "big")
        bound = json.dumps([question.words, question.blank]).encode()
        seal = blake2b(position + bound, key=self.data_digest, digest_size=11).digest()
        return urlsafe_b64encode(position + seal).decode()

    def offset(self, question: _Question, cursor: str | None) -> int:
        if cursor is None:
            return 0
        try:
            offset = int.from_bytes(urlsafe_b64decode(cursor)[:4], "big")
        except ValueError:
            raise BadCursor from None
        if self.at(question, offset) != cursor:
            raise BadCursor
        return offset


@dataclass(frozen=True, slots=True)
class _Index:
    """The opened catalogue; `connection` is used under the lock of its owner only."""

    connection: sqlite3.Connection
    items: Mapping[str, Item]
    summaries: Mapping[str, ItemSummary]
    cursors: _Cursors

    def ids(self, question: _Question) -> list[str]:
        """Every id that answers the question, best first; equal ranks in the order of their ids."""
        if question.blank:
            return sorted(self.items)
        for expression in question.expressions():
            with closing(self.connection.execute(_RANKED, (expression,))) as rows:
                found = [item_id for (item_id,) in rows]
            if found:
                return found
        return []


class EmbeddedCatalog:
    """Searches the items that `read` returns; opens at the first question, never at construction."""

    def __init__(self, read: Callable[[], bytes] = read_shipped_items) -> None:
        self._read = read
        self._lock = Lock()
        self._index: _Index | None = None

    async def search(self, query: str, limit: int = DEFAULT_LIMIT, cursor: str | None = None) -> Page:
        """The page that `cursor` points at; raises as `Catalog.search` says."""
        check_bounds(query, limit, cursor)
        question = _Question.of(query)
        with self._lock:
            index = self._opened()
            start = index.cursors.offset(question, cursor)
            ids = index.ids(question)
        end = start + limit
        return Page(
            items=[index.summaries[item_id] for item_id in ids[start:end]],
            next_cursor=index.cursors.at(question, end) if end < len(ids) else None,
            total=len(ids),
        )

    async def get(self, item_id: str) -> Item:
        """The item with exactly this id; raises `ItemNotFound` or `CatalogUnavailable`."""
        with self._lock:
            item = self._opened().items.get(item_id)
        if item is None:
            raise ItemNotFound
        return item

    async def aclose(self) -> None:
        """Free the index; the next question builds it anew."""
        with self._lock:
            index, self._index = self._index, None
            if index is not None:
                index.connection.close()

    def _opened(self) -> _Index:
        if self._index is None:
            self._index = _open(self._read())
        return self._index


def _open(data: bytes) -> _Index:
    items = {item.id: item for item in _ITEMS.validate_json(data)}
    return _Index(
        connection=_indexed(items),
        items=items,
        summaries={item.id: _summary_of(item) for item in items.values()},
        cursors=_Cursors(blake2b(data, digest_size=32).digest()),
    )


def _summary_of(item: Item) -> ItemSummary:
    return ItemSummary.model_validate(item.model_dump(include=set(ItemSummary.model_fields)))


def _indexed(items: Mapping[str, Item]) -> sqlite3.Connection:
    try:
        import sqlite3  # noqa: PLC0415 - some builds of Python lack it; nobody should pay or fail before a question
    except ImportError as error:
        raise CatalogUnavailable(_NO_FTS5) from error
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    try:
        connection.execute(_CREATE)
    except sqlite3.OperationalError as error:
        connection.close()
        raise CatalogUnavailable(_NO_FTS5) from error
    connection.executemany(_INSERT, (_row(item) for item in items.values()))
    connection.execute("PRAGMA query_only = ON")
    return connection


def _row(item: Item) -> tuple[str, ...]:
    return item.id, item.name, " ".join(item.tags), item.category, item.summary, item.description
