"""Lists in pages, and cursors that need no memory.

A cursor holds the last key that was shown and where it stood. If the list changes, the next page goes on behind that
key, or, if it is gone, from its old place, so that nothing is shown twice for a removal elsewhere.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic_core import from_json, to_json

from mcp_server.registry.errors import BadCursor


class Listed(Protocol):
    """What can stand in a list."""

    def listing(self) -> dict[str, Any]:
        """The entry in the list."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """A stretch of a list; the same object until the list changes, so that its rendering may be kept."""

    items: tuple[dict[str, Any], ...]
    next_cursor: str | None


class Pages:
    """One list as it is now, cut into pages."""

    __slots__ = ("_entries", "_kept", "_keys", "_kind", "_places", "_size")

    def __init__(self, kind: str, items: Mapping[str, Listed], size: int) -> None:
        self._kind = kind
        self._size = size
        self._keys: Sequence[str] = tuple(items)
        self._places = {key: place for place, key in enumerate(items)}
        self._entries = tuple(item.listing() for item in items.values())
        self._kept: dict[int, Page] = {}

    def page(self, cursor: str | None) -> Page:
        """The page behind a cursor, or the first; raises `BadCursor`."""
        start = 0 if cursor is None else self._start(cursor)
        if start % self._size:
            return self._cut(start)  # only after a change; not kept, as there may be one for each entry
        page = self._kept.get(start)
        return page or self._kept.setdefault(start, self._cut(start))

    def _cut(self, start: int) -> Page:
        end = start + self._size
        more = end < len(self._keys)
        return Page(self._entries[start:end], _cursor(self._kind, end, self._keys[end - 1]) if more else None)

    def _start(self, cursor: str) -> int:
        place, key = _read(self._kind, cursor)
        last = self._places.get(key)
        return min(place - 1, len(self._keys)) if last is None else last + 1


def _cursor(kind: str, place: int, key: str) -> str:
    return urlsafe_b64encode(to_json([kind, place, key])).decode("ascii").rstrip("=")


def _read(kind: str, cursor: str) -> tuple[int, str]:
    """What a cursor says; only exactly what was given out is taken."""
    try:
        fields = from_json(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError:
        raise BadCursor("unknown cursor") from None
    match fields:
        case [str(of), int(place), str(key)] if of == kind and place > 0 and _cursor(of, int(place), key) == cursor:
            return place, key
        case _:
            raise BadCursor("unknown cursor")
