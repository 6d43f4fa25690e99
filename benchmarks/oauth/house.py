"""The server, put together from settings as the entry points do it, with everything on that costs something."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final
from unittest.mock import patch

from starlette.applications import Starlette

from benchmarks.oauth.callers import ORIGIN, PASSWORD
from benchmarks.oauth.clock import without_the_writer
from mcp_server import Context, Server
from mcp_server.http_server import http_app
from mcp_server.oauth.login.passwords import Passwords
from mcp_server.oauth.login.users import Users
from mcp_server.observe.logs import configure
from mcp_server.settings import Settings
from mcp_server.stores import Store, open_store
from mcp_server.stores.memory import MemoryStore

logger = logging.getLogger(__name__)

KEY: Final = "a-key-for-benchmarks-of-more-than-32-characters"
_ANY_NUMBER: Final = "100000000/minute"


def settings_for(store: str, delay: int) -> Settings:
    """What an operator would set, but that nobody is refused for asking too often."""
    said: dict[str, Any] = {
        "oauth_enabled": True,
        "public_url": ORIGIN,
        "store_url": store,
        "mcp_api_key": KEY,
        "session_secret": KEY,
        "metrics_enabled": True,
        "oauth_revocation_delay": delay,
        "rate_limit": _ANY_NUMBER,
        "oauth_rate": _ANY_NUMBER,
        "oauth_registration_rate": _ANY_NUMBER,
        "oauth_registrations_per_day": 100_000_000,
    }
    return Settings.model_validate(said)


def server() -> Server:
    """A server with one tool, which says who calls."""
    found = Server("benchmark")

    @found.tool
    async def who(ctx: Context) -> dict[str, str]:  # pyright: ignore[reportUnusedFunction] - it is registered
        """Say who calls."""
        caller = ctx.principal
        return {"subject": caller.subject, "client": caller.client} if caller else {}

    return found


@asynccontextmanager
async def running(settings: Settings) -> AsyncGenerator[Starlette]:
    """The application, from its beginning to its end. What it logs is written, to nowhere."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: ASYNC230, PTH123 - nothing is waited for
        calls = configure("INFO", "json", stream=nowhere, access=False)
        app = http_app(server(), settings, calls)
        logger.info("This line begins the thread that writes the log.")
        with without_the_writer():
            async with app.router.lifespan_context(app):
                yield app
        calls.close()


@contextmanager
def reachable(url: str) -> Generator[Store]:
    """The store of a URL. One in memory is reached by nobody but who has made it, so all who ask get the same."""
    store = open_store(url)
    if isinstance(store, MemoryStore):
        with patch("mcp_server.oauth.issuing.open_store", return_value=store):
            yield store
    else:
        yield store


async def add_people(store: Store, names: list[str]) -> None:
    """Make accounts, as `mcp-server users add` does."""
    await store.open()
    users = Users(store, Passwords())
    for name in names:
        if not await users.add(name, PASSWORD, name.title()):
            raise RuntimeError(f"there is a user {name} already")
    await store.close()
