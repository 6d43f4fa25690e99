"""The one interface of all stores.

Every operation touches one record and is atomic, in every store, between processes too. Whoever needs two records to
agree puts what must agree into one of them and changes that with `swap`; so no kill between two statements can leave
anything half done.

Keys are chosen by whoever writes. A store holds no secrets in clear: a token's key is its digest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Record:
    """What is stored under a key."""

    key: str
    value: bytes
    owner: str = ""
    expires: float | None = None
    """When it ends, in seconds since the epoch; None if it lasts."""


class StoreUnavailable(Exception):  # noqa: N818 - it is what has happened
    """The store cannot be reached, or cannot write; whoever asked must not take that for an answer."""


class Store(Protocol):
    """Records by kind and key. A record that has expired does not exist, swept or not.

    `lifetime` is in seconds from now; None lasts until it is deleted. Times are the clock of the wall, as records
    outlive processes. Every method may raise `StoreUnavailable`.
    """

    async def open(self) -> None:
        """Connect, and bring the schema up to date; idempotent, and safe when many processes start at once."""
        ...

    async def close(self) -> None:
        """Let go of everything; idempotent."""
        ...

    async def put(self, kind: str, key: str, value: bytes, *, lifetime: float | None, owner: str = "") -> None:
        """Store a record, whether or not there is one already."""
        ...

    async def add(self, kind: str, key: str, value: bytes, *, lifetime: float | None, owner: str = "") -> bool:
        """Store a record if there is none; False if there is. Of many who try at once, one succeeds."""
        ...

    async def get(self, kind: str, key: str) -> Record | None:
        """Read a record."""
        ...

    async def take(self, kind: str, key: str) -> Record | None:
        """Remove a record and give it. Of many who try at once, one gets it."""
        ...

    async def swap(self, kind: str, key: str, before: bytes, after: bytes, *, lifetime: float | None) -> bool:
        """Replace a record's value and lifetime if its value is still `before`; False if not. Its owner stays."""
        ...

    async def delete(self, kind: str, key: str) -> bool:
        """Remove a record; False if there was none."""
        ...

    async def find(self, kind: str, *, owner: str | None = None, after: str = "", limit: int = 100) -> Sequence[Record]:
        """Records of a kind, in the order of their keys, from the first key greater than `after`.

        Args:
            kind: Of which kind.
            owner: Whose; None for everybody's.
            after: The last key of the page before.
            limit: How many at most.
        """
        ...

    async def sweep(self) -> int:
        """Remove what has expired, in portions that stall nobody; returns how many were removed."""
        ...
