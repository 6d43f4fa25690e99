"""Metadata, discovery, methods and error codes."""

from __future__ import annotations

from typing import Any

import pytest
from wire import PREFIX, Connect, Refused, WireSession, on_loop

from mcp_server.protocol.versions import ALL_VERSIONS, V2026_07_28

REQUIRED: dict[str, Any] = {PREFIX + "protocolVersion": V2026_07_28, PREFIX + "clientCapabilities": {}}
LISTS = {
    "tools": ["tools/list"],
    "resources": ["resources/list", "resources/templates/list"],
    "prompts": ["prompts/list"],
}
EVERYTHING: list[tuple[str, dict[str, Any]]] = [
    ("tools/list", {}),
    ("tools/call", {"name": "add", "arguments": {"a": 1, "b": 2}}),
    ("tools/call", {"name": "fail"}),
    ("resources/list", {}),
    ("resources/templates/list", {}),
    ("resources/read", {"uri": "fixture://motd"}),
    ("prompts/list", {}),
    ("prompts/get", {"name": "greet", "arguments": {"name": "Ada"}}),
    (
        "completion/complete",
        {"ref": {"type": "ref/prompt", "name": "greet"}, "argument": {"name": "name", "value": ""}},
    ),
]
WRONG: list[tuple[str, dict[str, Any]]] = [
    ("nothing/known", {}),
    ("tools/call", {"name": "nobody"}),
    ("tools/call", {"name": "echo", "arguments": []}),
    ("tools/list", {"cursor": "???"}),
    ("resources/read", {"uri": "fixture://nothing"}),
    ("prompts/get", {"name": "greet", "arguments": {"name": 5}}),
    ("prompts/get", {"name": "nobody"}),
    ("completion/complete", {"ref": {"type": "ref/prompt", "name": "nobody"}, "argument": {"name": "a", "value": ""}}),
    ("subscriptions/listen", {"notifications": []}),
]


@pytest.mark.requirement("B1")
@pytest.mark.parametrize("lacking", ["protocolVersion", "clientCapabilities"])
@on_loop
async def test_metadata_of_the_wrong_type_is_refused(connect: Connect, lacking: str) -> None:
    async with connect() as session:
        refused = await session.refusal("tools/list", meta={PREFIX + lacking: 1})
        assert refused.code == -32602
        assert PREFIX + lacking in refused.message


@pytest.mark.requirement("B1")
@on_loop
async def test_metadata_without_capabilities_is_refused(connect: Connect) -> None:
    async with connect() as session:
        await session.raw("tools/list", {"_meta": {PREFIX + "protocolVersion": V2026_07_28}}, identity=1)
        assert (await session.response(1))["error"]["code"] == -32602


@pytest.mark.requirement("B2")
@on_loop
async def test_a_client_without_a_name_is_served(connect: Connect) -> None:
    async with connect() as session:
        await session.raw("tools/call", {"name": "whoami", "arguments": {}, "_meta": REQUIRED}, identity=1)
        assert (await session.response(1))["result"]["structuredContent"]["client"] is None


@pytest.mark.requirement("B3a", "B3b")
@on_loop
async def test_every_result_says_what_it_is_and_who_made_it(connect: Connect) -> None:
    async with connect() as session:
        for method, params in [*EVERYTHING, ("server/discover", {})]:
            result = await session.request(method, params)
            assert result["resultType"] == "complete"
            assert result["_meta"][PREFIX + "serverInfo"]["name"] == "fixture"


@pytest.mark.requirement("B3b")
@on_loop
async def test_the_server_introduces_itself_in_full(connect: Connect) -> None:
    async with connect() as session:
        assert (await session.request("tools/list"))["_meta"][PREFIX + "serverInfo"] == {
            "name": "fixture",
            "version": "1.2.3",
            "title": "Fixture",
            "description": "What the manifest is proved on",
            "websiteUrl": "https://example.com",
            "icons": [{"src": "https://example.com/icon.png", "mimeType": "image/png", "sizes": ["48x48"]}],
        }


@pytest.mark.requirement("B4a")
@pytest.mark.parametrize("unserved", ["2099-01-01", "2025-11-25", ""])
@on_loop
async def test_a_version_that_is_not_served_is_refused_with_those_that_are(connect: Connect, unserved: str) -> None:
    async with connect() as session:
        refused = await session.refusal("tools/list", meta={PREFIX + "protocolVersion": unserved})
        assert refused.code == -32022
        assert refused.data == {"supported": [V2026_07_28], "requested": unserved}


@pytest.mark.requirement("B4b")
@on_loop
async def test_a_refused_version_spoils_no_later_request(connect: Connect) -> None:
    async with connect() as session:
        await session.refusal("tools/list", meta={PREFIX + "protocolVersion": "2099-01-01"})
        assert (await session.call("echo", text="still here"))["content"][0]["text"] == "still here"


@pytest.mark.requirement("B5a")
@on_loop
async def test_discovery_tells_all_there_is_to_know(connect: Connect) -> None:
    async with connect() as session:
        discovered = await session.request("server/discover")
        del discovered["_meta"]
        assert discovered == {
            "resultType": "complete",
            "supportedVersions": list(reversed(ALL_VERSIONS)),
            "capabilities": {
                "tools": {"listChanged": True},
                "resources": {"subscribe": True, "listChanged": True},
                "prompts": {"listChanged": True},
                "completions": {},
                "logging": {},
            },
            "instructions": "For tests only.",
            "ttlMs": 0,
            "cacheScope": "private",
        }


@pytest.mark.requirement("B5b")
@pytest.mark.parametrize("server", ["fixture", "bare", "paged"])
@on_loop
async def test_whatever_is_advertised_can_be_listed(connect: Connect, server: str) -> None:
    async with connect(server) as session:
        advertised = (await session.request("server/discover"))["capabilities"]
        for method in [method for capability in advertised for method in LISTS.get(capability, [])]:
            assert await session.request(method)


@pytest.mark.requirement("B5b")
@on_loop
async def test_what_is_advertised_follows_what_is_registered(connect: Connect) -> None:
    async with connect("bare") as session:
        assert set((await session.request("server/discover"))["capabilities"]) == {"tools", "logging"}


@pytest.mark.requirement("B7")
@on_loop
async def test_a_request_knows_nothing_of_the_one_before(connect: Connect) -> None:
    async with connect() as session:
        first = await session.call(
            "whoami",
            meta={PREFIX + "clientCapabilities": {"roots": {}}, PREFIX + "clientInfo": {"name": "a", "version": "1"}},
        )
        second = await session.call("whoami")
        assert (first["structuredContent"]["client"], first["structuredContent"]["capabilities"]) == (
            "a",
            {"roots": {}},
        )
        assert second["structuredContent"]["client"] == "manifest"
        assert second["structuredContent"]["capabilities"] == {}


@pytest.mark.requirement("B13")
@on_loop
async def test_the_trace_of_a_caller_reaches_the_tool(connect: Connect) -> None:
    trace = {
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "tracestate": "rojo=00f067aa0ba902b7",
        "baggage": "tenant=acme",
    }
    async with connect() as session:
        traced = (await session.call("whoami", meta=trace))["structuredContent"]["trace"]
        untraced = (await session.call("whoami"))["structuredContent"]["trace"]
        assert (traced, untraced) == (trace, {})


@pytest.mark.requirement("B8a")
@pytest.mark.parametrize("method", ["nothing/known", "", "Tools/List", "tools/lists", "notifications/cancelled"])
@on_loop
async def test_an_unknown_method_is_refused(connect: Connect, method: str) -> None:
    async with connect() as session:
        assert (await session.refusal(method)).code == -32601


@pytest.mark.requirement("B8b")
@pytest.mark.parametrize(
    "method",
    ["initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe", "tasks/list"],
)
@on_loop
async def test_a_removed_method_is_refused(connect: Connect, method: str) -> None:
    async with connect() as session:
        assert (await session.refusal(method, {"uri": "fixture://motd", "level": "info"})).code == -32601


@pytest.mark.requirement("B8c")
@pytest.mark.parametrize("method", ["server/discover", "subscriptions/listen"])
@on_loop
async def test_a_method_from_the_future_is_refused(connect: Connect, method: str) -> None:
    async with connect() as session:
        assert (await session.refusal(method, {"notifications": {}})).code == -32601


@pytest.mark.requirement("B8d")
@pytest.mark.parametrize(
    "method",
    [
        "resources/list",
        "resources/templates/list",
        "resources/read",
        "prompts/list",
        "prompts/get",
        "completion/complete",
    ],
)
@on_loop
async def test_what_is_not_advertised_is_not_there(connect: Connect, method: str) -> None:
    async with connect("bare") as session:
        assert (await session.refusal(method, {"name": "greet", "uri": "fixture://motd"})).code == -32601


@pytest.mark.requirement("B9")
@on_loop
async def test_no_error_has_a_code_that_is_reserved_or_out_of_use(connect: Connect) -> None:
    async with connect() as session:
        codes = {(await session.refusal(method, params)).code for method, params in WRONG}
        assert codes == {-32601, -32602}


@pytest.mark.requirement("B9")
@on_loop
async def test_an_error_in_the_parameters_says_which(connect: Connect) -> None:
    async with connect() as session:
        reasons = [await _reason(session, method, params) for method, params in WRONG[1:]]
        assert reasons == [
            "unknown_tool",
            "bad_params",
            "bad_cursor",
            "unknown_resource",
            "bad_params",
            "unknown_prompt",
            "unknown_prompt",
            "bad_params",
        ]


async def _reason(session: WireSession, method: str, params: dict[str, Any]) -> str:
    refused: Refused = await session.refusal(method, params)
    return refused.data["reason"]
