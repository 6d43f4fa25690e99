"""What commands do with the store of a server: it is found where the server itself would find it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from mcp_server.cli.problem import Problem

if TYPE_CHECKING:
    from mcp_server.settings import Settings
    from mcp_server.stores import Store

T = TypeVar("T")


def with_store(work: Callable[[Store, Settings], Awaitable[T]]) -> T:
    """Do something with the store that the environment, or a .env file here, names; raises `Problem`."""
    from mcp_server.settings import SettingsError, load_settings
    from mcp_server.stores import StoreUnavailable, open_store

    try:
        settings = load_settings(Path(".env"), listening=False)
        url = settings.store
    except SettingsError as error:
        raise Problem("The settings cannot be used", str(error)) from None
    if url == "memory://":
        raise Problem("STORE_URL is memory://, which no other process sees", "Set it to a file or a database.")

    async def main() -> T:
        store = open_store(url)
        await store.open()
        try:
            return await work(store, settings)
        finally:
            await store.close()

    try:
        return asyncio.run(main())
    except (ValueError, StoreUnavailable) as error:
        raise Problem("The store cannot be used", str(error)) from None
