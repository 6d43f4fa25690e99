"""No stream outlives the token that opened it: neither its expiry nor, by more than a moment, its revocation."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from token_office import ASKED_BY, Office

from mcp_server.engine.calls import Principal
from mcp_server.guards.caller import caller_of
from mcp_server.oauth.access import Access, VerifierUnavailable
from mcp_server.oauth.resource import stays
from mcp_server.oauth.resource.chain import Chain
from mcp_server.oauth.resource.stays import Stays
from tests.http.http_driver import OldClient, Visit, Web, rpc, serving
from tests.http.http_shop import Stage, shop

HOST = "https://api.example.com"
KEY = "k1-" + "a1b2c3d4" * 4
LISTEN = {"notifications": {"toolsListChanged": True}}


@dataclass
class Scene:
    """A server with a caller whose token can be made to end."""

    web: Web
    stage: Stage
    office: Office
    token: str
    headers: dict[str, str | None]

    def revoke(self) -> None:
        """From now on the issuer does not know the token."""
        del self.office.opaque[self.token]

    async def session(self, version: str) -> OldClient:
        return await self.web.session(version, headers=self.headers)


@asynccontextmanager
async def scene(office: Office, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> AsyncGenerator[Scene]:
    monkeypatch.setattr(stays, "SOONEST", 0.05)
    server, stage = shop()
    said: dict[str, Any] = {
        "public_url": HOST,
        "allowed_hosts": "localhost",
        "oauth_issuers": office.url,
        "oauth_introspection_url": f"{office.url}/introspect",
        "oauth_introspection_client_id": ASKED_BY[0],
        "oauth_introspection_client_secret": ASKED_BY[1],
        "oauth_token_cache_seconds": 0,
        **settings,
    }
    token = "opaque-1"
    office.opaque[token] = office.claims(scope="")
    async with serving(server, **said) as web:
        yield Scene(web, stage, office, token, {"authorization": f"Bearer {token}"})
        stage.release.set()


async def listen(at: Scene) -> Visit:
    stream = at.web.open_modern("subscriptions/listen", LISTEN, headers=at.headers)
    await stream.hears(1)
    return stream


async def news(at: Scene) -> Visit:
    stream = (await at.session("2025-11-25")).listen()
    await stream.until(lambda: stream.status == 200)
    return stream


async def old(at: Scene) -> Visit:
    stream = at.web.open(method="GET", path="/mcp/sse", headers={"accept": "text/event-stream", **at.headers})
    await stream.until(lambda: len(stream.events) == 1)
    return stream


async def call(at: Scene) -> Visit:
    stream = at.web.open_modern(
        "tools/call",
        {"name": "wait", "arguments": {"steps": 1}},
        meta={"progressToken": 1},
        headers=at.headers,
    )
    await at.stage.sees("waits")
    await stream.hears(1)
    return stream


async def old_call(at: Scene) -> Visit:
    stream = (await at.session("2025-06-18")).begin("wait", {"steps": 1}, token=1)
    await stream.hears(1)
    return stream


async def kept_call(at: Scene) -> Visit:
    stream = (await at.session("2025-11-25")).begin("wait", {"steps": 1}, token=1)
    await stream.hears(1)
    return stream


async def resumed(at: Scene) -> Visit:
    client = await at.session("2025-11-25")
    lost = client.begin("wait", {"steps": 1}, token=1)
    await lost.hears(1)
    lost.hang_up()
    stream = client.listen(lost.events[0]["id"])
    await stream.hears(1)
    return stream


async def batch(at: Scene) -> Visit:
    client = await at.session("2025-03-26")
    wait = {"name": "wait", "arguments": {"steps": 1}, "_meta": {"progressToken": 1}}
    stream = at.web.open([rpc("tools/call", wait, 1), rpc("ping", {}, 2)], headers=client.headers())
    await stream.hears(1)
    return stream


STREAMS: dict[str, Callable[[Scene], Awaitable[Visit]]] = {
    each.__name__: each for each in (listen, news, old, call, old_call, kept_call, resumed, batch)
}


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_ends_when_its_token_is_revoked(name: str, office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with scene(office, monkeypatch) as at:
            stream = await STREAMS[name](at)
            at.revoke()
            async with asyncio.timeout(60):
                while not stream.complete:
                    await stream.something()
            again = await at.web.call("add", {"a": 1, "b": 1}, headers=at.headers)
            assert again.status == 401
            at.stage.release.set()
            await stream.done()

    asyncio.run(main())


def test_a_stream_ends_when_its_token_expires_however_long_it_is_believed(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the 30 seconds by which a clock may differ."""

    async def main() -> None:
        async with scene(office, monkeypatch, oauth_token_cache_seconds=3600) as at:
            stream = await listen(at)
            office.opaque[at.token] = office.claims(scope="", exp=int(time.time()) - 28)
            assert (await stream.done()).result["_meta"]

    asyncio.run(main())


def test_who_listens_is_told_of_the_end_by_a_result(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with scene(office, monkeypatch) as at:
            stream = await listen(at)
            at.revoke()
            assert (await stream.done()).result["_meta"]

    asyncio.run(main())


@pytest.mark.parametrize("how", [call, old_call])
def test_a_call_on_a_stream_is_stopped_and_says_why(how: Any, office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with scene(office, monkeypatch) as at:
            stream = await how(at)
            at.revoke()
            error = (await stream.done()).message["error"]
            assert (error["code"], error["data"]) == (401, {"reason": "access_ended"})
            await at.stage.sees("cancelled")

    asyncio.run(main())


def test_each_call_of_a_batch_has_its_own_answer(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with scene(office, monkeypatch) as at:
            stream = await batch(at)
            at.revoke()
            [waited, ping] = (await stream.done()).message
            assert waited["error"]["code"] == 401
            assert ping["result"] == {}

    asyncio.run(main())


def test_a_client_comes_back_with_another_token_for_the_answer(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """2025-11-25 knows how to: its call goes on, and a second token of the same person finds the answer."""

    async def main() -> None:
        async with scene(office, monkeypatch) as at:
            client = await at.session("2025-11-25")
            stream = client.begin("wait", {"steps": 1}, token=1)
            await stream.hears(1)
            at.revoke()
            async with asyncio.timeout(60):
                while not stream.complete:
                    await stream.something()
            assert [each for each in stream.messages if "id" in each] == []
            last = stream.events[-1]["id"]
            assert (await client.listen(last).done()).status == 401
            office.opaque["opaque-2"] = office.claims(scope="")
            at.headers["authorization"] = "Bearer opaque-2"
            back = client.listen(last)
            at.stage.release.set()
            assert (await back.done()).message["result"]["content"][0]["text"] == "released"
            await stream.done()

    asyncio.run(main())


def test_what_is_no_stream_is_answered_and_becomes_none(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with scene(office, monkeypatch) as at:
            asks = at.web.begin("wait", {"steps": 0}, headers={**at.headers, "accept": "application/json"})
            watched = await listen(at)
            await at.stage.sees("waits")
            at.revoke()
            await watched.done()
            at.stage.release.set()
            assert (await asks.done()).result["content"][0]["text"] == "released"

    asyncio.run(main())


def test_the_streams_of_a_key_do_not_end(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with scene(office, monkeypatch, mcp_api_key=KEY) as at:
            revoked = await listen(at)
            at.headers["authorization"] = f"Bearer {KEY}"
            keyed = await listen(at)
            at.revoke()
            await revoked.done()
            assert not keyed.complete
            keyed.hang_up()
            await keyed.done()

    asyncio.run(main())


# Who looks, and how often


class Issuer:
    """Says what a test wants it to say."""

    def __init__(self) -> None:
        self.answer: Access | Exception | None = Access("anna", "claude")
        self.asked = asyncio.Semaphore(0)
        self.anew: list[bool] = []

    async def verify(self, token: str, *, anew: bool = False) -> Access | None:
        self.anew.append(anew)
        self.asked.release()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def is_asked(self, times: int = 1) -> None:
        async with asyncio.timeout(60):
            for _ in range(times):
                await self.asked.acquire()


def request(token: str = "t", expires: float | None = None) -> dict[str, Any]:
    scope: dict[str, Any] = {"type": "http", "headers": [(b"authorization", b"Bearer " + token.encode())]}
    caller_of(scope).bearer = Principal("name", expires=expires)
    return scope


@pytest.fixture(autouse=True)
def short_moments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stays, "SOONEST", 0.01)


def test_all_streams_of_a_token_are_one_question(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        issuer, ended = Issuer(), list[int]()
        watching = Stays(Chain({}, own=issuer), lambda _: 0.01)
        for number in range(3):
            watching.hold(request(), lambda number=number: ended.append(number))
        await issuer.is_asked()
        issuer.answer = None
        before = len(issuer.anew)
        while not ended:
            await issuer.is_asked()
            await asyncio.sleep(0)
        assert ended == [0, 1, 2]
        assert len(issuer.anew) == before + 1
        assert all(issuer.anew)

    asyncio.run(main())


def test_where_no_stream_is_open_nobody_is_asked() -> None:
    async def main() -> None:
        issuer = Issuer()
        watching = Stays(Chain({}, own=issuer), lambda _: 0.01)
        release, other = watching.hold(request(), print), watching.hold(request("other"), print)
        release()
        await issuer.is_asked(2)
        other()
        other()
        loop = asyncio.get_running_loop()
        assert [each for each in loop._scheduled if not each.cancelled()] == []  # type: ignore[attr-defined]

    asyncio.run(main())


@pytest.mark.parametrize("answer", [VerifierUnavailable("away"), RuntimeError("broken")])
def test_while_nobody_can_tell_streams_go_on_until_they_expire(answer: Exception) -> None:
    async def main() -> None:
        issuer, ended = Issuer(), asyncio.Event()
        issuer.answer = answer
        later = 0.0
        watching = Stays(Chain({}, own=issuer), lambda _: 0.01, clock=lambda: time.time() + later)
        watching.hold(request(expires=time.time() + 600), ended.set)
        await issuer.is_asked(3)
        assert not ended.is_set()
        later = 700.0
        async with asyncio.timeout(60):
            await ended.wait()

    asyncio.run(main())


def test_what_a_token_says_of_its_end_counts_without_being_asked_again() -> None:
    async def main() -> None:
        issuer, later = Issuer(), 0.0
        watching = Stays(Chain({}, own=issuer), lambda _: 3600.0, clock=lambda: time.time() + later)
        ended = asyncio.Event()
        issuer.answer = Access("anna", "claude", expires=time.time() + 0.2)
        watching.hold(request(), ended.set)
        await issuer.is_asked()
        issuer.answer = None
        async with asyncio.timeout(60):
            await ended.wait()

    asyncio.run(main())
