"""Grants without HTTP: a client that goes from a request to tokens, and a program that does so until it is killed.

python granting.py <url> <prefix>
"""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import dataclass, field
from typing import Any

import httpx2

from mcp_server.oauth.approvals import Person
from mcp_server.oauth.server.client import Client
from mcp_server.oauth.server.grants import Grants, challenge_of
from mcp_server.oauth.server.ledger import Proof, Request, Tokens
from mcp_server.oauth.server.options import ServerOptions
from mcp_server.stores import Store
from tests.store_backends import Clock, store_at

CLIENT = Client("the-client", "A client", redirect_uris=("https://client.example/cb",))
VERIFIER = "v" * 43
PROOF = Proof("https://client.example/cb", VERIFIER, None)
ASKED = Request(
    redirect_uri="https://client.example/cb",
    redirect_named=True,
    scopes=("read",),
    resource="https://mcp.example/mcp",
    challenge=challenge_of(VERIFIER),
    state=None,
)


@dataclass
class Granting:
    """Grants on a store."""

    store: Store
    clock: Any = field(default_factory=lambda: Clock(time.time()))
    options: dict[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        options = ServerOptions("https://mcp.example", **self.options)
        self.grants = Grants(self.store, options, lambda identity: identity, self.clock)

    async def code(self, subject: str = "local:anna") -> str:
        identity = await self.grants.begin(CLIENT, ASKED)
        return code_in(await self.grants.allow(identity, Person(subject)))

    async def redeem(self, code: str) -> Tokens:
        return await self.grants.redeem(CLIENT, code, PROOF)

    async def refresh(self, token: str | None) -> Tokens:
        return await self.grants.refresh(CLIENT, token or "", None, None)

    async def tokens(self, subject: str = "local:anna") -> Tokens:
        return await self.redeem(await self.code(subject))


def code_in(address: str) -> str:
    return httpx2.URL(address).params["code"]


async def work(url: str, prefix: str) -> None:
    """Sign in and refresh without end, and report what has been handed out before the next step is begun."""
    store = store_at(url, prefix)
    await store.open()
    granting = Granting(store)
    say("open")
    while True:
        code = await granting.code()
        say("code", code)
        tokens = await granting.redeem(code)
        say("tokens", code, tokens.access, tokens.refresh or "")
        for _ in range(3):
            tokens = await granting.refresh(tokens.refresh)
            say("tokens", code, tokens.access, tokens.refresh or "")


def say(*words: str) -> None:
    sys.stdout.write(" ".join(words) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1], sys.argv[2]))
