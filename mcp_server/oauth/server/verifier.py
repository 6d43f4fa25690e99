"""Whether a token of ours is good.

The answer may be `revocation_delay` seconds old when another process has revoked the token in the meantime (5 unless it
is set; 0 asks the store each time). What this process revokes counts at once.
"""

from __future__ import annotations

from dataclasses import replace

from mcp_server.oauth.access import Access, VerifierUnavailable
from mcp_server.oauth.server.faults import Fault
from mcp_server.oauth.server.ledger import Ledger
from mcp_server.stores import StoreUnavailable


class OwnTokens:
    """A `TokenVerifier` for the tokens of a ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def verify(self, token: str, *, anew: bool = False) -> Access | None:
        """Give what a token says, or None; with `anew`, straight from where it is kept.

        Raises:
            VerifierUnavailable: The store is away.
        """
        try:
            access = await (self._ledger.look(token) if anew else self._ledger.access(token))
        except (StoreUnavailable, Fault) as error:
            raise VerifierUnavailable("The store of tokens cannot be reached.") from error
        return None if access is None else replace(access, remembered=True)
