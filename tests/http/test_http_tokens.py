"""Callers with tokens on the faces whose answers come later: the transport of 2024-11-05, and news of a session."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import jwt
from http_driver import Visit, Web, rpc, serving

from mcp_server import Server

SECRET = "jwt-s3cr3t-" + "b2c3d4e5" * 4
SETTINGS: dict[str, Any] = {"mcp_jwt_secret": SECRET, "public_url": "https://api.example.com"}


def shop() -> Server:
    server = Server("shop")

    @server.tool(scopes=["write"])
    async def change() -> str:
        return "changed"

    @server.resource("shop://books", scopes=["books"])
    async def books() -> str:
        return "secret"

    @server.resource("shop://open")
    async def open_page() -> str:
        return "open"

    return server


def bearer(scope: str = "", **claims: Any) -> dict[str, str | None]:
    said = {"sub": "anna", "client_id": "old", "aud": "https://api.example.com", "exp": time.time() + 300, **claims}
    token = jwt.encode({**said, "scope": scope}, SECRET, algorithm="HS256")
    return {"authorization": f"Bearer {token}"}


async def opened(web: Web, headers: Mapping[str, str | None]) -> tuple[Visit, str]:
    """A stream of 2024-11-05, and where its client posts."""
    stream = web.open(method="GET", path="/mcp/sse", headers={"accept": "text/event-stream", **headers})
    await stream.until(lambda: bool(stream.events))
    return stream, stream.events[0]["data"]


def test_on_the_old_transport_each_message_may_do_what_its_own_token_says() -> None:
    async def main() -> None:
        async with serving(shop(), **SETTINGS) as web:
            stream, place = await opened(web, bearer())
            for number, scope in enumerate(["", "write"], start=1):
                call = rpc("tools/call", {"name": "change", "arguments": {}}, number)
                posted = await web.ask(call, path=place, headers=bearer(scope, jti=str(number)))
                assert posted.status == 202
                await stream.hears(number)
            refused, done = stream.messages
            assert (refused["id"], refused["error"]["code"]) == (1, 403)
            assert done["result"]["content"][0]["text"] == "changed"
            stream.hang_up()
            await stream.done()

    asyncio.run(main())


def test_a_stream_of_the_old_transport_belongs_to_whoever_opened_it() -> None:
    async def main() -> None:
        async with serving(shop(), **SETTINGS) as web:
            stream, place = await opened(web, bearer())
            others = [bearer(sub="bert"), bearer(client_id="another"), bearer(iss="https://elsewhere.example")]
            statuses = [(await web.ask(rpc("ping", id=1), path=place, headers=other)).status for other in others]
            assert statuses == [404, 404, 404]
            assert (await web.ask(rpc("ping", id=1), path=place)).status == 401
            stream.hang_up()
            await stream.done()

    asyncio.run(main())


def test_news_of_a_session_are_those_that_its_listener_may_hear() -> None:
    async def main() -> None:
        server = shop()
        async with serving(server, **SETTINGS) as web:
            client = await web.session(headers=bearer("books"))
            for uri in ("shop://books", "shop://open"):
                assert (await client.ask("resources/subscribe", {"uri": uri})).status == 200
            for scope, expected in (("", ["shop://open"]), ("books", ["shop://books", "shop://open"])):
                less = {"mcp-session-id": client.session, "accept": "text/event-stream", **bearer(scope)}
                stream = web.open(method="GET", headers=less)
                await stream.until(lambda stream=stream: stream.status != 0)
                for uri in ("shop://books", "shop://open"):
                    server.resource_updated(uri)
                heard = await stream.hears(len(expected))
                assert [each["params"]["uri"] for each in heard] == expected
                stream.hang_up()
                await stream.done()

    asyncio.run(main())
