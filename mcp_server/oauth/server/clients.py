"""Who is meant by a client id: a client of the operator's, a registered one, or one with a document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from mcp_server.oauth.server.client import Client
from mcp_server.oauth.server.documents import Documents


class Registry(Protocol):
    """Where clients are kept that have registered."""

    async def register(self, client: Client) -> tuple[Client, str | None]:
        """Give a client an id, and a secret if it will use one."""
        ...

    async def find(self, identity: str) -> Client | None:
        """The client with this id."""
        ...

    async def used(self, client: Client) -> None:
        """Have a registration last on, because somebody has signed in with it."""
        ...


class Clients:
    """Finds clients.

    Args:
        known: Those that the operator has named; nobody else can take their ids.
        registry: Those that have registered.
        documents: Those that are known by a document.
    """

    def __init__(self, known: Sequence[Client], registry: Registry, documents: Documents) -> None:
        self._known = {client.id: client for client in known}
        self.registry = registry
        self._documents = documents

    async def find(self, identity: str) -> Client | None:
        """The client with this id, or None.

        Raises:
            Fault: It cannot be found out at the moment.
        """
        if (client := self._known.get(identity)) is not None:
            return client
        if self._documents.accepts(identity):
            return await self._documents.find(identity)
        return await self.registry.find(identity)

    async def keys(self, client: Client) -> tuple[Mapping[str, Any], ...]:
        """The public keys of a client.

        Raises:
            Fault: They cannot be had.
        """
        return client.keys or await self._documents.keys(client)

    async def used(self, client: Client) -> None:
        """Note that somebody has signed in with a client."""
        if client.known_by == "registration":
            await self.registry.used(client)
