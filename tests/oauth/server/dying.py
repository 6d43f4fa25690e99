"""A client that registers, signs in and refreshes, in a process that kills itself behind one of its writes.

python dying.py <url> <prefix> <behind which write>

Between two writes nothing changes in the store, so behind each write is every place at which a kill can be told apart.
What is printed is what the client or the person had been given by then.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from typing import Any

from granting import ASKED, CLIENT, Granting, code_in, say

from mcp_server.oauth.approvals import Person
from mcp_server.oauth.server.options import ServerOptions
from mcp_server.oauth.server.registrations import Registrations
from mcp_server.stores import Store
from tests.store_backends import store_at

WRITES = ("register", "begin", "take", "allow", "redeem", "used", "refresh")
"""What is written, in order."""


def mortal(store: Store, behind: int) -> None:
    """Have the process die behind a write."""
    left = behind

    def dying(write: Any) -> Any:
        async def written(*given: Any, **named: Any) -> Any:
            nonlocal left
            found = await write(*given, **named)
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return found

        return written

    for name in ("put", "add", "take", "swap", "delete"):
        setattr(store, name, dying(getattr(store, name)))


async def live(url: str, prefix: str, behind: int) -> None:
    store = store_at(url, prefix)
    await store.open()
    mortal(store, behind)
    granting = Granting(store)
    registrations = Registrations(store, ServerOptions("https://mcp.example"), time.time)
    client, _ = await registrations.register(CLIENT)
    say("client", client.id)
    identity = await granting.grants.begin(CLIENT, ASKED)
    say("asked", identity)
    code = code_in(await granting.grants.allow(identity, Person("local:anna")))
    say("code", code)
    tokens = await granting.redeem(code)
    await registrations.used(client)
    say("refresh", tokens.refresh or "")
    await granting.refresh(tokens.refresh)
    say("alive")


if __name__ == "__main__":
    asyncio.run(live(sys.argv[1], sys.argv[2], int(sys.argv[3])))
