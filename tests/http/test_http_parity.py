"""The same call by every way in has the same payload."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest
from fakes import message, meta
from http_children import PATIENCE, ROOT, environment
from http_driver import Visit, Web, rpc, serving

from mcp_server.protocol.versions import LEGACY_VERSIONS, V2024_11_05, V2025_03_26
from mcp_server.sample.server import server as sample

TOOL, ARGUMENTS = "search_items", {"query": "tea", "limit": 2}
Payload: TypeAlias = tuple[str, Any]
"""The text of an answer and its structure; None where the version has no structure."""


def of_result(result: dict[str, Any]) -> Payload:
    (block,) = result["content"]
    assert not result.get("isError", False)
    return block["text"], result.get("structuredContent")


def of_action(body: dict[str, Any]) -> Payload:
    assert body["isError"] is False
    return body["output"], body["structuredContent"]


def by_stdio() -> Payload:
    """Through `main.py`, as a host starts it."""
    call = message("tools/call", {"name": TOOL, "arguments": ARGUMENTS, "_meta": meta()}, 1)
    done = subprocess.run(
        [sys.executable, ROOT / "main.py"],
        input=call + b"\n",
        capture_output=True,
        env=environment(),
        cwd=os.sep,
        timeout=PATIENCE,
        check=True,
    )
    return of_result(json.loads(done.stdout)["result"])


def over_http(ask: Callable[[Web], Any], read: Callable[[Visit], Payload]) -> Payload:
    async def main() -> Payload:
        async with serving(sample) as web:
            return read(await ask(web))

    return asyncio.run(main())


def modern(path: str) -> Payload:
    return over_http(lambda web: web.call(TOOL, ARGUMENTS, path=path), lambda answer: of_result(answer.result))


def legacy(version: str, path: str) -> Payload:
    async def ask(web: Web) -> Visit:
        return await (await web.session(version)).call(TOOL, ARGUMENTS, path=path)

    return over_http(ask, lambda answer: of_result(answer.result))


def action(path: str) -> Payload:
    body = {"action": "call_tool", "name": TOOL, "arguments": ARGUMENTS}
    return over_http(lambda web: web.ask(body, path=path), lambda answer: of_action(answer.message))


def by_the_old_stream() -> Payload:
    async def ask(web: Web) -> Visit:
        stream = web.open(method="GET", path="/mcp/sse")
        await stream.until(lambda: len(stream.events) == 1)
        address = stream.events[0]["data"]
        hello: dict[str, Any] = {"protocolVersion": V2024_11_05, "capabilities": {}}
        await web.ask(rpc("initialize", hello, 0), path=address)
        await web.ask(rpc("tools/call", {"name": TOOL, "arguments": ARGUMENTS}, 1), path=address)
        await stream.until(lambda: stream.messages[-1:] != [] and stream.messages[-1]["id"] == 1)
        stream.hang_up()
        return await stream.done()

    return over_http(ask, lambda stream: of_result(stream.result))


WAYS: dict[str, Callable[[], Payload]] = {
    "/mcp": lambda: modern("/mcp"),
    "/mcp/sse": lambda: modern("/mcp/sse"),
    "action": lambda: action("/mcp"),
    "action /mcp/sse": lambda: action("/mcp/sse"),
    "GET /mcp/sse": by_the_old_stream,
    **{f"{version} /mcp": lambda version=version: legacy(version, "/mcp") for version in LEGACY_VERSIONS},
    **{f"{version} /mcp/sse": lambda version=version: legacy(version, "/mcp/sse") for version in LEGACY_VERSIONS},
}


@pytest.fixture(scope="module")
def expected() -> Payload:
    text, structure = by_stdio()
    assert json.loads(text) == structure
    assert len(structure["items"]) == 2
    return text, structure


@pytest.mark.parametrize("way", list(WAYS))
def test_the_same_call_has_the_same_payload(expected: Payload, way: str) -> None:
    has_structure = way not in (
        "GET /mcp/sse",
        *(f"{v} {p}" for v in (V2024_11_05, V2025_03_26) for p in ("/mcp", "/mcp/sse")),
    )
    assert WAYS[way]() == (expected[0], expected[1] if has_structure else None)
