"""Which scopes a caller has, and whether they are enough.

A scope is a word in a token that lets its bearer do something. One may imply others: whoever may write may read. Scopes
limit tokens only. The holder of a key may do everything, and so may whoever calls where nobody has to say who they
are: a process that was started by its user, a test.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from mcp_server.engine.calls import Principal
from mcp_server.protocol.errors import insufficient_scope

_MOST_KEPT: Final = 256


class Hierarchy:
    """Which scopes imply which: `{"admin": ["write"], "write": ["read"]}`, over any number of steps.

    Raises:
        ValueError: What is implied is written as one string, which would be taken for its letters.
    """

    def __init__(self, implied: Mapping[str, Collection[str]] | None = None) -> None:
        for scope, others in (implied or {}).items():
            if isinstance(others, str):
                msg = f"what {scope!r} implies is a collection: write [{others!r}]"
                raise ValueError(msg)  # noqa: TRY004 - the type of what is in it is right, the value is not
        self._implied = {scope: frozenset(others) for scope, others in (implied or {}).items()}
        self._kept: dict[frozenset[str], frozenset[str]] = {}

    def of(self, scopes: frozenset[str]) -> frozenset[str]:
        """These scopes and everything that they imply."""
        if not self._implied:
            return scopes
        found = self._kept.get(scopes)
        if found is None:
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            found = self._kept[scopes] = self._closure(scopes)
        return found

    def held_by(self, principal: Principal | None) -> frozenset[str] | None:
        """What a caller may do; None if scopes do not limit it."""
        return None if principal is None or principal.scopes is None else self.of(principal.scopes)

    def allow(self, principal: Principal | None, needed: frozenset[str]) -> bool:
        """Whether a caller has all the scopes that something needs."""
        held = self.held_by(principal)
        return held is None or needed <= held

    def check(self, principal: Principal | None, needed: frozenset[str]) -> None:
        """Let a caller go on who has all the scopes that something needs.

        Raises:
            ProtocolError: It has not.
        """
        if not self.allow(principal, needed):
            raise insufficient_scope(needed)

    def _closure(self, scopes: frozenset[str]) -> frozenset[str]:
        found, unseen = set(scopes), list(scopes)
        while unseen:
            new = self._implied.get(unseen.pop(), frozenset()) - found
            found |= new
            unseen += new
        return frozenset(found)
