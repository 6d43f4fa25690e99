"""Resources: how they are listed, read, and watched."""

from __future__ import annotations

import base64

import pytest
from fixture_server import PIXEL
from wire import Connect, on_loop

UPDATED = "notifications/resources/updated"


@pytest.mark.requirement("R1a")
@pytest.mark.parametrize("uri", ["fixture://nothing", "", "file:///etc/passwd", "fixture://notes/a/b"])
@on_loop
async def test_a_resource_that_is_not_there_is_refused(connect: Connect, uri: str) -> None:
    async with connect() as session:
        refused = await session.refusal("resources/read", {"uri": uri})
        assert (refused.code, refused.data["uri"]) == (-32602, uri)


@pytest.mark.requirement("R1b")
@on_loop
async def test_a_resource_that_is_not_there_has_a_code_of_its_own(connect: Connect) -> None:
    async with connect() as session:
        refused = await session.refusal("resources/read", {"uri": "fixture://nothing"})
        assert (refused.code, refused.data["uri"]) == (-32002, "fixture://nothing")


@pytest.mark.requirement("R2a")
@on_loop
async def test_resources_are_listed_in_the_order_of_registration(connect: Connect) -> None:
    async with connect() as session:
        for _ in range(2):
            listed = (await session.request("resources/list"))["resources"]
            assert [each["uri"] for each in listed] == ["fixture://motd", "fixture://logo"]


@pytest.mark.requirement("R2a")
@on_loop
async def test_templates_are_listed_apart(connect: Connect) -> None:
    async with connect() as session:
        listed = (await session.request("resources/templates/list"))["resourceTemplates"]
        assert [(each["uriTemplate"], each["name"]) for each in listed] == [("fixture://notes/{name}", "note")]


@pytest.mark.requirement("R2b")
@on_loop
async def test_text_is_sent_as_text(connect: Connect) -> None:
    async with connect() as session:
        contents = (await session.request("resources/read", {"uri": "fixture://motd"}))["contents"]
        assert contents == [{"uri": "fixture://motd", "mimeType": "text/plain", "text": "Be kind."}]


@pytest.mark.requirement("R2b")
@on_loop
async def test_bytes_are_sent_in_base64(connect: Connect) -> None:
    async with connect() as session:
        [logo] = (await session.request("resources/read", {"uri": "fixture://logo"}))["contents"]
        assert (base64.b64decode(logo["blob"]), logo["mimeType"]) == (PIXEL, "image/png")


@pytest.mark.requirement("R2c")
@pytest.mark.parametrize(("name", "value"), [("today", "today"), ("a%20b", "a b"), ("n%C3%A9", "né")])
@on_loop
async def test_a_resource_of_a_template_is_read_by_its_uri(connect: Connect, name: str, value: str) -> None:
    async with connect() as session:
        [note] = (await session.request("resources/read", {"uri": f"fixture://notes/{name}"}))["contents"]
        assert (note["uri"], note["text"]) == (f"fixture://notes/{name}", f"This is {value}.")


@pytest.mark.requirement("R3a")
@on_loop
async def test_a_subscription_hears_of_its_resources_and_of_no_other(connect: Connect) -> None:
    async with connect() as session:
        await session.ask("subscriptions/listen", {"notifications": {"resourceSubscriptions": ["fixture://motd"]}})
        await session.heard("notifications/subscriptions/acknowledged")
        for uri in ("fixture://logo", "fixture://motdo", "fixture://motd"):
            await session.call("touch", uri=uri)
        assert [each["uri"] for each in await session.heard(UPDATED)] == ["fixture://motd"]


@pytest.mark.requirement("R3a")
@pytest.mark.parametrize("watched", ["fixture://notes", "fixture://notes/"])
@on_loop
async def test_a_subscription_hears_of_what_is_inside_its_resource(connect: Connect, watched: str) -> None:
    async with connect() as session:
        await session.ask("subscriptions/listen", {"notifications": {"resourceSubscriptions": [watched]}})
        await session.heard("notifications/subscriptions/acknowledged")
        await session.call("touch", uri="fixture://notes/today")
        assert [each["uri"] for each in await session.heard(UPDATED)] == ["fixture://notes/today"]


@pytest.mark.requirement("R3b")
@on_loop
async def test_a_resource_that_is_subscribed_to_is_heard_of(connect: Connect) -> None:
    async with connect() as session:
        assert await session.request("resources/subscribe", {"uri": "fixture://motd"}) == {}
        for uri in ("fixture://logo", "fixture://motd"):
            await session.call("touch", uri=uri)
        assert [each["uri"] for each in await session.heard(UPDATED)] == ["fixture://motd"]


@pytest.mark.requirement("R3b")
@on_loop
async def test_a_resource_that_is_not_subscribed_to_any_more_is_not_heard_of(connect: Connect) -> None:
    async with connect() as session:
        for uri in ("fixture://motd", "fixture://logo"):
            await session.request("resources/subscribe", {"uri": uri})
        await session.request("resources/unsubscribe", {"uri": "fixture://motd"})
        for uri in ("fixture://motd", "fixture://logo"):
            await session.call("touch", uri=uri)
        assert [each["uri"] for each in await session.heard(UPDATED)] == ["fixture://logo"]
