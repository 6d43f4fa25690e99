"""Three awaits in a row, from the official client: in both eras, over both transports, with processes that come and go.

The last is what this is about. In the newest version a round may be taken by any process, also by one that was started
after the question was asked. In older ones the call waits where it is, and the answers find their way to it.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Any, Literal, TypeAlias

import anyio
import httpx2
import pytest
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import ElicitResult
from redis_servers import RUNNING, require_running_redis
from served import KEY, PATIENCE, Site, free_port, served

Mode: TypeAlias = Literal["auto", "legacy"]

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SERVER = [sys.executable, str(HERE / "three_questions.py")]
ANSWERS: Mapping[str, dict[str, Any]] = {
    "Which garment?": {"garment": "coat"},
    "Which size?": {"size": "m"},
    "Which colour?": {"colour": "green"},
}
ANSWERED = [{"garment": "coat"}, {"size": "m"}, {"colour": "green"}]

both_modes = pytest.mark.parametrize("mode", ["auto", "legacy"])


async def ordered(
    way: Any, mode: Mode, before_answering: Callable[[str], None] = lambda _: None
) -> tuple[Any, list[str]]:
    """What the tool says, and what the user was asked."""
    asked: list[str] = []

    async def user(context: Any, params: Any) -> ElicitResult:
        asked.append(params.message)
        await asyncio.to_thread(before_answering, params.message)
        return ElicitResult(action="accept", content=ANSWERS[params.message])

    with anyio.fail_after(3 * PATIENCE):
        async with Client(way, mode=mode, elicitation_callback=user) as client:
            result = await client.call_tool("order", {})
    assert not result.is_error, result.content
    return result.structured_content, asked


def on_stdio(command: list[str], **environment: str) -> Any:
    assert sys.__stderr__ is not None
    variables = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    parameters = StdioServerParameters(command=command[0], args=command[1:], env=variables)
    return stdio_client(parameters, errlog=sys.__stderr__)


async def over_http(
    site: Site, mode: Mode, before_answering: Callable[[str], None] = lambda _: None, *, keep_alive: bool = True
) -> tuple[Any, list[str]]:
    limits = httpx2.Limits() if keep_alive else httpx2.Limits(max_keepalive_connections=0)
    key = {"authorization": f"Bearer {KEY}"}
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(httpx2.AsyncClient(headers=key, timeout=PATIENCE, limits=limits))
        return await ordered(streamable_http_client(f"{site.url}/mcp", http_client=http), mode, before_answering)


def workers(**environment: str) -> Any:
    """Two workers of one server, with Redis between them."""
    require_running_redis()
    app = f"{HERE / 'three_questions.py'}:server"
    return served(MCP_APP=app, WORKERS="2", EVENT_BUS_URL=RUNNING, RATE_LIMIT="1000000/minute", **environment)


@both_modes
def test_over_stdio(mode: Mode) -> None:
    said, asked = asyncio.run(ordered(on_stdio(SERVER), mode))
    assert said["answers"] == ANSWERED
    assert asked == list(ANSWERS)
    assert len(set(said["processes"])) == 1


def test_over_stdio_with_a_process_for_each_round() -> None:
    command = [sys.executable, str(HERE / "process_for_each.py"), *SERVER]
    said, asked = asyncio.run(ordered(on_stdio(command, SESSION_SECRET="what all of the processes know"), "auto"))
    assert said["answers"] == ANSWERED
    assert asked == list(ANSWERS)
    assert len(set(said["processes"])) == 4


@both_modes
def test_over_http_with_two_workers(mode: Mode) -> None:
    with workers() as site:
        seen: set[int] = set()
        # Which worker takes a connection is up to the system, so it may take some orders until both have had a part.
        for _ in range(50):
            said, asked = asyncio.run(over_http(site, mode, keep_alive=False))
            assert said["answers"] == ANSWERED
            assert asked == list(ANSWERS)
            seen |= set(said["processes"])
            if len(seen) == 2:
                break
        assert len(seen) == 2


def test_over_http_with_two_workers_and_a_restart_in_between() -> None:
    port = str(free_port())
    with ExitStack() as first, ExitStack() as second:
        site = first.enter_context(workers(PORT=port))

        def restart(question: str) -> None:
            if question == "Which size?":
                first.close()
                second.enter_context(workers(PORT=port))

        said, asked = asyncio.run(over_http(site, "auto", restart))
    assert said["answers"] == ANSWERED
    assert asked == list(ANSWERS)
    before, after = said["processes"][:2], said["processes"][2:]
    assert not set(before) & set(after)
