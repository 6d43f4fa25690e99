"""The official client is answered on a stream, its token expires meanwhile, and nobody notices."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any

import httpx2
import mcp
import pytest
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from pydantic import AnyUrl

from mcp_server import Context, Server
from mcp_server.oauth import issuing
from mcp_server.oauth.server import ServerOptions
from mcp_server.settings import Settings
from mcp_server.transports.journals import Journal
from mcp_server.transports.streams import Streams
from tests.oauth.wired import wired

PATIENCE = 60.0


class Kept:
    """What the client keeps."""

    tokens: OAuthToken | None = None
    client: OAuthClientInformationFull | None = None
    signed_in = 0

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


def official(url: str, kept: Kept) -> OAuthClientProvider:
    back: list[httpx2.URL] = []

    async def redirect(address: str) -> None:
        kept.signed_in += 1
        async with httpx2.AsyncClient(trust_env=False, headers={"accept": "text/plain"}) as browser:
            page = httpx2.URL(address).join((await browser.get(address)).headers["location"])
            back.append(httpx2.URL((await browser.get(page)).headers["location"]))

    async def callback() -> AuthorizationCodeResult:
        found = back[-1].params
        return AuthorizationCodeResult(code=found["code"], state=found["state"], iss=found["iss"])

    about = OAuthClientMetadata(redirect_uris=[AnyUrl("http://127.0.0.1:1455/cb")], client_name="Official")
    return OAuthClientProvider(f"{url}/mcp", about, kept, redirect, callback)


def test_the_official_client_comes_back_for_its_answer_with_the_next_token(monkeypatch: pytest.MonkeyPatch) -> None:
    options = issuing.options_from

    # The shortest that a setting allows is a minute.
    def short(settings: Settings, **further: Any) -> ServerOptions:
        return replace(options(settings, **further), access_lifetime=2)

    monkeypatch.setattr(issuing, "options_from", short)
    resume, resumed = Streams.resume, list[int]()

    async def counted(streams: Streams, journal: Journal, place: int, *ends: Any) -> None:
        resumed.append(place)
        await resume(streams, journal, place, *ends)

    monkeypatch.setattr(Streams, "resume", counted)
    began: list[float] = []
    server = Server("slow")

    @server.tool
    async def outlive(ctx: Context) -> str:
        """Take longer than the token of the call lasts."""
        who = ctx.principal
        assert who is not None
        assert who.expires is not None
        began.append(who.expires)
        await ctx.progress(1, 2)
        await asyncio.sleep(max(0, who.expires + 1 - time.time()))
        return "outlived"

    async def main(url: str, kept: Kept) -> Any:
        async with (
            httpx2.AsyncClient(auth=official(url, kept), trust_env=False, timeout=PATIENCE) as http,
            streamable_http_client(f"{url}/mcp", http_client=http) as (reading, writing, *_),
            mcp.ClientSession(reading, writing) as session,
        ):
            await session.initialize()

            async def told(progress: float, total: float | None, message: str | None) -> None:
                del progress, total, message

            return await session.call_tool("outlive", {}, progress_callback=told)

    kept = Kept()
    with wired(server, store="memory://", oauth_login="auto") as home:
        result = asyncio.run(main(home.url, kept))
    assert result.content[0].text == "outlived"
    assert len(began) == 1
    assert kept.signed_in == 1
    assert resumed == [1], "behind the one notification"
