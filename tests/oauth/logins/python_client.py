"""The official Python client with the login that the documentation shows, `examples/docs/login_client.py`."""

from __future__ import annotations

import importlib.util
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Literal, TypeAlias

import anyio
import httpx2
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client

from tests.oauth.logins.hall import Hall
from tests.served import PATIENCE, ROOT

EXAMPLE = ROOT / "examples" / "docs" / "login_client.py"
Mode: TypeAlias = Literal["auto", "legacy"]


def _loaded() -> Any:
    spec = importlib.util.spec_from_file_location("login_client", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


example: Any = _loaded()


@asynccontextmanager
async def connected(house: Hall, kept: Any, mode: Mode = "auto", **how: Any) -> AsyncGenerator[Client]:
    """The client in one of its two modes, signed in or about to be."""
    with anyio.fail_after(4 * PATIENCE), example.Loopback() as back:
        auth = example.signing_in(house.url, kept, back, **how)
        trusted = ssl.create_default_context(cafile=str(house.tls[0]))
        async with (
            httpx2.AsyncClient(auth=auth, timeout=PATIENCE, verify=trusted) as http,
            Client(streamable_http_client(house.url, http_client=http), mode=mode) as client,
        ):
            yield client


async def who(client: Client) -> dict[str, Any]:
    """Who the server says is calling."""
    said = (await client.call_tool("who", {})).structured_content
    assert said is not None
    return said
