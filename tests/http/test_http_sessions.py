"""Sessions of older clients over HTTP: begun, used, resumed by another process, refused to others, ended."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from typing import Any

import pytest
from http_driver import OldClient, rpc, serving
from http_shop import content, shop

from mcp_server.engine.sessions import Session
from mcp_server.protocol.messages import Peer
from mcp_server.protocol.versions import (
    LEGACY_VERSIONS,
    V2024_11_05,
    V2025_03_26,
    V2025_06_18,
    V2025_11_25,
    V2026_07_28,
)
from mcp_server.transports.session_ids import MAX_ID_LENGTH, SessionIds

KEY, OTHER_KEY = "k1-" + "a1b2c3d4" * 4, "k2-" + "e5f6a7b8" * 4


def with_key(key: str) -> dict[str, str | None]:
    return {"authorization": f"Bearer {key}"}


# -- over HTTP -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", LEGACY_VERSIONS)
def test_a_session_begins_with_a_handshake_and_serves_calls(version: str) -> None:
    async def main() -> None:
        async with serving(shop()[0]) as web:
            client = await web.session(version)
            answer = await client.call("add", {"a": 1, "b": 2})
            assert answer.result["content"] == content('{"sum":3}')
            assert ("structuredContent" in answer.result) == (version in (V2025_06_18, V2025_11_25))
            assert "resultType" not in answer.result

    asyncio.run(main())


@pytest.mark.parametrize("asked", ["1999-01-01", V2026_07_28])
def test_a_handshake_never_agrees_on_a_version_without_one(asked: str) -> None:
    async def main() -> None:
        async with serving(shop()[0]) as web:
            answer = await web.ask(rpc("initialize", {"protocolVersion": asked, "capabilities": {}}, 1))
            assert answer.result["protocolVersion"] == V2025_11_25

    asyncio.run(main())


def test_a_handshake_is_one_whatever_its_header_says() -> None:
    async def main() -> None:
        async with serving(shop()[0]) as web:
            hello = rpc("initialize", {"protocolVersion": V2025_06_18, "capabilities": {}}, 1)
            answer = await web.ask(hello, headers={"mcp-protocol-version": V2026_07_28})
            assert answer.result["protocolVersion"] == V2025_06_18

    asyncio.run(main())


def test_a_session_id_is_visible_ascii() -> None:
    async def main() -> None:
        async with serving(shop()[0]) as web:
            session = (await web.session()).session
            assert all("!" <= character <= "~" for character in session)

    asyncio.run(main())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        {"action": "list_tools"},
        rpc("initialize", {}, 1),
        rpc("initialize", {"protocolVersion": 7}, 1),
        rpc("initialize", {"protocolVersion": V2025_11_25, "capabilities": []}, 1),
        rpc("tools/list", {}, 1),
        rpc("notifications/initialized"),
    ],
)
def test_nothing_but_a_good_handshake_creates_a_session(body: Any) -> None:
    """Peers' failure 15: a session is created for every malformed POST."""
    counted: list[int] = []
    ids = SessionIds(count=counted.append)

    async def main() -> None:
        async with serving(shop()[0], metrics_enabled=True) as web:
            answer = await web.ask(body)
            assert "mcp-session-id" not in answer.headers
            metrics = (await web.get("/metrics")).body
            assert b"mcp_sessions 0.0" in metrics

    asyncio.run(main())
    assert ids.read("x", None) is None
    assert counted == []


def test_sessions_are_counted() -> None:
    async def main() -> None:
        async with serving(shop()[0], metrics_enabled=True) as web:
            first, _ = await web.session(), await web.session()
            assert b"mcp_sessions 2.0" in (await web.get("/metrics")).body
            await first.leave()
            assert b"mcp_sessions 1.0" in (await web.get("/metrics")).body

    asyncio.run(main())


@pytest.mark.parametrize("header", [None, *LEGACY_VERSIONS])
def test_an_old_client_without_a_session_is_served_in_the_version_that_it_names(header: str | None) -> None:
    async def main() -> None:
        async with serving(shop()[0]) as web:
            body = rpc("tools/call", {"name": "add", "arguments": {"a": 1, "b": 1}}, 1)
            answer = await web.ask(body, headers={"mcp-protocol-version": header})
            assert answer.result["content"] == content('{"sum":2}')
            assert ("structuredContent" in answer.result) == (header in (V2025_06_18, V2025_11_25))

    asyncio.run(main())


def test_an_unknown_method_is_no_404_to_an_old_client() -> None:
    async def main() -> None:
        async with serving(shop()[0]) as web:
            client = await web.session()
            answer = await client.ask("tools/burn")
            assert (answer.status, answer.code) == (200, -32601)

    asyncio.run(main())


def test_a_missing_resource_has_the_code_that_old_clients_know() -> None:
    async def main() -> None:
        async with serving(shop()[0]) as web:
            client = await web.session()
            assert (await client.ask("resources/read", {"uri": "shop://nope"})).code == -32002

    asyncio.run(main())


async def _every_request(client: OldClient) -> dict[str, int]:
    """What each kind of request with this session is answered."""
    response: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "result": {}}
    web, headers = client.web, client.headers()
    return {
        "request": (await client.ask("ping")).status,
        "notification": (await client.tell("notifications/progress")).status,
        "cancellation": (await client.tell("notifications/cancelled", {"requestId": 1})).status,
        "response": (await web.ask(response, headers=headers)).status,
        "get": (await client.listen().done()).status,
        "delete": (await client.leave()).status,
        "batch": (await web.ask([rpc("ping", {}, 1)], headers=headers)).status,
    }


def test_an_ended_session_is_a_404_whatever_comes() -> None:
    async def main() -> None:
        async with serving(shop()[0]) as web:
            client = await web.session(V2025_03_26)
            assert (await client.leave()).status == 200
            assert set((await _every_request(client)).values()) == {404}

    asyncio.run(main())


def test_a_session_that_is_not_ours_is_a_404_whatever_comes() -> None:
    async def main() -> None:
        async with serving(shop()[0]) as web:
            for session in ("x", "a.b", ".", "é.é", "x" * 5000):
                client = OldClient(web, V2025_03_26, session)
                assert set((await _every_request(client)).values()) == {404}

    asyncio.run(main())


def test_a_session_is_worth_nothing_to_somebody_else() -> None:
    async def main() -> None:
        async with serving(shop()[0], mcp_api_key=[KEY, OTHER_KEY]) as web:
            client = await web.session(headers=with_key(KEY))
            mine = await web.ask(rpc("ping", {}, 1), headers=client.headers(with_key(KEY)))
            theirs = await web.ask(rpc("ping", {}, 1), headers=client.headers(with_key(OTHER_KEY)))
            nobodys = await web.ask(rpc("ping", {}, 1), headers=client.headers({"authorization": None}))
            assert (mine.status, theirs.status, nobodys.status) == (200, 404, 401)

    asyncio.run(main())


@pytest.mark.parametrize("secrets", [{"session_secret": "s" * 40}, {}])
def test_another_process_with_the_same_secret_serves_the_session(secrets: dict[str, str]) -> None:
    async def main() -> None:
        how: dict[str, Any] = {"mcp_api_key": KEY, **secrets}
        async with serving(shop()[0], **how) as one, serving(shop()[0], **how) as two:
            session = (await one.session(headers=with_key(KEY))).session
            answer = await OldClient(two, V2025_11_25, session, with_key(KEY)).call("add", {"a": 2, "b": 2})
            assert answer.result["structuredContent"] == {"sum": 4}

    asyncio.run(main())


def test_another_process_with_another_secret_does_not() -> None:
    async def main() -> None:
        key: dict[str, Any] = {"mcp_api_key": KEY}
        async with (
            serving(shop()[0], **key, session_secret="s" * 40) as one,
            serving(shop()[0], **key, session_secret="t" * 40) as two,
        ):
            session = (await one.session(headers=with_key(KEY))).session
            assert (await OldClient(two, V2025_11_25, session, with_key(KEY)).ask("ping")).status == 404

    asyncio.run(main())


def test_what_an_old_client_can_do_is_known_in_every_process() -> None:
    """Peers' failure 14: `capabilities.extensions` is dropped from old handshakes, so Apps never show there."""

    async def main() -> None:
        said = {"sampling": {}, "extensions": {"io.modelcontextprotocol/ui": {"mimeTypes": ["text/html"]}}}
        secret: dict[str, Any] = {"session_secret": "s" * 40}
        async with serving(shop()[0], **secret) as one, serving(shop()[0], **secret) as two:
            hello = rpc("initialize", {"protocolVersion": V2025_06_18, "capabilities": said}, 0)
            session = (await one.ask(hello)).headers["mcp-session-id"]
            for web in (one, two):
                answer = await OldClient(web, V2025_06_18, session).call("capabilities")
                assert json.loads(answer.result["content"][0]["text"]) == said

    asyncio.run(main())


def test_a_cancellation_reaches_its_call_through_either_url() -> None:
    async def main() -> None:
        server, stage = shop()
        async with serving(server) as web:
            client = await web.session()
            call = client.begin("wait", id="c", path="/mcp/sse")
            await stage.sees("waits")
            await client.tell("notifications/cancelled", {"requestId": "c"})
            await stage.sees("cancelled")
            await call.done()
            assert call.messages == []

    asyncio.run(main())


def test_a_cancelled_call_that_had_said_nothing_ends_without_a_body() -> None:
    async def main() -> None:
        server, stage = shop()
        async with serving(server) as web:
            client = await web.session()
            call = client.begin("wait", id=5)
            await stage.sees("waits")
            strangers: list[Any] = [None, "5", 6, []]
            for stranger in strangers:
                await client.tell("notifications/cancelled", {"requestId": stranger})
            await client.tell("notifications/cancelled", {"requestId": 5})
            await call.done()
            assert (call.status, call.body) == (202, b"")

    asyncio.run(main())


def test_nobody_can_cancel_the_call_of_another_session() -> None:
    async def main() -> None:
        server, stage = shop()
        async with serving(server) as web:
            mine, theirs = await web.session(), await web.session()
            call = mine.begin("wait", id=1)
            await stage.sees("waits")
            await theirs.tell("notifications/cancelled", {"requestId": 1})
            await web.ask(rpc("notifications/cancelled", {"requestId": 1}))
            stage.release.set()
            assert (await call.done()).result["content"] == content("released")

    asyncio.run(main())


def test_an_id_in_flight_cannot_be_used_again_in_its_session() -> None:
    """Peers' failure 17: one client-chosen request id overwrites another call in flight."""

    async def main() -> None:
        server, stage = shop()
        async with serving(server) as web:
            client = await web.session()
            call = client.begin("wait", id=1)
            await stage.sees("waits")
            assert (await client.call("add", {"a": 1, "b": 1}, id=1)).code == -32600
            stage.release.set()
            assert (await call.done()).result["content"] == content("released")

    asyncio.run(main())


def test_the_end_of_a_session_ends_its_calls_and_its_streams() -> None:
    async def main() -> None:
        server, stage = shop()
        async with serving(server) as web:
            client = await web.session()
            news, call = client.listen(), client.begin("wait")
            await stage.sees("waits")
            await news.until(lambda: news.is_stream)
            await client.leave()
            await stage.sees("cancelled")
            await call.done()
            assert (await news.done()).complete

    asyncio.run(main())


def test_a_log_level_lasts_for_its_session() -> None:
    async def main() -> None:
        async with serving(shop()[0]) as web:
            client = await web.session()
            assert (await client.ask("logging/setLevel", {"level": "debug"})).result == {}
            assert (await client.ask("logging/setLevel", {"level": "loud"})).code == -32602

    asyncio.run(main())


# -- batches ---------------------------------------------------------------------------------------------------------


def test_a_batch_is_answered_in_one_array() -> None:
    async def main() -> None:
        async with serving(shop()[0]) as web:
            client = await web.session(V2025_03_26)
            bodies: list[Any] = [
                rpc("ping", {}, "a"),
                rpc("notifications/initialized"),
                {"jsonrpc": "2.0", "id": 9, "result": {}},
                rpc("tools/call", {"name": "add", "arguments": {"a": 1, "b": 1}}, "b"),
                rpc("initialize", {"protocolVersion": V2025_03_26}, "c"),
                7,
                {"jsonrpc": "2.0", "id": "d"},
                rpc("nope", {}, "e"),
            ]
            answer = await web.ask(bodies, headers=client.headers())
            answers = [(each["id"], each.get("error", {}).get("code")) for each in answer.json]
            assert answers == [("a", None), ("b", None), ("c", -32600), (None, -32600), ("d", -32600), ("e", -32601)]

    asyncio.run(main())


def test_a_batch_that_is_owed_nothing_is_only_accepted() -> None:
    async def main() -> None:
        async with serving(shop()[0]) as web:
            client = await web.session(V2025_03_26)
            answer = await web.ask([rpc("notifications/initialized")] * 2, headers=client.headers())
            assert (answer.status, answer.body) == (202, b"")

    asyncio.run(main())


@pytest.mark.parametrize("version", [V2024_11_05, V2025_06_18, V2025_11_25, V2026_07_28])
def test_only_one_version_has_batches(version: str) -> None:
    async def main() -> None:
        async with serving(shop()[0]) as web:
            answer = await web.ask([rpc("ping", {}, 1)], headers={"mcp-protocol-version": version})
            assert (answer.status, answer.code) == (400, -32600)

    asyncio.run(main())


def test_a_batch_needs_no_session_if_it_names_its_version() -> None:
    async def main() -> None:
        async with serving(shop()[0]) as web:
            answer = await web.ask([rpc("ping", {}, 1)], headers={"mcp-protocol-version": V2025_03_26})
            assert answer.json == [{"jsonrpc": "2.0", "id": 1, "result": {}}]

    asyncio.run(main())


@pytest.mark.parametrize("count", [0, 1001])
def test_a_batch_has_a_decent_size(count: int) -> None:
    async def main() -> None:
        async with serving(shop()[0]) as web:
            client = await web.session(V2025_03_26)
            answer = await web.ask([rpc("ping", {}, 1)] * count, headers=client.headers())
            assert (answer.status, answer.code) == (400, -32600)

    asyncio.run(main())


def test_a_call_in_a_batch_that_takes_too_long_holds_up_no_other() -> None:
    async def main() -> None:
        server, stage = shop()
        async with serving(server) as web:
            client = await web.session(V2025_03_26)
            calls = [
                rpc("tools/call", {"name": "dawdle"}, "late"),
                rpc("tools/call", {"name": "add", "arguments": {"a": 1, "b": 1}}, "soon"),
            ]
            visit = web.open(calls, headers=client.headers())
            await visit.until(lambda: visit.complete)
            assert "wound down" not in stage.happened
            stage.wind_down.set()
            late, soon = (await visit.done()).json
            assert (late["id"], late["result"]["content"]) == ("late", content("Timed out after 0.05 s"))
            assert (soon["id"], soon["result"]["content"]) == ("soon", content('{"sum":2}'))

    asyncio.run(main())


def test_a_call_in_a_batch_can_be_cancelled_by_another_batch() -> None:
    async def main() -> None:
        server, stage = shop()
        async with serving(server) as web:
            client = await web.session(V2025_03_26)
            calls = [rpc("tools/call", {"name": "wait"}, name) for name in ("v", "w")]
            visit = web.open([*calls, rpc("ping", {}, "p")], headers=client.headers())
            await stage.sees("waits", 2)
            await web.ask([rpc("notifications/cancelled", {"requestId": "w"})], headers=client.headers())
            await stage.sees("cancelled")
            stage.release.set()
            assert [each["id"] for each in (await visit.done()).json] == ["v", "p"]

    asyncio.run(main())


def test_progress_in_a_batch_comes_before_its_answers() -> None:
    async def main() -> None:
        server, stage = shop()
        async with serving(server) as web:
            client = await web.session(V2025_03_26)
            params = {"name": "wait", "arguments": {"steps": 2}, "_meta": {"progressToken": "t"}}
            visit = web.open([rpc("tools/call", params, 1), rpc("ping", {}, 2)], headers=client.headers())
            assert [each["params"]["progress"] for each in await visit.hears(2)] == [1, 2]
            stage.release.set()
            await visit.done()
            answers: Any = visit.messages[-1]
            assert [each["id"] for each in answers] == [1, 2]

    asyncio.run(main())


# -- the ids themselves ----------------------------------------------------------------------------------------------


def hello(version: str = V2025_11_25, **more: Any) -> Session:
    return Session(Peer(version, {"sampling": {}}, {"name": "c", "version": "1"}, **more))


def test_an_id_carries_what_the_client_said() -> None:
    session_id = SessionIds([b"k"]).mint(hello(), "me")
    read = SessionIds([b"k"]).read(session_id, "me")
    assert read is not None
    assert (read.peer.version, read.peer.capabilities) == (V2025_11_25, {"sampling": {}})
    assert read.peer.name == "c"


def test_an_id_is_worth_something_to_its_owner_alone() -> None:
    ids = SessionIds([b"k"])
    session_id = ids.mint(hello(), "me")
    for reader in (ids, SessionIds([b"k"])):
        assert reader.read(session_id, "me") is not None
        assert reader.read(session_id, "you") is None
        assert reader.read(session_id, None) is None


def test_an_id_with_any_character_changed_is_refused() -> None:
    ids = SessionIds([b"k"])
    session_id = ids.mint(hello(), None)
    for place, character in enumerate(session_id):
        for other in "Aab0-_=.~é" + chr(ord(character) ^ 1):
            changed = session_id[:place] + other + session_id[place + 1 :]
            if changed != session_id:
                assert ids.read(changed, None) is None, (place, other)
    for changed in (session_id + "=", session_id + "A", session_id[:-1], session_id + ".x", " " + session_id):
        assert ids.read(changed, None) is None


def test_an_id_signed_with_another_key_is_refused_unless_that_key_is_still_accepted() -> None:
    session_id = SessionIds([b"old"]).mint(hello(), None)
    assert SessionIds([b"new"]).read(session_id, None) is None
    assert SessionIds([b"new", b"old"]).read(session_id, None) is not None


def test_ids_without_a_key_are_read_only_by_the_process_that_made_them() -> None:
    ids = SessionIds()
    session_id = ids.mint(hello(), None)
    assert ids.read(session_id, None) is not None
    assert SessionIds().read(session_id, None) is None


def test_an_id_expires() -> None:
    now = 1000.0
    ids = SessionIds([b"k"], lifetime=60, clock=lambda: now)
    session_id = ids.mint(hello(), None)
    assert ids.read(session_id, None) is not None
    now = 1059.9
    assert SessionIds([b"k"], clock=lambda: now).read(session_id, None) is not None
    now = 1060.0
    assert ids.read(session_id, None) is None
    assert SessionIds([b"k"], clock=lambda: now).read(session_id, None) is None


def test_a_version_that_is_no_longer_served_ends_its_sessions() -> None:
    session_id = SessionIds([b"k"]).mint(hello("2024-01-01"), None)
    assert SessionIds([b"k"]).read(session_id, None) is None


@pytest.mark.parametrize(
    "peer",
    [
        Peer(V2025_11_25, {f"feature{n}": {"detail": "x" * 1000} for n in range(1000)}),
        Peer(V2025_11_25, {"x" * 100_000: {}, "y": 7}),
        Peer(V2025_11_25, {}, {"name": "n" * 1_000_000}),
    ],
)
def test_a_talkative_client_gets_a_short_id_and_is_remembered_briefly(peer: Peer) -> None:
    ids = SessionIds([b"k"])
    session = Session(peer)
    session_id = ids.mint(session, None)
    assert len(session_id) < MAX_ID_LENGTH
    kept = ids.read(session_id, None)
    assert kept is not None
    assert kept is session
    assert len(json.dumps([kept.peer.capabilities, kept.peer.info])) < 4096
    elsewhere = SessionIds([b"k"]).read(session_id, None)
    assert elsewhere is not None
    assert elsewhere.peer.capabilities == kept.peer.capabilities


def test_ten_thousand_sessions_cost_less_than_a_kilobyte_each() -> None:
    """Peers' failure 15: an idle session costs 36 KiB and two tasks."""
    clock = 1000.0
    makers = SessionIds([b"k"], clock=lambda: clock)
    ids = [makers.mint(hello(), "a1b2c3d4") for _ in range(10_000)]
    readers = SessionIds([b"k"], clock=lambda: clock)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for session_id in ids:
            assert readers.read(session_id, "a1b2c3d4") is not None
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (after - before) / 10_000 < 1024


def test_memory_is_bounded_and_a_session_in_use_keeps_its_state() -> None:
    counted: list[int] = []
    ids = SessionIds([b"k"], count=counted.append)
    busy = ids.mint(hello(), None)
    session = ids.read(busy, None)
    for _ in range(12_000):
        ids.mint(hello(), None)
        assert ids.read(busy, None) is session
    assert max(counted) == counted[-1] == 10_000


def test_as_many_ended_sessions_are_remembered() -> None:
    ids = SessionIds([b"k"])
    first = ids.mint(hello(), None)
    ids.end(first)
    for number in range(10_000):
        assert ids.read(first, None) is None
        ids.end(f"other{number}")
    assert ids.read(first, None) is not None


def test_clients_of_more_makes_than_are_kept_are_still_told_apart() -> None:
    ids = SessionIds()
    peers = [Peer("2025-11-25", {}, {"name": f"make {number}"}) for number in range(600)]
    minted = [ids.mint(Session(peer), None) for peer in peers]
    found = [ids.read(session_id, None) for session_id in minted]
    assert [None if session is None else session.peer for session in found] == peers


def test_clients_of_one_make_share_what_is_kept_of_it() -> None:
    ids = SessionIds()
    first, second = (Session(Peer("2025-11-25", {}, {"name": "one"})) for _ in range(2))
    ids.mint(first, None)
    ids.mint(second, None)
    assert first.peer is second.peer
    first.set_level("error")
    assert second.peer.log_level is None
