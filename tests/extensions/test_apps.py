"""Apps: what a host is told of a page, when, and what is refused before any host could stumble over it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from one_question import ask

from mcp_server import Context, Csp, RegistrationError, Server
from mcp_server.extensions.apps import MIME_TYPE, UI
from mcp_server.protocol.versions import ALL_VERSIONS

PAGE = "<!doctype html><title>Clock</title><p id=time>"
FACE = "ui://clock/face"


def clock(**app: Any) -> Server:
    server = Server("clock", lint="off")

    @server.tool(ui=FACE)
    def time_now() -> str:
        """What time it is."""
        return "noon"

    @server.app(FACE, **app)
    def face() -> str:
        """The face of the clock."""
        return PAGE

    return server


def started(server: Server) -> None:
    ask(server, "tools/list")


def test_a_tool_names_its_app_where_hosts_look_for_it() -> None:
    [tool] = ask(clock(), "tools/list")["tools"]
    assert tool["_meta"] == {"ui": {"resourceUri": FACE}, "ui/resourceUri": FACE}


def test_an_app_is_html_of_its_kind() -> None:
    [page] = ask(clock(), "resources/read", {"uri": FACE})["contents"]
    assert page == {"uri": FACE, "mimeType": MIME_TYPE, "text": PAGE}


def test_what_an_app_needs_comes_with_its_page_and_stands_in_the_list() -> None:
    server = clock(
        csp=Csp(
            connect=["https://api.example.com", "wss://live.example.com:8443"],
            resource=["https://*.example.com"],
            frame=["https://maps.example.com"],
            base_uri=["https://example.com"],
        ),
        permissions=["clipboard-write", "camera"],
        domain="clock.example.com",
        prefers_border=False,
    )
    expected: dict[str, Any] = {
        "csp": {
            "connectDomains": ["https://api.example.com", "wss://live.example.com:8443"],
            "resourceDomains": ["https://*.example.com"],
            "frameDomains": ["https://maps.example.com"],
            "baseUriDomains": ["https://example.com"],
        },
        "permissions": {"clipboardWrite": {}, "camera": {}},
        "domain": "clock.example.com",
        "prefersBorder": False,
    }
    [listed] = ask(server, "resources/list")["resources"]
    [page] = ask(server, "resources/read", {"uri": FACE})["contents"]
    assert listed["_meta"] == {"ui": expected}
    assert page["_meta"] == {"ui": expected}


@pytest.mark.parametrize("version", ALL_VERSIONS)
def test_the_result_is_text_whether_or_not_a_client_shows_apps(version: str) -> None:
    result = ask(clock(), "tools/call", {"name": "time_now", "arguments": {}}, version=version)
    assert result["content"] == [{"type": "text", "text": "noon"}]


@pytest.mark.parametrize("version", ALL_VERSIONS)
def test_every_client_hears_of_apps_if_there_are_any(version: str) -> None:
    async def main(server: Server) -> Any:
        async with server.test_client(version) as client:
            hello: dict[str, Any] = {"protocolVersion": version, "capabilities": {}}
            found = await client.request("initialize" if version < "2026" else "server/discover", hello)
            return found["capabilities"].get("extensions")

    assert asyncio.run(main(clock())) == {UI: {}}
    assert asyncio.run(main(Server("plain"))) is None


@pytest.mark.parametrize("version", ["2024-11-05", "2025-03-26"])
def test_a_version_without_metadata_gets_none(version: str) -> None:
    [page] = ask(clock(prefers_border=True), "resources/read", {"uri": FACE}, version=version)["contents"]
    assert "_meta" not in page


def test_a_tool_may_be_for_the_app_alone() -> None:
    server = clock()

    @server.tool(ui_visibility=["app"])
    def wind() -> str:
        return "wound"

    tools = ask(server, "tools/list")["tools"]
    assert tools[1]["_meta"] == {"ui": {"visibility": ["app"]}}


def test_what_an_author_says_besides_is_kept() -> None:
    server = Server("clock", lint="off")
    server.add_app(PAGE, FACE, meta={"com.example/a": 1}, contents_meta={"com.example/b": 2}, prefers_border=True)
    server.add_tool(lambda: "noon", name="time_now", ui=FACE, meta={"com.example/c": 3})
    [tool] = ask(server, "tools/list")["tools"]
    [listed] = ask(server, "resources/list")["resources"]
    [page] = ask(server, "resources/read", {"uri": FACE})["contents"]
    assert tool["_meta"]["com.example/c"] == 3
    assert listed["_meta"] == {"com.example/a": 1, "ui": {"prefersBorder": True}}
    assert page["_meta"] == {"com.example/b": 2, "ui": {"prefersBorder": True}}


def test_a_page_may_be_a_file_that_is_read_each_time(tmp_path: Path) -> None:
    file = tmp_path / "face.html"
    file.write_text("<p>first")
    server = Server("clock")
    server.add_app(file, FACE)
    file.write_text("<p>second")
    [page] = ask(server, "resources/read", {"uri": FACE})["contents"]
    assert (page["mimeType"], page["text"]) == (MIME_TYPE, "<p>second")


def test_a_tool_sees_whether_its_client_shows_apps() -> None:
    server = Server("clock")

    @server.tool
    def shown(ctx: Context) -> str:
        return str(ctx.client_extension(UI))

    def says(extensions: Any) -> str:
        result = ask(server, "tools/call", {"name": "shown", "arguments": {}}, extensions=extensions)
        return result["content"][0]["text"]

    assert says({UI: {"mimeTypes": [MIME_TYPE]}}) == str({"mimeTypes": [MIME_TYPE]})
    assert says({}) == "None"


def test_a_server_whose_tool_names_no_app_does_not_start() -> None:
    server = Server("clock")
    server.add_tool(lambda: "noon", name="time_now", ui=FACE)
    with pytest.raises(RegistrationError, match=r"tool time_now: there is no app at ui://clock/face: write @"):
        started(server)


def test_nor_does_one_whose_app_is_of_another_kind() -> None:
    server = Server("clock")
    server.add_tool(lambda: "noon", name="time_now", ui=FACE)
    server.add_resource(PAGE, FACE, mime_type="text/html")
    with pytest.raises(RegistrationError, match=r"is text/html: write @server\.app"):
        started(server)


def test_the_order_of_registration_does_not_matter() -> None:
    started(clock())


@pytest.mark.parametrize("uri", ["https://example.com/face", "clock://face", "ui://clock/{name}"])
def test_an_app_has_one_address_of_its_own_kind(uri: str) -> None:
    with pytest.raises(RegistrationError, match=r"begins with ui://"):
        Server("clock").add_app(PAGE, uri)


def test_a_tool_with_an_app_has_to_say_something() -> None:
    server = Server("clock")

    def silent() -> None: ...

    with pytest.raises(RegistrationError, match="returns something all the same"):
        server.add_tool(silent, ui=FACE)


@pytest.mark.parametrize("origin", ["example.com", "https://example.com/path", "https://a b", "*", "javascript://x"])
def test_what_is_no_origin_is_refused(origin: str) -> None:
    with pytest.raises(RegistrationError, match="is no origin"):
        Csp(connect=[origin])


def test_a_permission_that_does_not_exist_is_refused() -> None:
    with pytest.raises(RegistrationError, match="'microscope' is none of camera, microphone"):
        clock(permissions=["microscope"])


def test_settings_that_an_author_has_given_are_kept() -> None:
    server = Server("clock", extensions={UI: {"com.example/own": True}})
    server.add_app(PAGE, FACE)
    found = ask(server, "server/discover")["capabilities"]["extensions"]
    assert found == {UI: {"com.example/own": True}}
