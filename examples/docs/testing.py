import asyncio

from minimal import server


def test_two_numbers_are_added() -> None:
    async def main() -> None:
        async with server.test_client() as client:
            result = await client.call_tool("add", a=1, b=2)
            assert result.structured == 3

    asyncio.run(main())


def test_a_text_is_no_number() -> None:
    async def main() -> None:
        async with server.test_client() as client:
            result = await client.call_tool("add", a="1", b=2)
            assert result.is_error
            assert result.text == "Invalid arguments: a: must be an integer"

    asyncio.run(main())
