"""The whole server with OAuth on, put together from settings as the entry points do it, behind a real uvicorn."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
from argon2 import PasswordHasher

from mcp_server import Server
from mcp_server.http_server import http_app
from mcp_server.oauth.login.passwords import Passwords
from mcp_server.oauth.login.users import Users
from mcp_server.settings import Settings
from mcp_server.stores import Store, open_store
from tests.oauth.login.login_house import PASSWORD, Browser
from tests.oauth.server.issuing import Flow, House, free_socket, listens
from tests.oauth.who import who_server
from tests.store_backends import Clock


@contextmanager
def wired(server: Server | None = None, *, store: str, **settings: Any) -> Generator[House]:
    """A server on this machine, which issues tokens itself."""
    with free_socket() as listening:
        port: int = listening.getsockname()[1]
        said: dict[str, Any] = {
            "oauth_enabled": True,
            "oauth_scopes": "read write",
            "host": "127.0.0.1",
            "port": port,
            "store_url": store,
            "rate_limit": "100000/minute",
            **settings,
        }
        app = http_app(server or who_server(), Settings(**said))
        with listens(app, listening) as loop:
            yield House(f"http://localhost:{port}", app, open_store("memory://"), Clock(time.time()), loop)


def add_user(url: str, name: str = "anna", password: str = PASSWORD) -> None:
    """Make an account whose password costs nothing to check."""

    async def main() -> None:
        store: Store = open_store(url)
        await store.open()
        hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        assert await Users(store, Passwords(hasher)).add(name, password, name.title())
        await store.close()

    asyncio.run(main())


def sqlite(directory: Path) -> str:
    return f"sqlite:///{directory / 'store.db'}"


def discovered(home: House, http: httpx2.Client) -> Mapping[str, Any]:
    """What a client finds out that knows nothing but the address of the server."""
    refused = http.post("/mcp", json=CALL, headers=ACCEPT)
    assert refused.status_code == 401, refused.text
    place = refused.headers["www-authenticate"].partition('resource_metadata="')[2].partition('"')[0]
    resource = http.get(place).json()
    assert resource["resource"] == f"{home.url}/mcp"
    [issuer] = resource["authorization_servers"]
    return http.get(f"{issuer}/.well-known/oauth-authorization-server").json()


def code_from_pages(client: Flow, **changes: str | None) -> str:
    """What the client gets once a person has signed in and allowed it."""
    with Browser() as browser:
        address = client.http.build_request("GET", "/authorize", params=client.asks(**changes)).url
        page = browser.submit(browser.get(str(address)), "/auth/login", name="anna", password=PASSWORD)
        return browser.submit(page, "/auth/consent", decision="allow").sent_to["code"]


def called(http: httpx2.Client, token: str) -> httpx2.Response:
    return http.post("/mcp", json=CALL, headers={**ACCEPT, "authorization": f"Bearer {token}"})


def said_by(answer: httpx2.Response) -> Any:
    assert answer.status_code == 200, answer.text
    return answer.json()["result"]["structuredContent"]


def query_of(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query))


ACCEPT = {
    "accept": "application/json, text/event-stream",
    "mcp-protocol-version": "2026-07-28",
    "mcp-method": "tools/call",
    "mcp-name": "who",
}
CALL: dict[str, Any] = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {
        "name": "who",
        "arguments": {},
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        },
    },
}
