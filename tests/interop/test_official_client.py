"""The official client, in both of its modes, against `main.py` and the fixture server, each in a process of its own."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal, TypeAlias

import anyio
import mcp_types as types
import pytest
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.subscriptions import PromptsListChanged, ResourcesListChanged, ResourceUpdated, ToolsListChanged
from mcp.shared.exceptions import MCPDeprecationWarning, MCPError

from mcp_server.protocol.versions import NEWEST, NEWEST_LEGACY

Mode: TypeAlias = Literal["auto", "legacy"]

ROOT = Path(__file__).parents[2]
SAMPLE = [str(ROOT / "main.py")]
FIXTURE = [str(ROOT / "tests" / "manifest" / "fixture_server.py")]

both_modes = pytest.mark.parametrize("mode", ["auto", "legacy"])


@asynccontextmanager
async def connected(command: list[str], mode: Mode, **options: Any) -> AsyncGenerator[Client]:
    """The official client, connected to a process that runs this program; no test takes longer than ten seconds."""
    assert sys.__stderr__ is not None
    with anyio.fail_after(10):
        transport = stdio_client(StdioServerParameters(command=sys.executable, args=command), errlog=sys.__stderr__)
        async with Client(transport, mode=mode, **options) as client:
            yield client


@both_modes
def test_it_negotiates_the_newest_version_that_its_mode_has(mode: Mode) -> None:
    async def main() -> None:
        async with connected(SAMPLE, mode) as client:
            assert client.protocol_version == (NEWEST if mode == "auto" else NEWEST_LEGACY)
            assert client.server_info is not None
            assert client.server_info.name == "catalog"
            assert client.instructions is not None

    asyncio.run(main())


@both_modes
def test_it_lists_and_calls_the_tools_of_the_sample(mode: Mode) -> None:
    async def main() -> None:
        async with connected(SAMPLE, mode) as client:
            tools = (await client.list_tools()).tools
            assert [tool.name for tool in tools] == ["search_items", "get_item"]
            found = await client.call_tool("search_items", {"query": "tea", "limit": 1})
            assert found.structured_content is not None
            item = found.structured_content["items"][0]
            fetched = await client.call_tool("get_item", {"id": item["id"]})
            assert fetched.structured_content is not None
            assert fetched.structured_content["id"] == item["id"]

    asyncio.run(main())


@both_modes
def test_it_reads_the_resources_of_the_sample(mode: Mode) -> None:
    async def main() -> None:
        async with connected(SAMPLE, mode) as client:
            assert [str(each.uri) for each in (await client.list_resources()).resources] == ["catalog://items"]
            templates = (await client.list_resource_templates()).resource_templates
            assert [each.uri_template for each in templates] == ["catalog://items/{item_id}"]
            [contents] = (await client.read_resource("catalog://items")).contents
            assert contents.mime_type == "application/json"

    asyncio.run(main())


@both_modes
def test_it_gets_the_prompt_of_the_sample_and_its_completions(mode: Mode) -> None:
    async def main() -> None:
        async with connected(SAMPLE, mode) as client:
            assert [each.name for each in (await client.list_prompts()).prompts] == ["recommend"]
            prompt = await client.get_prompt("recommend", {"need": "a gift"})
            assert isinstance(prompt.messages[0].content, types.TextContent)
            assert "a gift" in prompt.messages[0].content.text
            reference = types.PromptReference(type="ref/prompt", name="recommend")
            proposed = await client.complete(reference, {"name": "need", "value": "a g"})
            assert proposed.completion.values == ["a gift for a gardener"]

    asyncio.run(main())


@both_modes
def test_wrong_arguments_are_a_result_and_an_unknown_tool_is_an_error(mode: Mode) -> None:
    async def main() -> None:
        async with connected(SAMPLE, mode) as client:
            assert (await client.call_tool("search_items", {"query": 5})).is_error
            with pytest.raises(MCPError, match="Unknown tool: nobody"):
                await client.call_tool("nobody", {})

    asyncio.run(main())


@both_modes
def test_content_of_every_kind_arrives(mode: Mode) -> None:
    async def main() -> None:
        async with connected(FIXTURE, mode) as client:
            kinds = [block.type for block in (await client.call_tool("show")).content]
            assert kinds == ["text", "image", "audio", "resource", "resource_link"]

    asyncio.run(main())


@both_modes
def test_structure_arrives_as_its_schema_says(mode: Mode) -> None:
    async def main() -> None:
        async with connected(FIXTURE, mode) as client:
            await client.list_tools()
            assert (await client.call_tool("add", {"a": 1, "b": 2})).structured_content == {"total": 3}
            assert (await client.call_tool("count", {"to": 2})).structured_content == (
                [1, 2] if mode == "auto" else None
            )

    asyncio.run(main())


@both_modes
def test_progress_arrives(mode: Mode) -> None:
    async def main() -> None:
        heard: list[tuple[float, float | None, str | None]] = []

        async def on_progress(progress: float, total: float | None, message: str | None) -> None:
            heard.append((progress, total, message))

        async with connected(FIXTURE, mode) as client:
            await client.call_tool("climb", progress_callback=on_progress)
            assert heard == [(1, 3, "step 1"), (2, 3, "step 2"), (3, 3, "step 3")]

    asyncio.run(main())


@pytest.mark.filterwarnings(f"ignore::{MCPDeprecationWarning.__module__}.{MCPDeprecationWarning.__name__}")
@both_modes
def test_log_messages_arrive_from_the_level_that_was_asked_for(mode: Mode) -> None:
    async def main() -> None:
        heard: list[str] = []

        async def on_log(params: types.LoggingMessageNotificationParams) -> None:
            heard.append(params.level)

        async with connected(FIXTURE, mode, logging_callback=on_log, log_level="warning") as client:
            if mode == "legacy":
                await client.set_logging_level("warning")  # pyright: ignore[reportDeprecated]
            await client.call_tool("chatter")
            await client.call_tool("echo", {"text": "whatever was on its way has come"})
            assert heard == ["warning", "error"]

    asyncio.run(main())


@both_modes
def test_a_call_that_is_given_up_stops(mode: Mode) -> None:
    async def main() -> None:
        async with connected(FIXTURE, mode) as client:
            call = asyncio.create_task(client.call_tool("wait", {"name": "given up"}))
            await client.call_tool("echo", {"text": "the call before has begun"})
            call.cancel()
            while "given up" not in str((await client.call_tool("stopped")).content):
                pass

    asyncio.run(main())


@both_modes
def test_pages_are_followed_to_the_end(mode: Mode) -> None:
    async def main() -> None:
        async with connected([*FIXTURE, "paged"], mode) as client:
            names: list[str] = []
            cursor: str | None = None
            while True:
                page = await client.list_tools(cursor=cursor)
                names += [tool.name for tool in page.tools]
                if (cursor := page.next_cursor) is None:
                    break
            assert names == [f"tool-{number}" for number in range(5)]

    asyncio.run(main())


def test_a_subscription_hears_of_every_change() -> None:
    async def main() -> None:
        async with (
            connected(FIXTURE, "auto") as client,
            client.listen(
                tools_list_changed=True,
                prompts_list_changed=True,
                resources_list_changed=True,
                resource_subscriptions=["fixture://motd"],
            ) as subscription,
        ):
            changes = aiter(subscription)
            for by, event in (
                ("tool", ToolsListChanged()),
                ("prompt", PromptsListChanged()),
                ("resource", ResourcesListChanged()),
            ):
                await client.call_tool("grow", {"by": by})
                assert await anext(changes) == event
            await client.call_tool("touch", {"uri": "fixture://motd"})
            assert await anext(changes) == ResourceUpdated(uri="fixture://motd")
            assert "extra" in [tool.name for tool in (await client.list_tools()).tools]

    asyncio.run(main())


@pytest.mark.filterwarnings(f"ignore::{MCPDeprecationWarning.__module__}.{MCPDeprecationWarning.__name__}")
def test_a_client_of_the_old_kind_hears_of_every_change() -> None:
    async def main() -> None:
        heard: asyncio.Queue[str] = asyncio.Queue()

        async def on_message(message: Any) -> None:
            heard.put_nowait(message.method)

        async with connected(FIXTURE, "legacy", message_handler=on_message) as client:
            for by in ("tool", "prompt", "resource"):
                await client.call_tool("grow", {"by": by})
                assert await heard.get() == f"notifications/{by}s/list_changed"
            await client.subscribe_resource("fixture://motd")  # pyright: ignore[reportDeprecated]
            await client.call_tool("touch", {"uri": "fixture://motd"})
            assert await heard.get() == "notifications/resources/updated"

    asyncio.run(main())


def test_it_hears_for_how_long_a_list_may_be_kept() -> None:
    async def main() -> None:
        async with connected([*FIXTURE, "paged"], "auto") as client:
            first = await client.list_tools()
            assert (first.ttl_ms, first.cache_scope) == (5000, "public")

    asyncio.run(main())
