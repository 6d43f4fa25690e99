"""What is told of each call, and the names under which it may be kept.

A record holds sizes, times and names: never an argument, a header or a token.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Outcome: TypeAlias = Literal["ok", "tool_error", "error", "timeout", "cancelled"]
"""How a call ended: `tool_error` is a result that says so, `error` an error of the protocol."""

UNKNOWN: Final = "unknown"


# One is made per call, and a frozen dataclass costs four times as much to make: it is not frozen, and nothing
# changes it.
@dataclass(slots=True)
class CallRecord:
    """One finished call; strings may be as the caller sent them, because whoever writes them down cleans them."""

    method: str
    target: str | None
    """The tool or prompt that was asked for."""
    argument_bytes: int
    result_bytes: int
    milliseconds: float
    outcome: Outcome
    transport: str
    version: str | None = None
    client: str | None = None
    request_id: int | str | None = None
    reference: str | None = None
    """The word that also stands in the answer, where the answer hides a fault."""
    key: str | None = None
    """The fingerprint of the caller's key: eight hexadecimal digits, or nothing of it is written."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The names that exist here. A stranger can invent any other, so those must not become labels or span names.

    Both may be live views (the keys of the registry's tables): they are asked, not copied.
    """

    methods: Container[str]
    targets: Container[str]

    def method(self, name: str) -> str:
        """The method, or `unknown`."""
        return name if name in self.methods else UNKNOWN

    def target(self, name: str | None) -> str:
        """The tool or prompt, `unknown`, or nothing where the method has no target."""
        if name is None:
            return ""
        return name if name in self.targets else UNKNOWN
