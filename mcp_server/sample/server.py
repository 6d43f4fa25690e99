"""The sample server: search a catalogue, then fetch by id.

It shows what a server's author writes, and nothing else: two tools, the same data as resources, a prompt and a
completion. Where the items come from is settled in `source`.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated

from pydantic import Field

from mcp_server import Inject, Server, ToolError, UserMessage, __version__
from mcp_server.sample.catalog import (
    DEFAULT_LIMIT,
    MAX_CURSOR_LENGTH,
    MAX_ID_LENGTH,
    MAX_LIMIT,
    MAX_QUERY_LENGTH,
    Catalog,
    CatalogError,
    Item,
    Page,
)
from mcp_server.sample.source import catalog_from

ItemId = Annotated[str, Field(min_length=1, max_length=MAX_ID_LENGTH, description="The id that a search has shown")]


@asynccontextmanager
async def open_catalog(_: Server) -> AsyncGenerator[dict[str, Catalog]]:
    """The catalogue for as long as the server runs."""
    catalog = catalog_from(os.environ)
    try:
        yield {"catalog": catalog}
    finally:
        await catalog.aclose()


server = Server(
    os.environ.get("APP_NAME") or "catalog",
    version=__version__,
    title="Sample catalogue",
    instructions="Search the catalogue with search_items, then fetch one item with get_item and its id.",
    lifespan=open_catalog,
    timeout=10,
)


@server.tool(title="Search the catalogue", read_only=True, open_world=False)
async def search_items(
    query: Annotated[str, Field(min_length=1, max_length=MAX_QUERY_LENGTH, description="What to look for, in words")],
    catalog: Inject[Catalog],
    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT, description="How many results to show at once")] = DEFAULT_LIMIT,
    cursor: Annotated[
        str | None, Field(max_length=MAX_CURSOR_LENGTH, description="`nextCursor` of the page before, to see the next")
    ] = None,
) -> Page:
    """Find items whose name or description matches the query, best match first."""
    try:
        return await catalog.search(query, limit, cursor)
    except CatalogError as error:
        raise ToolError(str(error)) from error


@server.tool(title="Get one item", read_only=True, open_world=False)
async def get_item(id: ItemId, catalog: Inject[Catalog]) -> Item:  # noqa: A002 - the name that callers use
    """Get everything the catalogue says about one item."""
    try:
        return await catalog.get(id)
    except CatalogError as error:
        raise ToolError(str(error)) from error


@server.resource("catalog://items/{item_id}", title="An item of the catalogue", mime_type="application/json")
async def item(item_id: str, catalog: Inject[Catalog]) -> Item:
    """Everything the catalogue says about one item, as JSON."""
    return await get_item(item_id, catalog)


@server.resource("catalog://items", title="The first items of the catalogue", mime_type="application/json")
async def items(catalog: Inject[Catalog]) -> Page:
    """The first items of the catalogue, by id."""
    return await catalog.search("", MAX_LIMIT)


@server.prompt(title="Recommend something")
def recommend(need: str) -> list[UserMessage]:
    """Ask for a recommendation from the catalogue.

    Args:
        need: What it is for, in a few words.
    """
    return [
        UserMessage(
            f"I am looking for this: {need}\n\n"
            "Search the catalogue, compare the two or three best matches, and recommend one. "
            "Name its price and say what speaks against it."
        )
    ]


@server.completion("recommend", "need")
def complete_need(value: str) -> list[str]:
    """Needs to begin with."""
    needs = [
        "a gift for a gardener",
        "a quiet evening with a book",
        "a warm drink on a hike",
        "testing soil",
    ]
    return [need for need in needs if need.startswith(value.lower())]
