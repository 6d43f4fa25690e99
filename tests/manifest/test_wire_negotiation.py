"""The handshake, both eras on one connection, and what older versions are shown."""

from __future__ import annotations

import json
from typing import Any

import pytest
from test_wire_base import EVERYTHING
from wire import Connect, on_loop

from mcp_server.protocol.versions import (
    LEGACY_VERSIONS,
    NEWEST_LEGACY,
    V2024_11_05,
    V2025_03_26,
    V2025_06_18,
    V2025_11_25,
    V2026_07_28,
    at_least,
)

FIELDS_SINCE = {
    "annotations": V2025_03_26,
    "title": V2025_06_18,
    "outputSchema": V2025_06_18,
    "_meta": V2025_06_18,
    "icons": V2025_11_25,
}


@pytest.mark.requirement("N1")
@on_loop
async def test_a_handshake_gets_the_version_that_it_asks_for(connect: Connect) -> None:
    async with connect(shake_hands=False) as session:
        assert (await session.shake_hands())["protocolVersion"] == connect.version


@pytest.mark.requirement("N2", "B15")
@pytest.mark.parametrize("unknown", ["2099-01-01", "1.0", "", V2026_07_28])
@on_loop
async def test_a_handshake_at_another_version_gets_the_newest_that_has_handshakes(
    connect: Connect, unknown: str
) -> None:
    async with connect(shake_hands=False) as session:
        assert (await session.shake_hands(unknown))["protocolVersion"] == NEWEST_LEGACY


@pytest.mark.requirement("N3")
@on_loop
async def test_a_handshake_is_told_who_the_server_is(connect: Connect) -> None:
    async with connect(shake_hands=False) as session:
        told = await session.shake_hands()
        assert (told["serverInfo"]["name"], told["serverInfo"]["version"]) == ("fixture", "1.2.3")
        assert told["instructions"] == "For tests only."
        assert set(told["capabilities"]) == {"tools", "resources", "prompts", "completions", "logging"}


@pytest.mark.requirement("N3", "N6")
@on_loop
async def test_a_server_is_introduced_in_the_words_of_the_version(connect: Connect) -> None:
    async with connect(shake_hands=False) as session:
        known = {"name", "version"}
        known |= {"title"} if at_least(connect.version, V2025_06_18) else set()
        known |= {"icons", "description", "websiteUrl"} if at_least(connect.version, V2025_11_25) else set()
        assert set((await session.shake_hands())["serverInfo"]) == known


@pytest.mark.requirement("N3")
@pytest.mark.parametrize("params", [{}, {"protocolVersion": 5}, {"protocolVersion": V2025_06_18, "capabilities": []}])
@on_loop
async def test_a_malformed_handshake_is_refused(connect: Connect, params: dict[str, Any]) -> None:
    async with connect(shake_hands=False) as session:
        assert (await session.refusal("initialize", params)).code == -32602


@pytest.mark.requirement("N4")
@pytest.mark.parametrize("legacy", LEGACY_VERSIONS)
@on_loop
async def test_a_client_may_discover_and_then_shake_hands(connect: Connect, legacy: str) -> None:
    async with connect() as session:
        assert legacy in (await session.request("server/discover"))["supportedVersions"]
        assert (await session.shake_hands(legacy))["protocolVersion"] == legacy


@pytest.mark.requirement("N5")
@pytest.mark.parametrize("legacy", LEGACY_VERSIONS)
@on_loop
async def test_both_eras_are_served_side_by_side(connect: Connect, legacy: str) -> None:
    async with connect() as session:
        await session.shake_hands(legacy)
        versions = [
            json.loads((await session.request("tools/call", {"name": "whoami"}, version=version))["content"][0]["text"])
            for version in (legacy, V2026_07_28, legacy)
        ]
        assert [each["version"] for each in versions] == [legacy, V2026_07_28, legacy]


@pytest.mark.requirement("N6")
@pytest.mark.parametrize(
    ("method", "key"),
    [
        ("tools/list", "tools"),
        ("resources/list", "resources"),
        ("resources/templates/list", "resourceTemplates"),
        ("prompts/list", "prompts"),
    ],
)
@on_loop
async def test_a_list_shows_the_fields_of_its_version(connect: Connect, method: str, key: str) -> None:
    unknown = {field for field, since in FIELDS_SINCE.items() if not at_least(connect.version, since)}
    async with connect() as session:
        for entry in (await session.request(method))[key]:
            assert not unknown & set(entry)


@pytest.mark.requirement("N6")
@on_loop
async def test_a_list_leaves_out_no_field_that_its_version_has(connect: Connect) -> None:
    known = {field for field, since in FIELDS_SINCE.items() if at_least(connect.version, since)}
    async with connect() as session:
        tools = (await session.request("tools/list"))["tools"]
        assert known <= set(next(tool for tool in tools if tool["name"] == "add"))


@pytest.mark.requirement("N7")
@on_loop
async def test_no_result_has_a_field_that_came_with_2026_07_28(connect: Connect) -> None:
    async with connect() as session:
        for method, params in EVERYTHING:
            assert not {"resultType", "ttlMs", "cacheScope"} & set(await session.request(method, params))


@pytest.mark.requirement("N8")
@on_loop
async def test_a_ping_is_answered_with_nothing(connect: Connect) -> None:
    async with connect() as session:
        assert await session.request("ping") == {}


@pytest.mark.requirement("N8")
@on_loop
async def test_a_ping_is_answered_before_the_handshake(connect: Connect) -> None:
    async with connect(shake_hands=False) as session:
        assert await session.request("ping") == {}


@pytest.mark.requirement("N9")
@on_loop
async def test_structure_that_is_no_object_is_sent_as_text(connect: Connect) -> None:
    async with connect() as session:
        result = await session.call("count", to=3)
        assert "structuredContent" not in result
        assert json.loads(result["content"][0]["text"]) == [1, 2, 3]


@pytest.mark.requirement("N9")
@on_loop
async def test_the_schema_of_structure_that_is_no_object_is_not_listed(connect: Connect) -> None:
    async with connect() as session:
        tools = {tool["name"]: tool for tool in (await session.request("tools/list"))["tools"]}
        assert "outputSchema" not in tools["count"]


@pytest.mark.requirement("N10")
@on_loop
async def test_content_that_a_version_does_not_have_is_told_in_another_kind(connect: Connect) -> None:
    kinds = {
        V2024_11_05: ["text", "image", "resource", "resource", "text"],
        V2025_03_26: ["text", "image", "audio", "resource", "text"],
    }
    newer = ["text", "image", "audio", "resource", "resource_link"]
    async with connect() as session:
        content = (await session.call("show"))["content"]
        assert [block["type"] for block in content] == kinds.get(connect.version, newer)
