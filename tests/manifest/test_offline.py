"""What never reaches a wire, because it is refused when it is registered or when the server starts."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import pytest

from mcp_server import Header, Icon, RegistrationError, Server

OBJECT: dict[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}


def tool(**arguments: Any) -> str:
    """Takes what its schema allows."""
    return str(arguments)


@pytest.mark.requirement("B11")
def test_a_schema_of_another_dialect_is_refused() -> None:
    schema = {**OBJECT, "$schema": "http://json-schema.org/draft-04/schema#"}
    with pytest.raises(RegistrationError, match="2020-12"):
        Server("s").add_tool(tool, input_schema=schema)


@pytest.mark.requirement("B12")
@pytest.mark.parametrize("reference", ["https://example.com/schema.json", "other.json#/a", "#/$defs/nothing"])
def test_a_schema_that_refers_to_another_place_is_refused(reference: str) -> None:
    schema = {**OBJECT, "properties": {"a": {"$ref": reference}}}
    with pytest.raises(RegistrationError):
        Server("s").add_tool(tool, input_schema=schema)


@pytest.mark.requirement("T8")
@pytest.mark.parametrize("name", ["", "two words", "Ä", "a:b"])
def test_an_argument_that_no_header_can_repeat_is_refused(name: str) -> None:
    def function(region: Annotated[str, Header(name)]) -> str:
        return region

    function.__annotations__["region"] = Annotated[str, Header(name)]
    with pytest.raises(RegistrationError):
        Server("s").add_tool(function)


@pytest.mark.requirement("R2d")
@pytest.mark.parametrize("uri", ["/etc/passwd", "notes", "", "{scheme}"])
def test_what_is_no_uri_is_refused(uri: str) -> None:
    with pytest.raises(RegistrationError):
        Server("s").add_resource("text", uri)


@pytest.mark.requirement("R4")
@pytest.mark.parametrize("uri", ["https://example.com/a", "HTTP://example.com/{name}"])
def test_a_resource_at_an_address_of_the_web_is_advised_against(uri: str, caplog: pytest.LogCaptureFixture) -> None:
    def text(name: str = "") -> str:
        return name

    Server("s").resource(uri)(text)
    assert "choose a scheme of your own" in caplog.text
    with pytest.raises(RegistrationError, match="choose a scheme of your own"):
        Server("s", lint="error").resource(uri)(text)
    caplog.clear()
    Server("s").resource("notes://{name}")(text)
    Server("s", lint="off").resource(uri)(text)
    assert caplog.text == ""


@pytest.mark.requirement("B14")
@pytest.mark.parametrize("src", ["http://example.com/i.png", "javascript:alert(1)", "data:text/html,x", "i.png", ""])
def test_an_icon_that_no_client_shows_is_refused(src: str) -> None:
    with pytest.raises(RegistrationError, match="https:// or data:image/"):
        Icon(src)


@pytest.mark.requirement("B14")
@pytest.mark.parametrize("src", ["https://example.com/i.png", "data:image/png;base64,AA=="])
def test_an_icon_that_clients_show_is_taken(src: str) -> None:
    assert Icon(src).listing() == {"src": src}


@pytest.mark.requirement("X6a")
def test_a_tool_whose_app_is_nowhere_stops_the_start() -> None:
    server = Server("s", lint="off")
    server.add_tool(tool, input_schema=OBJECT, ui="ui://nowhere")

    async def main() -> None:
        async with server.test_client():
            raise AssertionError("it started")

    with pytest.raises(RegistrationError, match="ui://nowhere"):
        asyncio.run(main())
