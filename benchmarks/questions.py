"""What is asked, as bytes on the wire, and how a right answer is told from a wrong one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from benchmarks.load import Ask, Check

MODERN: Final = "2026-07-28"
HANDSHAKE: Final = "2025-11-25"
_PREFIX: Final = "io.modelcontextprotocol/"


def ask(body: Mapping[str, Any], is_right: Check, **headers: str | None) -> Ask:
    """A POST with a JSON body; `mcp_name` becomes `mcp-name`, and what is None is left out."""
    data = json.dumps(body, separators=(",", ":")).encode()
    lines = {
        "host": "127.0.0.1:8000",
        "user-agent": "benchmark",
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
        "content-length": str(len(data)),
        **{name.replace("_", "-"): value for name, value in headers.items() if value is not None},
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return Ask(f"POST /mcp HTTP/1.1\r\n{head}\r\n".encode() + data, is_right)


def bearer(key: str | None) -> str | None:
    return None if key is None else f"Bearer {key}"


def modern(number: int, method: str, params: Mapping[str, Any], is_right: Check, key: str | None) -> Ask:
    """A request of 2026-07-28, which carries all there is to know."""
    token: Mapping[str, Any] = params.get("_meta", {})
    meta: dict[str, Any] = {f"{_PREFIX}protocolVersion": MODERN, f"{_PREFIX}clientCapabilities": {}, **token}
    meta[f"{_PREFIX}clientInfo"] = {"name": "benchmark", "version": "1"}
    body = {"jsonrpc": "2.0", "id": number, "method": method, "params": {**params, "_meta": meta}}
    return ask(
        body,
        is_right,
        mcp_protocol_version=MODERN,
        mcp_method=method,
        mcp_name=params.get("name"),
        authorization=bearer(key),
    )


def older(
    number: int,
    method: str,
    params: Mapping[str, Any],
    is_right: Check,
    key: str | None,
    *,
    session: str | None = None,
) -> Ask:
    """A request of 2025-11-25, with or without a session."""
    body = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
    version = None if method == "initialize" else HANDSHAKE
    return ask(body, is_right, mcp_protocol_version=version, mcp_session_id=session, authorization=bearer(key))


def initialize(key: str | None) -> Ask:
    """The handshake of 2025-11-25."""
    client = {"name": "benchmark", "version": "1"}
    params = {"protocolVersion": HANDSHAKE, "capabilities": {}, "clientInfo": client}
    return older(0, "initialize", params, lambda body: b'"serverInfo"' in body, key)


def addition(number: int) -> dict[str, Any]:
    """The parameters of the small call."""
    return {"name": "add", "arguments": {"a": number, "b": 1}}


def sum_is(expected: int) -> Check:
    """Whether a call of the small tool has the right result, be it JSON-RPC or the action face."""

    def is_right(body: bytes) -> bool:
        message = json.loads(body)
        result = message.get("result", message)
        return result["structuredContent"] == {"sum": expected} and not result.get("isError", False)

    return is_right


def text_has(size: int) -> Check:
    return lambda body: len(json.loads(body)["result"]["structuredContent"]["text"]) == size


def rows_are(count: int) -> Check:
    """Whether there are so many rows; some wrap a list into an object."""

    def is_right(body: bytes) -> bool:
        found: Any = json.loads(body)["result"]["structuredContent"]
        return len(found if isinstance(found, list) else found["result"]) == count  # pyright: ignore[reportUnknownArgumentType]

    return is_right


def tools_are(count: int) -> Check:
    return lambda body: len(json.loads(body)["result"]["tools"]) == count


def events_are(steps: int) -> Check:
    """Whether a stream has told of every step, and then of the result."""

    def is_right(body: bytes) -> bool:
        data = [line for line in body.decode().splitlines() if line.startswith("data:") and "{" in line]
        messages = [json.loads(line.removeprefix("data:")) for line in data]
        told = [message["params"]["progress"] for message in messages if "method" in message]
        return told == list(range(1, steps + 1)) and messages[-1]["result"]["structuredContent"] == {"sum": steps}

    return is_right
