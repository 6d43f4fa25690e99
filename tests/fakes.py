"""A service without a registry, for the tests of the rooms above it."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeAlias

from mcp_server.engine.calls import Call, Principal
from mcp_server.engine.service import Change, Description, Kind, TaskSource
from mcp_server.protocol.errors import bad_cursor, unknown_prompt, unknown_resource, unknown_tool
from mcp_server.protocol.headers import Mirrored
from mcp_server.protocol.results import Prepared, Result, text_content
from mcp_server.protocol.versions import V2026_07_28

Tool: TypeAlias = Callable[[dict[str, Any], Call], Awaitable[Result]]

SERVER_INFO = {
    "name": "fake",
    "version": "1",
    "title": "Fake",
    "description": "For tests",
    "websiteUrl": "https://example.com",
    "icons": [{"src": "https://example.com/icon.png"}],
}
CAPABILITIES = {
    "tools": {"listChanged": True},
    "resources": {"listChanged": True, "subscribe": True},
    "prompts": {"listChanged": True},
    "completions": {},
    "logging": {},
}
_COMMON = {"title": "A title", "icons": [{"src": "https://example.com/i.png"}], "_meta": {"com.example/k": 1}}
_CACHE = {"ttlMs": 0, "cacheScope": "private"}
LISTS: Mapping[Kind, dict[str, Any]] = {
    Kind.TOOLS: {
        "tools": [
            {
                "name": "echo",
                "description": "Says it again",
                "inputSchema": {"type": "object"},
                "outputSchema": {"type": "object"},
                "annotations": {"readOnlyHint": True},
                **_COMMON,
            },
            {"name": "count", "inputSchema": {"type": "object"}, "outputSchema": {"type": "integer"}},
        ],
        **_CACHE,
    },
    Kind.RESOURCES: {
        "resources": [{"uri": "fake://a", "name": "a", "mimeType": "text/plain", "size": 1, **_COMMON}],
        **_CACHE,
    },
    Kind.TEMPLATES: {
        "resourceTemplates": [{"uriTemplate": "fake://{x}", "name": "x", "description": "An x", **_COMMON}],
        **_CACHE,
    },
    Kind.PROMPTS: {
        "prompts": [
            {"name": "ask", "arguments": [{"name": "who", "title": "Who", "required": True}], **_COMMON},
            {"name": "bare"},
        ],
        **_CACHE,
    },
}


async def echo(arguments: dict[str, Any], call: Call) -> Result:
    """Answers at once with its arguments."""
    return {"content": [text_content(json.dumps(arguments))], "structuredContent": arguments}


class FakeService:
    """Answers from what it is given; `tools` are functions, everything else is fixed."""

    def __init__(
        self, tools: Mapping[str, Tool] | None = None, *, capabilities: Mapping[str, Any] | None = None
    ) -> None:
        self.tools: dict[str, Tool] = {"echo": echo, **(tools or {})}
        self.description = Description(SERVER_INFO, CAPABILITIES if capabilities is None else capabilities)
        self.prepared = {kind: Prepared(result) for kind, result in LISTS.items()}
        self.messages: list[dict[str, Any]] = [{"role": "user", "content": text_content("Who?")}]
        self.listeners: list[Callable[[Change], None]] = []
        self.heard: list[Any] = []
        self.open = False
        self.tasks: TaskSource | None = None

    def describe(self) -> Description:
        return self.description

    def lifespan(self) -> AbstractAsyncContextManager[None]:
        return self._lifespan()

    @asynccontextmanager
    async def _lifespan(self) -> AsyncGenerator[None]:
        self.open = True
        try:
            yield
        finally:
            self.open = False

    def watch(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)

    def publish(self, change: Change) -> None:
        for listener in self.listeners:
            listener(change)

    def mirrored_arguments(self, tool: str) -> Sequence[Mirrored]:
        return ()

    async def list(self, kind: Kind, cursor: str | None, call: Call) -> Result | Prepared:
        if cursor:
            raise bad_cursor()
        return self.prepared[kind]

    async def call_tool(self, name: str, arguments: dict[str, Any], call: Call) -> Result:
        if name not in self.tools:
            raise unknown_tool(name)
        return await self.tools[name](arguments, call)

    async def read_resource(self, uri: str, call: Call) -> Result:
        if uri != "fake://a":
            raise unknown_resource(uri)
        return {"contents": [{"uri": uri, "mimeType": "text/plain", "text": "a"}], "ttlMs": 0, "cacheScope": "private"}

    async def get_prompt(self, name: str, arguments: dict[str, str], call: Call) -> Result:
        if name != "ask":
            raise unknown_prompt(name)
        return {"messages": self.messages}

    def check_reading(self, uri: str, principal: Principal | None) -> None: ...

    async def complete(
        self, reference: Mapping[str, Any], argument: str, value: str, context: Mapping[str, str], call: Call
    ) -> Result:
        self.heard = [reference, argument, value, context]
        return {"completion": {"values": [value + "!"], "hasMore": False}}


def meta(version: str = V2026_07_28, **more: Any) -> dict[str, Any]:
    """The metadata of a 2026-07-28 request; `logLevel` and the like are given without their prefix."""
    prefix = "io.modelcontextprotocol/"
    bare = {key: more.pop(key) for key in ("progressToken", "traceparent") if key in more}
    return {
        prefix + "protocolVersion": version,
        prefix + "clientCapabilities": more.pop("capabilities", {}),
        **{prefix + key: value for key, value in more.items()},
        **bare,
    }


def message(method: str, params: Mapping[str, Any] | None = None, identity: int | str | None = None) -> bytes:
    """A request, or a notification if it has no id."""
    body: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
    if identity is not None:
        body["id"] = identity
    if params is not None:
        body["params"] = params
    return json.dumps(body).encode()
