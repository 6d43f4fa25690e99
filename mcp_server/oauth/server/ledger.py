"""What the endpoints need to be able to do with grants; not how grants are kept, and not HTTP.

Two stand behind it: `grants.Grants` on our own store, and `provider.ProviderLedger` on what somebody has written for
the official SDK. Whatever a ledger refuses is a `Fault`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from mcp_server.oauth.access import Access
from mcp_server.oauth.server.client import Client


@dataclass(frozen=True, slots=True)
class Request:
    """An authorization request in which everything is in order."""

    redirect_uri: str
    redirect_named: bool
    """Whether the client has named it, and not left it to us because it has only one."""
    scopes: tuple[str, ...]
    resource: str
    challenge: str
    state: str | None


@dataclass(frozen=True, slots=True)
class Proof:
    """What a client brings together with a code."""

    redirect_uri: str | None
    verifier: str
    resource: str | None


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a client gets."""

    access: str
    lifetime: int | None
    scopes: tuple[str, ...]
    refresh: str | None = None


class Ledger(Protocol):
    """Begins grants, continues them and ends them."""

    serves: bool
    """Whether clients can ask in their own name."""

    async def begin(self, client: Client, request: Request) -> str:
        """Give the address to which the browser goes so that a person can decide."""
        ...

    async def redeem(self, client: Client, code: str, proof: Proof) -> Tokens:
        """Give tokens for a code, once."""
        ...

    async def refresh(self, client: Client, token: str, scopes: tuple[str, ...] | None, resource: str | None) -> Tokens:
        """Give new tokens for a refresh token."""
        ...

    async def serve(self, client: Client, scopes: tuple[str, ...], resource: str) -> Tokens:
        """Give a token to a client that asks in its own name."""
        ...

    async def access(self, token: str) -> Access | None:
        """What an access token says; None if it is not good."""
        ...

    async def look(self, token: str) -> Access | None:
        """The same, straight from where grants are kept, and for refresh tokens as well."""
        ...

    async def end(self, client: Client, token: str) -> None:
        """End the grant to which a token of this client belongs; nothing happens with any other text."""
        ...
