"""What a call says before its answer, and which ids it may bear."""

# Nothing public tells what a call leaves behind.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
from clients import Client, turns
from fakes import FakeService, Tool, meta
from talking import DONE, talk, waits_for_ever

from mcp_server.engine.calls import PROGRESS_AT_ONCE, Call
from mcp_server.engine.in_flight import MAX_IN_FLIGHT
from mcp_server.protocol.messages import LOG_LEVELS
from mcp_server.protocol.results import Result, text_content
from mcp_server.protocol.versions import ALL_VERSIONS, V2025_11_25, V2026_07_28


def progressing(*steps: float) -> Tool:
    async def tool(arguments: dict[str, Any], call: Call) -> Result:
        for step in steps:
            await call.progress(step, 10, "on it")
        return DONE

    return tool


@pytest.mark.parametrize("version", ALL_VERSIONS)
@pytest.mark.parametrize("token", [0, "", "t", 7])
def test_progress_bears_the_token_with_its_type(version: str, token: int | str) -> None:
    async def talking(client: Client) -> Any:
        await client.call("tool", _meta={**(meta() if version == V2026_07_28 else {}), "progressToken": token})
        return client.heard[0]["params"]

    params = talk(progressing(1), talking, version=version)
    assert (params["progressToken"], params["progress"], params["total"]) == (token, 1, 10)


def test_progress_is_told_to_nobody_who_did_not_ask() -> None:
    async def talking(client: Client) -> Any:
        await client.call("tool")
        return client.heard

    assert talk(progressing(1), talking) == []


@pytest.mark.parametrize("odd", [float("nan"), -1.0])
def test_progress_only_ever_grows(odd: float) -> None:
    async def talking(client: Client) -> Any:
        await client.call("tool", _meta=meta(progressToken=1))
        return [heard["params"]["progress"] for heard in client.heard]

    assert talk(progressing(0, 0, 2, 1, 2, odd, 2.5), talking) == [0, 2, 2.5]


def test_progress_that_nobody_could_follow_is_left_out() -> None:
    async def talking(client: Client) -> Any:
        await client.call("tool", _meta=meta(progressToken=1))
        return [heard["params"]["progress"] for heard in client.heard]

    told = talk(progressing(*range(1, 10_001)), talking)
    assert told[:PROGRESS_AT_ONCE] == list(range(1, PROGRESS_AT_ONCE + 1))
    assert told == sorted(set(told))
    assert len(told) < 10_000


def test_progress_needs_neither_a_total_nor_a_message() -> None:
    async def tool(arguments: dict[str, Any], call: Call) -> Result:
        await call.progress(1, None, None)
        return DONE

    async def talking(client: Client) -> Any:
        await client.call("tool", _meta=meta(progressToken=1))
        return client.heard[0]["params"]

    assert talk(tool, talking) == {"progressToken": 1, "progress": 1}


def logging_at(level: str, logger: str | None = None) -> Tool:
    async def tool(arguments: dict[str, Any], call: Call) -> Result:
        await call.log(level, {"a": 1}, logger)
        return DONE

    return tool


@pytest.mark.parametrize("level", LOG_LEVELS)
@pytest.mark.parametrize("wanted", LOG_LEVELS)
def test_a_modern_caller_hears_of_the_levels_that_it_asked_for(level: str, wanted: str) -> None:
    async def talking(client: Client) -> Any:
        await client.call("tool", _meta=meta(logLevel=wanted))
        return len(client.heard)

    assert talk(logging_at(level), talking) == (LOG_LEVELS.index(level) >= LOG_LEVELS.index(wanted))


def test_a_modern_caller_that_names_no_level_hears_nothing() -> None:
    async def talking(client: Client) -> Any:
        await client.call("tool", _meta=meta(logLevel="debug"))
        await client.call("tool")
        return len(client.heard)

    assert talk(logging_at("emergency"), talking) == 1


@pytest.mark.parametrize(("level", "heard"), [("debug", 0), ("info", 1), ("error", 1)])
def test_an_old_caller_hears_of_info_and_worse_before_it_says_anything(level: str, heard: int) -> None:
    async def talking(client: Client) -> Any:
        await client.call("tool")
        return len(client.heard)

    assert talk(logging_at(level), talking, version=V2025_11_25) == heard


def test_an_old_caller_sets_the_level_for_all_that_follows() -> None:
    async def talking(client: Client) -> Any:
        await client.ask("logging/setLevel", {"level": "error"})
        await client.call("tool")
        await client.ask("logging/setLevel", {"level": "debug"})
        await client.call("tool")
        return len(client.heard)

    assert talk(logging_at("warning"), talking, version=V2025_11_25) == 1


@pytest.mark.parametrize(("logger", "named"), [(None, {}), ("db", {"logger": "db"})])
def test_a_log_message_may_name_its_logger(logger: str | None, named: dict[str, str]) -> None:
    async def talking(client: Client) -> Any:
        await client.call("tool", _meta=meta(logLevel="info"))
        return client.heard[0]["params"]

    assert talk(logging_at("info", logger), talking) == {"level": "info", "data": {"a": 1}, **named}


def test_a_number_that_json_does_not_have_is_told_as_null() -> None:
    async def tool(arguments: dict[str, Any], call: Call) -> Result:
        await call.log("info", float("inf"), None)
        return DONE

    async def talking(client: Client) -> Any:
        await client.call("tool", _meta=meta(logLevel="info"))
        return client.heard[0]["params"]["data"]

    assert talk(tool, talking) is None


def test_a_call_knows_when_its_time_is_up() -> None:
    async def tool(arguments: dict[str, Any], call: Call) -> Result:
        assert call.deadline is not None
        return {"content": [], "structuredContent": call.deadline - time.monotonic()}

    async def talking(client: Client) -> Any:
        return (await client.call("tool"))["result"]["structuredContent"]

    assert 59 < talk(tool, talking) <= 60


def test_a_call_without_a_limit_has_no_deadline() -> None:
    async def tool(arguments: dict[str, Any], call: Call) -> Result:
        await asyncio.sleep(0)
        return {"content": [], "structuredContent": call.deadline}

    async def talking(client: Client) -> Any:
        return (await client.call("tool"))["result"]["structuredContent"]

    assert talk(tool, talking, timeout=None) is None


def test_an_id_in_flight_is_refused_and_the_first_call_goes_on() -> None:
    async def main() -> None:
        release = asyncio.Event()

        async def tool(arguments: dict[str, Any], call: Call) -> Result:
            await release.wait()
            return {"content": [text_content(json.dumps(arguments))]}

        client = Client(FakeService({"tool": tool}))
        first = asyncio.create_task(client.call("tool", {"n": 1}, id=5))
        await turns()
        second = await client.call("tool", {"n": 2}, id=5)
        assert second["error"] == {"code": -32600, "message": "This request id is already in flight"}
        release.set()
        assert (await first)["result"]["content"][0]["text"] == '{"n": 1}'
        assert (await client.call("tool", id=5))["result"]

    asyncio.run(main())


def test_a_number_and_the_text_of_it_are_two_ids() -> None:
    async def main() -> None:
        client = Client(FakeService({"tool": waits_for_ever}))
        calls = [asyncio.create_task(client.call("tool", id=identity)) for identity in (5, "5")]
        await turns()
        assert len(client.in_flight) == 2
        await client.cancel("5")
        await calls[1]
        assert not calls[0].done()
        await client.cancel(5)
        await calls[0]

    asyncio.run(main())


def test_there_is_a_limit_to_the_calls_in_flight() -> None:
    async def main() -> None:
        client = Client(FakeService({"tool": waits_for_ever}))
        calls = [asyncio.create_task(client.call("tool")) for _ in range(MAX_IN_FLIGHT)]
        await turns()
        assert (await client.call("tool"))["error"]["code"] == -32600
        await client.cancel(1)
        await calls[0]
        assert (await client.call("echo"))["result"]
        client.connection.close()
        await asyncio.gather(*calls)
        assert len(client.in_flight) == 0

    asyncio.run(main())
