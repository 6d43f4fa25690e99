"""What the guards know about a request, for each other and for those who come after: limits, logs, the engine.

Must not know what a request says, nor hold a key: only the name we gave to one.
"""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from typing import Any, Protocol

UNKNOWN = "unknown"
"""The address of everybody who has none: peers of a Unix socket, some load balancer events. One bucket for all."""


class Bearer(Protocol):
    """Whom a token names. Guards look at the name; those who come after know what else there is."""

    @property
    def name(self) -> str:
        """The same for every token of one person at one program."""
        ...


class Caller:
    """Filled in on the way in (`address`, then `key`) and, when a guard says no, on the way out (`refused`).

    `key` is the fingerprint of a key or the name of a bearer. `bearer` may be known before it is let in, and `fault` is
    what was wrong with a token, for the log.

    `headers` are the request's own, by lower-case name. A header that was sent twice has its values joined by a
    comma, as HTTP defines it; where only one makes sense (`Host`, `Authorization`), the pair is no valid value.
    """

    # How it stands with every caller at first; it is not worth a line of `__init__` a request.
    address: str = UNKNOWN
    key: str | None = None
    bearer: Bearer | None = None
    fault: str | None = None
    refused: str | None = None
    standing: tuple[tuple[bytes, bytes], ...] = ()
    """Headers that go with whatever is answered, such as how many requests are left."""

    def __init__(self, raw: Sequence[tuple[bytes, bytes]]) -> None:
        headers = dict(raw)
        self.headers = headers if len(headers) == len(raw) else _joined(raw)


def caller_of(scope: MutableMapping[str, Any]) -> Caller:
    """Give the caller of this request, a new one the first time it is asked for."""
    caller: Caller | None = scope.get("mcp")
    if caller is None:
        caller = scope["mcp"] = Caller(scope["headers"])
    return caller


def _joined(raw: Sequence[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    headers: dict[bytes, bytes] = {}
    for name, value in raw:
        headers[name] = b"%b, %b" % (headers[name], value) if name in headers else value
    return headers
