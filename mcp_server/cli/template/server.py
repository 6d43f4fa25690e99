"""An MCP server with a tool, a resource and a prompt. Change them into yours."""

from typing import Annotated

from mcp_server import Server
from pydantic import BaseModel, Field

server = Server("my-server", version="0.1.0", instructions="Count words with count_words before you judge a text.")

Text = Annotated[str, Field(max_length=100_000, description="The text to look at")]


class Count(BaseModel):
    """What count_words answers."""

    words: int
    characters: int


@server.tool(read_only=True)
def count_words(text: Text) -> Count:
    """Count the words and the characters of a text."""
    return Count(words=len(text.split()), characters=len(text))


@server.resource("style://guide")
def style_guide() -> str:
    """How texts should be written."""
    return "Short sentences. Plain words. At most 200 words."


@server.prompt
def shorten(text: str) -> str:
    """Ask for a shorter version of a text."""
    return f"Read the resource style://guide, then shorten this text accordingly:\n\n{text}"


if __name__ == "__main__":
    server.run()
