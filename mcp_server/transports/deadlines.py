"""When the host of a request will stop waiting, if it is one that does: AWS Lambda ends a function in mid-sentence."""

from __future__ import annotations

from typing import Final

from starlette.types import Scope

DEADLINE: Final = "mcp.deadline"
"""The key of a scope under which a host says so, on the clock of `time.monotonic`."""


def deadline_of(scope: Scope) -> float | None:
    """The moment at which an answer must be out, or None if the host has patience."""
    return scope.get(DEADLINE)
