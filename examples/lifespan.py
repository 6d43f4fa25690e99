"""What lives as long as the server: a store that is opened at the start, given to the tools, and closed at the end."""

import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from typing import Annotated

from pydantic import Field

from mcp_server import Inject, Server, ToolError


class Notes:
    """Notes by title, in a database of their own."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        connection.execute("CREATE TABLE notes (title TEXT PRIMARY KEY, text TEXT)")

    def write(self, title: str, text: str) -> None:
        with self._connection as transaction:
            transaction.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (title, text))

    def read(self, title: str) -> str | None:
        found = self._connection.execute("SELECT text FROM notes WHERE title = ?", (title,)).fetchone()
        return found[0] if found else None


@asynccontextmanager
async def open_notes(_: Server) -> AsyncGenerator[dict[str, Notes]]:
    """Entered before the first call and left after the last one; parameters marked `Inject` are found by their type."""
    with closing(sqlite3.connect(":memory:")) as connection:
        yield {"notes": Notes(connection)}


server = Server("notes", version="1.0.0", lifespan=open_notes)

Title = Annotated[str, Field(min_length=1, max_length=100, description="The title of the note")]
Text = Annotated[str, Field(max_length=10_000, description="What it says")]


@server.tool(destructive=True, idempotent=True)
async def write_note(title: Title, text: Text, notes: Inject[Notes]) -> str:
    """Write a note, over the one that had this title before."""
    notes.write(title, text)
    return f"Noted under {title}."


@server.tool(read_only=True)
async def read_note(title: Title, notes: Inject[Notes]) -> str:
    """Read a note."""
    text = notes.read(title)
    if text is None:
        raise ToolError("There is no note of this title.")
    return text


if __name__ == "__main__":
    server.run()
