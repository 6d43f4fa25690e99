"""From a request to its answer: versions, methods, capabilities, parameters, in that order."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from asking_once import ask, code, with_tool
from clients import Client
from fakes import CAPABILITIES, SERVER_INFO, FakeService, message, meta

from mcp_server.engine.calls import Call
from mcp_server.engine.service import Description
from mcp_server.protocol.results import Result
from mcp_server.protocol.versions import ALL_VERSIONS, LEGACY_VERSIONS, V2025_11_25, V2026_07_28

EVERYWHERE: list[tuple[str, dict[str, Any]]] = [
    ("tools/list", {}),
    ("tools/call", {"name": "echo", "arguments": {"a": 1}}),
    ("resources/list", {}),
    ("resources/templates/list", {}),
    ("resources/read", {"uri": "fake://a"}),
    ("prompts/list", {}),
    ("prompts/get", {"name": "ask", "arguments": {"who": "me"}}),
    ("completion/complete", {"ref": {"type": "ref/prompt", "name": "ask"}, "argument": {"name": "who", "value": "a"}}),
]
ONLY_LEGACY: list[tuple[str, dict[str, Any]]] = [
    ("ping", {}),
    ("logging/setLevel", {"level": "error"}),
    ("resources/subscribe", {"uri": "fake://a"}),
    ("resources/unsubscribe", {"uri": "fake://a"}),
]
HELLO: dict[str, Any] = {
    "protocolVersion": V2025_11_25,
    "capabilities": {},
    "clientInfo": {"name": "c", "version": "1"},
}
REMOVED = [
    "initialize",
    "notifications/initialized",
    "roots/list",
    "sampling/createMessage",
    "elicitation/create",
    "tasks/get",
    "tasks/result",
]


@pytest.mark.parametrize("version", ALL_VERSIONS)
@pytest.mark.parametrize(("method", "params"), EVERYWHERE, ids=lambda value: value if isinstance(value, str) else "")
def test_a_method_of_all_versions_is_answered_in_each(version: str, method: str, params: dict[str, Any]) -> None:
    assert "result" in ask(method, params, version=version)


@pytest.mark.parametrize("version", LEGACY_VERSIONS)
@pytest.mark.parametrize(("method", "params"), ONLY_LEGACY, ids=lambda value: value if isinstance(value, str) else "")
def test_a_method_of_the_old_versions_is_answered_in_each(version: str, method: str, params: dict[str, Any]) -> None:
    assert ask(method, params, version=version)["result"] == {}


@pytest.mark.parametrize("method", [*REMOVED, *[method for method, _ in ONLY_LEGACY]])
def test_a_removed_method_does_not_exist_with_modern_metadata(method: str) -> None:
    assert code(ask(method, HELLO)) == -32601


@pytest.mark.parametrize("version", LEGACY_VERSIONS)
@pytest.mark.parametrize("method", ["server/discover", "subscriptions/listen"])
def test_a_new_method_does_not_exist_in_an_old_version(version: str, method: str) -> None:
    assert code(ask(method, {"notifications": {}}, version=version)) == -32601


@pytest.mark.parametrize("version", ALL_VERSIONS)
@pytest.mark.parametrize("method", ["", "tools", "tools/Call", "no/such", "x" * 500])
def test_a_method_that_nobody_has_does_not_exist(version: str, method: str) -> None:
    response = ask(method, version=version)
    assert code(response) == -32601
    assert len(response["error"]["message"]) < 250


@pytest.mark.parametrize("version", ALL_VERSIONS)
@pytest.mark.parametrize(("method", "params"), EVERYWHERE, ids=lambda value: value if isinstance(value, str) else "")
def test_a_method_whose_capability_is_not_declared_does_not_exist(
    version: str, method: str, params: dict[str, Any]
) -> None:
    assert code(ask(method, params, version=version, service=FakeService(capabilities={}))) == -32601


@pytest.mark.parametrize("method", ["resources/subscribe", "resources/unsubscribe"])
def test_subscribing_does_not_exist_where_only_reading_is_declared(method: str) -> None:
    service = FakeService(capabilities={"resources": {"listChanged": True}})
    assert code(ask(method, {"uri": "fake://a"}, version=V2025_11_25, service=service)) == -32601


def test_logging_cannot_be_set_where_it_is_not_declared() -> None:
    service = FakeService(capabilities={})
    assert code(ask("logging/setLevel", {"level": "info"}, version=V2025_11_25, service=service)) == -32601


@pytest.mark.parametrize("missing", ["protocolVersion", "clientCapabilities"])
def test_a_modern_request_without_its_metadata_is_refused_with_its_id(missing: str) -> None:
    metadata = meta()
    del metadata["io.modelcontextprotocol/" + missing]
    if missing == "protocolVersion":
        metadata["io.modelcontextprotocol/protocolVersion"] = None

    async def main() -> Any:
        return await Client().ask("tools/list", {"_meta": metadata}, id="mine")

    response = asyncio.run(main())
    assert (code(response), response["id"], response["error"]["data"]) == (-32602, "mine", {"reason": "bad_envelope"})


@pytest.mark.parametrize("version", ["2027-01-01", "", "2025-11-25", "2024-11-05"])
def test_a_version_that_is_not_served_this_way_is_refused(version: str) -> None:
    response = ask("tools/list", {"_meta": meta(version)})
    assert code(response) == -32022
    assert response["error"]["data"] == {"supported": [V2026_07_28], "requested": version}


def test_a_refused_version_does_not_spoil_the_next_request() -> None:
    async def main() -> list[str]:
        client = Client()
        return [next(iter(set(await client.ask("tools/list", {"_meta": meta(v)})) - {"jsonrpc", "id"})) for v in
                ("2027-01-01", V2026_07_28, "2025-11-25", V2026_07_28)]  # fmt: skip

    assert asyncio.run(main()) == ["error", "result", "error", "result"]


def test_the_supported_versions_of_an_error_are_among_those_of_discover() -> None:
    supported = ask("tools/list", {"_meta": meta("x")})["error"]["data"]["supported"]
    assert set(supported) <= set(ask("server/discover")["result"]["supportedVersions"])


def test_discover_says_what_there_is() -> None:
    result = ask("server/discover")["result"]
    assert result == {
        "resultType": "complete",
        "supportedVersions": ["2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"],
        "capabilities": CAPABILITIES,
        "ttlMs": 0,
        "cacheScope": "private",
        "_meta": {"io.modelcontextprotocol/serverInfo": SERVER_INFO},
    }


def test_discover_has_the_instructions_where_there_are_any() -> None:
    service = FakeService()
    service.description = Description(SERVER_INFO, {}, "Ask nicely", {"ttlMs": 5, "cacheScope": "public"})
    result = ask("server/discover", service=service)["result"]
    assert (result["instructions"], result["ttlMs"], result["cacheScope"]) == ("Ask nicely", 5, "public")


def test_discover_follows_a_new_description() -> None:
    async def main() -> list[Any]:
        client = Client()
        before = await client.ask("server/discover")
        client.service.description = Description({"name": "new", "version": "2"}, {"tools": {}})
        after = await client.ask("server/discover")
        return [response["result"]["capabilities"] for response in (before, after)]

    assert asyncio.run(main()) == [CAPABILITIES, {"tools": {}}]


@pytest.mark.parametrize("method", ["server/discover", *[method for method, _ in EVERYWHERE if "list" in method]])
def test_what_can_be_cached_says_for_how_long(method: str) -> None:
    result = ask(method)["result"]
    assert result["ttlMs"] >= 0
    assert result["cacheScope"] in {"public", "private"}


@pytest.mark.parametrize("version", LEGACY_VERSIONS)
def test_a_handshake_is_answered_in_its_version(version: str) -> None:
    result = ask("initialize", {**HELLO, "protocolVersion": version}, version=version)["result"]
    assert (result["protocolVersion"], result["capabilities"]) == (version, CAPABILITIES)


def test_a_handshake_is_never_answered_with_a_version_that_has_none() -> None:
    result = ask("initialize", {**HELLO, "protocolVersion": V2026_07_28}, version=V2025_11_25)["result"]
    assert result["protocolVersion"] == V2025_11_25


def test_a_broken_handshake_changes_nothing() -> None:
    async def main() -> tuple[int, list[str]]:
        client = await Client(version="2025-06-18").begin()
        refused = await client.ask("initialize", {"protocolVersion": 5})
        listed = await client.ask("tools/list")
        return code(refused), sorted(listed["result"]["tools"][0])

    refused, fields = asyncio.run(main())
    assert refused == -32602
    assert "outputSchema" in fields
    assert "icons" not in fields


def test_a_probe_and_then_a_handshake_on_one_pipe_are_both_answered() -> None:
    async def main() -> None:
        client = Client(version=V2025_11_25)
        discover = message("server/discover", {"_meta": meta()}, 1)
        probed = json.loads(await client.connection.receive(discover) or b"")
        assert probed["result"]["resultType"] == "complete"
        await client.begin()
        listed = await client.ask("tools/list")
        assert "resultType" not in listed["result"]
        probed = json.loads(await client.connection.receive(discover) or b"")
        assert probed["result"]["resultType"] == "complete"

    asyncio.run(main())


def test_a_modern_request_does_not_know_what_the_handshake_said() -> None:
    seen = list[Any]()

    async def tool(arguments: dict[str, Any], call: Call) -> Result:
        seen.append((call.request.peer.version, call.request.peer.capabilities))
        return {"content": []}

    async def main() -> None:
        client = Client(with_tool(tool), version=V2025_11_25)
        await client.ask("initialize", {**HELLO, "capabilities": {"sampling": {}}})
        await client.call("tool")
        params = {"name": "tool", "_meta": meta()}
        await client.connection.receive(message("tools/call", params, "modern"))

    asyncio.run(main())
    assert seen == [(V2025_11_25, {"sampling": {}}), (V2026_07_28, {})]


def test_a_legacy_client_that_has_not_introduced_itself_is_answered_as_2025_03_26() -> None:
    async def main() -> Any:
        return await Client(version="2025-03-26").ask("tools/list")

    tool = asyncio.run(main())["result"]["tools"][0]
    assert "annotations" in tool
    assert "outputSchema" not in tool


BAD_PARAMS: list[tuple[str, dict[str, Any], str]] = [
    ("tools/call", {}, "name must be a string"),
    ("tools/call", {"name": 5}, "name must be a string"),
    ("tools/call", {"name": "echo", "arguments": []}, "arguments must be an object"),
    ("tools/call", {"name": "echo", "arguments": "{}"}, "arguments must be an object"),
    ("resources/read", {}, "uri must be a string"),
    ("resources/read", {"uri": None}, "uri must be a string"),
    ("prompts/get", {"arguments": {}}, "name must be a string"),
    ("prompts/get", {"name": "ask", "arguments": {"who": 1}}, "arguments must be an object of strings"),
    ("prompts/get", {"name": "ask", "arguments": ["who"]}, "arguments must be an object"),
    ("completion/complete", {"argument": {"name": "a", "value": ""}}, "ref must be an object"),
    ("completion/complete", {"ref": {}}, "argument must be an object"),
    ("completion/complete", {"ref": {}, "argument": {"value": ""}}, "name must be a string"),
    ("completion/complete", {"ref": {}, "argument": {"name": "a"}}, "value must be a string"),
    ("completion/complete", {"ref": {}, "argument": {"name": "a", "value": ""}, "context": 1}, "context must be"),
    (
        "completion/complete",
        {"ref": {}, "argument": {"name": "a", "value": ""}, "context": {"arguments": {"b": 1}}},
        "arguments must be an object of strings",
    ),
]


@pytest.mark.parametrize(("method", "params", "words"), BAD_PARAMS)
@pytest.mark.parametrize("version", [V2025_11_25, V2026_07_28])
def test_parameters_of_the_wrong_shape_are_refused(
    version: str, method: str, params: dict[str, Any], words: str
) -> None:
    error = ask(method, params, version=version)["error"]
    assert (error["code"], error["data"]) == (-32602, {"reason": "bad_params"})
    assert error["message"].startswith(words)


@pytest.mark.parametrize("method", ["resources/subscribe", "resources/unsubscribe"])
def test_a_subscription_needs_a_uri(method: str) -> None:
    assert code(ask(method, {}, version=V2025_11_25)) == -32602


@pytest.mark.parametrize("level", [None, "loud", 3])
def test_a_level_must_be_one_of_the_eight(level: object) -> None:
    assert code(ask("logging/setLevel", {"level": level}, version=V2025_11_25)) == -32602


@pytest.mark.parametrize("arguments", [{}, {"arguments": None}])
def test_a_tool_may_be_called_without_arguments(arguments: dict[str, Any]) -> None:
    result = ask("tools/call", {"name": "echo", **arguments})["result"]
    assert result["structuredContent"] == {}


def test_a_completion_is_asked_with_everything_that_the_client_said() -> None:
    service = FakeService()
    reference = {"type": "ref/prompt", "name": "ask"}
    context = {"arguments": {"city": "Bern"}}
    params = {"ref": reference, "argument": {"name": "who", "value": "m"}, "context": context}
    result = ask("completion/complete", params, service=service)["result"]
    assert service.heard == [reference, "who", "m", {"city": "Bern"}]
    assert result["completion"] == {"values": ["m!"], "hasMore": False}


@pytest.mark.parametrize("cursor", [5, [], {}, True])
def test_a_cursor_that_is_no_text_is_refused(cursor: object) -> None:
    error = ask("tools/list", {"cursor": cursor})["error"]
    assert (error["code"], error["data"]["reason"]) == (-32602, "bad_cursor")


def test_a_cursor_that_we_did_not_give_out_is_refused() -> None:
    assert ask("tools/list", {"cursor": "x"})["error"]["data"]["reason"] == "bad_cursor"


@pytest.mark.parametrize("cursor", [None, ""])
def test_an_empty_cursor_is_a_cursor(cursor: object) -> None:
    assert ask("tools/list", {"cursor": cursor})["result"]["tools"]


@pytest.mark.parametrize("version", ALL_VERSIONS)
def test_an_unknown_tool_is_invalid_params(version: str) -> None:
    error = ask("tools/call", {"name": "nope"}, version=version)["error"]
    assert (error["code"], error["message"]) == (-32602, "Unknown tool: nope")


@pytest.mark.parametrize("version", ALL_VERSIONS)
def test_an_unknown_prompt_is_invalid_params(version: str) -> None:
    assert code(ask("prompts/get", {"name": "nope"}, version=version)) == -32602


@pytest.mark.parametrize("version", ALL_VERSIONS)
def test_an_unknown_resource_is_named(version: str) -> None:
    error = ask("resources/read", {"uri": "fake://zzz"}, version=version)["error"]
    assert error["code"] == (-32602 if version == V2026_07_28 else -32002)
    assert error["data"]["uri"] == "fake://zzz"


def test_the_engine_runs_its_service_and_listens_to_it_meanwhile() -> None:
    async def main() -> list[Any]:
        client = Client()
        service = client.service
        seen = list[Any]([(service.open, len(service.listeners))])
        async with client.engine.lifespan():
            seen.append((service.open, len(service.listeners)))
        seen.append((service.open, len(service.listeners)))
        return seen

    assert asyncio.run(main()) == [(False, 0), (True, 1), (False, 0)]


def test_the_engine_stops_listening_when_its_service_cannot_start() -> None:
    service = FakeService()

    def lifespan() -> Any:
        raise RuntimeError("no database")

    service.lifespan = lifespan

    async def main() -> None:
        with pytest.raises(RuntimeError, match="no database"):
            async with Client(service).engine.lifespan():
                pass

    asyncio.run(main())
    assert service.listeners == []


def test_a_call_that_finishes_at_once_makes_no_task_and_no_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    made = list[object]()

    def make_task(loop: asyncio.AbstractEventLoop, work: Any, **more: Any) -> asyncio.Task[Any]:
        made.append(work)
        return asyncio.Task(work, loop=loop, **more)

    def make_timer(delay: float, *work: object) -> None:
        made.append(work)

    async def main() -> None:
        client = Client()
        loop = asyncio.get_running_loop()
        loop.set_task_factory(make_task)
        monkeypatch.setattr(loop, "call_later", make_timer)
        await client.call("echo")
        assert made == []
        assert client.waiting == []
        assert len(client.in_flight) == 0

    asyncio.run(main())
