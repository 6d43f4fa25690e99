"""A server whose tools ask for scopes, asked over HTTP by people with tokens."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx2

from mcp_server import Context, Server
from mcp_server.http_server import http_app
from mcp_server.settings import Settings

KEY: Final = "k1-" + "a1b2c3d4" * 4
HOST: Final = "https://api.example.com"
BOTH: Final = "application/json, text/event-stream"


def shop(**options: Any) -> Server:
    """Whatever can be guarded, guarded and not."""
    server = Server("shop", scope_hierarchy={"admin": ["items:write"], "items:write": ["items:read"]}, **options)

    @server.tool
    async def hello() -> str:
        """Anybody may."""
        return "hello"

    @server.tool(scopes=["items:read"])
    async def look(ctx: Context) -> dict[str, Any]:
        """Say who looks."""
        who = ctx.principal
        if who is None:
            return {"nobody": True}
        return {
            "subject": who.subject,
            "client": who.client,
            "issuer": who.issuer,
            "scopes": None if who.scopes is None else sorted(who.scopes),
            "email": who.claims.get("email"),
            "may write": ctx.may("items:write"),
        }

    @server.tool(scopes=["items:write", "stock"])
    async def change() -> str:
        """Two scopes at once."""
        return "changed"

    @server.resource("shop://open")
    async def open_page() -> str:
        return "open"

    @server.resource("shop://books", scopes=["books"])
    async def books() -> str:
        return "secret"

    @server.resource("shop://shelf/{name}", scopes=["books"])
    async def shelf(name: str) -> str:
        return name

    @server.prompt(scopes=["books"])
    async def audit(year: str) -> str:
        return year

    @server.completion("audit", "year")
    async def years(typed: str) -> list[str]:
        return ["2026"]

    @server.completion("shop://shelf/{name}", "name")
    async def names(typed: str) -> list[str]:
        return ["top"]

    return server


class Visitor:
    """Somebody who asks over HTTP, with a token or without."""

    def __init__(self, web: httpx2.AsyncClient, token: str | None) -> None:
        self._web = web
        self._authorization = {} if token is None else {"authorization": f"Bearer {token}"}
        self.session: dict[str, str] = {}

    async def post(self, body: Any, path: str = "/mcp", **headers: str) -> httpx2.Response:
        sent = {"accept": BOTH, **self._authorization, **self.session}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return await self._web.post(path, json=body, headers=sent)

    async def get(self, path: str, **headers: str) -> httpx2.Response:
        return await self._web.get(path, headers={**self._authorization, **headers})

    async def ask(self, method: str, params: Mapping[str, Any] | None = None, path: str = "/mcp") -> httpx2.Response:
        """A request of 2026-07-28."""
        meta: dict[str, Any] = {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        }
        body: dict[str, Any] = {
            "jsonrpc": "2.0",
            "id": 7,
            "method": method,
            "params": {**(params or {}), "_meta": meta},
        }
        headers = {"mcp_protocol_version": "2026-07-28", "mcp_method": method}
        name = (params or {}).get("name") or (params or {}).get("uri")
        if name is not None and method != "completion/complete":
            headers["mcp_name"] = name
        return await self.post(body, path, **headers)

    async def call(self, tool: str, path: str = "/mcp") -> httpx2.Response:
        return await self.ask("tools/call", {"name": tool, "arguments": {}}, path)

    async def names(self, method: str, key: str) -> list[str]:
        result = (await self.ask(method)).json()["result"]
        return [entry["name"] for entry in result[key]]

    async def begin(self, version: str = "2025-11-25") -> httpx2.Response:
        """The handshake of an older client."""
        hello = {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "old", "version": "1"}}
        answer = await self.post({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello})
        assert answer.status_code == 200, answer.text
        self.session = {"mcp-session-id": answer.headers["mcp-session-id"], "mcp-protocol-version": version}
        return answer


class Street:
    """Where the shop is; `visitor` comes with a token."""

    def __init__(self, web: httpx2.AsyncClient) -> None:
        self.web = web

    def visitor(self, token: str | None = None) -> Visitor:
        return Visitor(self.web, token)


@asynccontextmanager
async def street(server: Server | None = None, *, base: str = HOST, **settings: Any) -> AsyncGenerator[Street]:
    """The shop, open, as a stranger from the internet reaches it behind something that ends TLS and adds no header."""
    said: dict[str, Any] = {
        "public_url": HOST,
        "environment": "production",
        "session_secret": "0f" * 8 + "s3ss10n-s3cr3t-ab",
        "rate_limit": "100000/minute",
        **settings,
    }
    app = http_app(server or shop(), Settings(**said))
    transport = httpx2.ASGITransport(app=app, client=("203.0.113.9", 4711))
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url=base.replace("https://", "http://")) as web,
    ):
        yield Street(web)
