"""What every store demands of a kind, a key and a lifetime, so that all of them accept and refuse the same.

The limits are those of the store that can take the least: PostgreSQL has no NUL in its text, and an index of it
holds no entry of more than 2,700 bytes. A fault here is a mistake in the calling code, therefore a `ValueError`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

Clock = Callable[[], float]
"""Seconds since the epoch."""

LONGEST: Final = 1000
"""How many bytes of UTF-8 a key may have, and an owner."""

LONGEST_KIND: Final = 64

LONGEST_LIFETIME: Final = 100 * 366 * 86_400.0
"""Seconds; what is to last longer lasts until it is deleted."""


def check(kind: str, key: str, owner: str = "") -> None:
    """Raise `ValueError` unless all stores can keep a record under these.

    Raises:
        ValueError: One is missing, too long, or has a character that cannot be stored.
    """
    _check("kind", kind, LONGEST_KIND)
    _check("key", key, LONGEST)
    if owner:
        _check("owner", owner, LONGEST)


def check_search(kind: str, owner: str | None, after: str) -> None:
    """Raise `ValueError` unless all stores can look for these.

    Raises:
        ValueError: There can be no such record.
    """
    _check("kind", kind, LONGEST_KIND)
    for what, text in (("owner", owner), ("key", after)):
        if text:
            _check(what, text, LONGEST)


def check_lifetime(lifetime: float | None) -> None:
    """Raise `ValueError` unless all stores can keep a record for so long.

    Raises:
        ValueError: It is neither a number of seconds that somebody could wait for nor None.
    """
    if lifetime is not None and not abs(lifetime) <= LONGEST_LIFETIME:  # so written, NaN is refused too
        msg = "A lifetime is a number of seconds, at most a hundred years; None lasts until the record is deleted."
        raise ValueError(msg)


def end_of(lifetime: float | None, now: float) -> float | None:
    """The time at which a lifetime that begins now is over.

    Raises:
        ValueError: It is no lifetime.
    """
    check_lifetime(lifetime)
    return None if lifetime is None else now + lifetime


def _check(what: str, text: str, longest: int) -> None:
    if not text:
        msg = f"The {what} of a record is empty; give it one."
        raise ValueError(msg)
    try:
        length = len(text.encode())
    except UnicodeEncodeError:
        msg = f"The {what} of a record has half a surrogate pair, which is not text; use the digest of it instead."
        raise ValueError(msg) from None
    if "\0" in text:
        msg = f"The {what} of a record has a NUL in it, which not every store can keep; use the digest of it instead."
        raise ValueError(msg)
    if length > longest:
        msg = f"The {what} of a record has {length} bytes of {longest} allowed; use the digest of it instead."
        raise ValueError(msg)
