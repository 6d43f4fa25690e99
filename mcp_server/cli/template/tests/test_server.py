"""The tests talk to the server as any client does, in the same process."""

import asyncio

from mcp_server.testing import CallResult

from server import server


def call(tool: str, **arguments: object) -> CallResult:
    async def main() -> CallResult:
        async with server.test_client() as client:
            return await client.call_tool(tool, **arguments)

    return asyncio.run(main())


def test_words_and_characters_are_counted() -> None:
    assert call("count_words", text="so it works").structured == {"words": 3, "characters": 11}


def test_a_number_is_no_text() -> None:
    assert call("count_words", text=5).is_error


def test_the_prompt_holds_the_text() -> None:
    async def main() -> str:
        async with server.test_client() as client:
            messages = await client.get_prompt("shorten", text="so it works")
            return messages[0]["content"]["text"]

    assert asyncio.run(main()).endswith("so it works")
