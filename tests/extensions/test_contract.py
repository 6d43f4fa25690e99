"""An extension of somebody else's: what it answers, to whom, and what is refused before it is served."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx2
import pytest
from one_question import ask, refusal

from mcp_server import Context, Extension, RegistrationError, Server, ToolError, Unanswered
from mcp_server.engine.engine import METHODS
from mcp_server.protocol.versions import ALL_VERSIONS
from mcp_server.settings import Settings

CLOCK = "com.example/clock"
ALL = pytest.mark.parametrize("version", ALL_VERSIONS)


class Clock:
    """Written without a base class, as anybody may write one."""

    identifier = CLOCK
    settings: Mapping[str, Any] = {"zones": ["UTC"]}

    @property
    def methods(self) -> Mapping[str, Any]:
        return {"clock/read": self.read, "clock/set": self.set, "clock/break": self.break_, "clock/ask": self.ask}

    async def read(self, params: Mapping[str, Any], ctx: Context) -> dict[str, Any]:
        return {"time": "noon", "zone": params.get("zone"), "given": sorted(params), "for": ctx.protocol_version}

    async def set(self, params: Mapping[str, Any], ctx: Context) -> dict[str, Any]:
        return {"by": ctx.require_extension(CLOCK)["who"]}

    async def break_(self, params: Mapping[str, Any], ctx: Context) -> dict[str, Any]:
        raise ToolError("The spring is broken") if params else RuntimeError("secret://spring")

    async def ask(self, params: Mapping[str, Any], ctx: Context) -> dict[str, Any]:
        return {"answer": (await ctx.elicit("Which zone?", {"type": "object", "properties": {}})).action}


def clock() -> Server:
    server = Server("clock")
    extension: Extension = Clock()
    server.extend(extension)
    return server


@ALL
def test_a_method_of_an_extension_is_answered_in_every_version(version: str) -> None:
    result = ask(clock(), "clock/read", {"zone": "UTC"}, version=version)
    assert result["time"] == "noon"
    assert result["for"] == version


@ALL
def test_it_is_given_its_parameters_and_not_the_metadata(version: str) -> None:
    assert ask(clock(), "clock/read", {"zone": "UTC", "_meta": {}}, version=version)["given"] == ["zone"]


@ALL
def test_a_method_that_no_extension_has_does_not_exist(version: str) -> None:
    assert refusal(clock(), "clock/wind", version=version) == -32601
    assert refusal(Server("plain"), "clock/read", version=version) == -32601


@ALL
def test_clients_are_told_of_an_extension_and_its_settings(version: str) -> None:
    async def main() -> Any:
        async with clock().test_client(version) as client:
            hello: dict[str, Any] = {"protocolVersion": version, "capabilities": {}}
            found = await client.request("initialize" if version < "2026" else "server/discover", hello)
            return found["capabilities"]["extensions"]

    assert asyncio.run(main()) == {CLOCK: {"zones": ["UTC"]}}


@ALL
def test_a_method_may_insist_on_a_client_that_knows_the_extension(version: str) -> None:
    assert refusal(clock(), "clock/set", version=version) == -32021
    assert ask(clock(), "clock/set", version=version, extensions={CLOCK: {"who": "me"}})["by"] == "me"


def test_settings_that_are_no_object_are_not_settings() -> None:
    with pytest.raises(Exception, match="extensions"):
        ask(clock(), "clock/set", extensions={CLOCK: True})


def test_what_it_means_to_say_arrives_and_what_it_does_not_mean_to_say_does_not() -> None:
    with pytest.raises(Exception, match="The spring is broken") as meant:
        ask(clock(), "clock/break", {"gently": True})
    with pytest.raises(Exception, match=r"Internal error \[") as masked:
        ask(clock(), "clock/break")
    assert "secret" not in str(masked.value) + str(meant.value)


def test_a_method_of_its_own_has_no_way_to_ask_a_modern_client() -> None:
    with pytest.raises(Exception, match="elicitation"):
        ask(clock(), "clock/ask")
    assert issubclass(Unanswered, Exception)


@pytest.mark.parametrize("method", ["clock", "/clock", "notifications/clock", "tools/list", "clock/read"])
def test_a_method_that_is_not_its_own_is_refused(method: str) -> None:
    class Thief(Clock):
        identifier = "com.example/thief"

        @property
        def methods(self) -> Mapping[str, Any]:
            return {method: self.read}

    with pytest.raises(RegistrationError, match="method"):
        clock().extend(Thief())


def test_a_method_has_to_be_asynchronous() -> None:
    def read(_params: Mapping[str, Any], _ctx: Context) -> dict[str, Any]:
        return {}

    class Slow(Clock):
        @property
        def methods(self) -> Mapping[str, Any]:
            return {"clock/read": read}

    with pytest.raises(RegistrationError, match="async def"):
        Server("slow").extend(Slow())


def test_an_object_that_is_called_asynchronously_will_do() -> None:
    class Reader:
        async def __call__(self, params: Mapping[str, Any], ctx: Context) -> dict[str, Any]:
            return {"time": "late"}

    class Lazy(Clock):
        @property
        def methods(self) -> Mapping[str, Any]:
            return {"clock/read": Reader()}

    server = Server("lazy")
    server.extend(Lazy())
    assert ask(server, "clock/read")["time"] == "late"


def test_an_extension_is_added_once() -> None:
    server = clock()
    with pytest.raises(RegistrationError, match="already"):
        server.extend(Clock())


def test_an_extension_without_a_prefix_is_refused() -> None:
    class Bare(Clock):
        identifier = "clock"

    with pytest.raises(RegistrationError, match=r"write com\.example/clock"):
        Server("clock").extend(Bare())


def test_its_methods_are_known_by_name_in_the_metrics() -> None:
    known = clock().known_methods
    assert "clock/read" in known
    assert {method for method in METHODS if method in known} >= METHODS
    assert "clock/wind" not in known


def test_over_http_it_is_asked_as_anything_else_is() -> None:
    async def main() -> tuple[int, Any, int]:
        transport = httpx2.ASGITransport(clock().http_app(Settings()), client=("127.0.0.1", 5))
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as http:
            found = await http.post("/mcp", json=_modern("clock/read"), headers=_headers("clock/read"))
            lost = await http.post("/mcp", json=_modern("clock/wind"), headers=_headers("clock/wind"))
            return found.status_code, found.json()["result"]["time"], lost.status_code

    assert asyncio.run(main()) == (200, "noon", 404)


def _modern(method: str) -> dict[str, Any]:
    prefix = "io.modelcontextprotocol/"
    meta: dict[str, Any] = {prefix + "protocolVersion": "2026-07-28", prefix + "clientCapabilities": {}}
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": {"_meta": meta}}


def _headers(method: str) -> dict[str, str]:
    return {"mcp-protocol-version": "2026-07-28", "mcp-method": method}
