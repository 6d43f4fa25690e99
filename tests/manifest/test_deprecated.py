"""What 2026-07-28 has deprecated goes on working; the author of a tool hears of it, and nobody else."""

# pyright: reportDeprecated=false

from __future__ import annotations

import asyncio
import inspect
import warnings
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from mcp_server import Context, Server
from mcp_server.protocol.versions import V2025_11_25, V2026_07_28

USES: dict[str, Callable[[Context], Awaitable[Any]]] = {
    "Logging is": lambda ctx: ctx.info("a fact"),
    "Logging is ": lambda ctx: ctx.log("error", "a failure"),
    "Sampling is": lambda ctx: ctx.sample("Say something"),
    "Roots are": lambda ctx: ctx.roots(),
}
SAID = {"role": "assistant", "model": "m", "content": {"type": "text", "text": "hello"}}


def answers(method: str, _params: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"roots": []} if method == "roots/list" else SAID


def warned_of(use: Callable[[Context], Awaitable[Any]], version: str, calls: int = 1) -> tuple[list[Any], list[str]]:
    """What Python warns of while a tool is called so often, and what the caller gets to see."""
    server = Server("s", lint="off")

    @server.tool
    async def tool(ctx: Context) -> str:
        """Use it."""
        return f"used {await use(ctx) is None}"

    async def main() -> list[str]:
        async with server.test_client(version, answers=answers) as client:
            results = [await client.call_tool("tool") for _ in range(calls)]
            return [str(each) for each in (*results, *client.notifications)]

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        return caught, asyncio.run(main())


@pytest.mark.requirement("B16")
@pytest.mark.parametrize("version", [V2025_11_25, V2026_07_28])
@pytest.mark.parametrize("said", USES)
def test_whoever_uses_it_is_warned_once_for_the_place(said: str, version: str) -> None:
    caught, seen = warned_of(USES[said], version, calls=3)
    [warning] = caught
    assert warning.category is DeprecationWarning
    assert str(warning.message).startswith(f"{said.strip()} deprecated since MCP 2026-07-28: ")
    assert (warning.filename, warning.lineno) == (__file__, inspect.getsourcelines(USES[said])[1])
    assert "deprecated" not in "".join(seen)


@pytest.mark.requirement("B16")
def test_whoever_does_not_use_it_is_not_warned() -> None:
    caught, seen = warned_of(lambda ctx: ctx.progress(1), V2026_07_28)
    assert (caught, len(seen)) == ([], 1)
