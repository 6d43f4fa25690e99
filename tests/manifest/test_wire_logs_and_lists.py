"""Log messages, pages, and how long things may be kept."""

from __future__ import annotations

from typing import Any

import pytest
from wire import PREFIX, Connect, Message, WireSession, on_loop

MESSAGE = "notifications/message"
LISTS = [
    ("tools/list", "tools"),
    ("resources/list", "resources"),
    ("resources/templates/list", "resourceTemplates"),
    ("prompts/list", "prompts"),
]


@pytest.mark.requirement("L1a")
@on_loop
async def test_a_request_that_did_not_ask_for_log_messages_gets_none(connect: Connect) -> None:
    async with connect() as session:
        await session.call("chatter", meta={PREFIX + "logLevel": "debug"})
        count = len(session.told(MESSAGE))
        await session.call("chatter")
        assert (count, len(session.told(MESSAGE))) == (4, 4)


@pytest.mark.requirement("L1b")
@pytest.mark.parametrize(
    ("level", "heard"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("notice", ["warning", "error"]),
        ("error", ["error"]),
        ("emergency", []),
    ],
)
@on_loop
async def test_no_message_is_below_the_level_that_was_asked_for(connect: Connect, level: str, heard: list[str]) -> None:
    async with connect() as session:
        await _chatter(session, level)
        assert [each["level"] for each in session.told(MESSAGE)] == heard


@pytest.mark.requirement("L1b")
@on_loop
async def test_a_message_is_any_value_and_may_name_its_logger(connect: Connect) -> None:
    async with connect() as session:
        await _chatter(session, "debug")
        first, second, *_ = session.told(MESSAGE)
        assert first == {"level": "debug", "data": "a detail"}
        assert second == {"level": "info", "data": {"what": "a fact"}, "logger": "fixture"}


@pytest.mark.requirement("L1c")
@on_loop
async def test_a_level_holds_until_another_is_set(connect: Connect) -> None:
    async with connect() as session:
        for level, expected in (("error", 1), ("warning", 3), ("emergency", 3)):
            await _chatter(session, level)
            assert len(session.told(MESSAGE)) == expected


@pytest.mark.requirement("L1d")
@pytest.mark.parametrize("level", ["loud", "DEBUG", "", 1])
@on_loop
async def test_a_level_that_does_not_exist_is_refused(connect: Connect, level: Any) -> None:
    async with connect() as session:
        if session.modern:
            refused = await session.refusal("tools/list", meta={PREFIX + "logLevel": level})
        else:
            refused = await session.refusal("logging/setLevel", {"level": level})
        assert refused.code == -32602


@pytest.mark.requirement("Q1a")
@pytest.mark.parametrize(("method", "key"), LISTS)
@on_loop
async def test_page_by_page_a_list_is_shown_once_and_whole(connect: Connect, method: str, key: str) -> None:
    async with connect("paged") as session:
        pages = await _pages(session, method)
        names = [entry["name"] for page in pages for entry in page[key]]
        assert [len(page[key]) for page in pages] == [2, 2, 1]
        assert len(set(names)) == 5


@pytest.mark.requirement("Q1b")
@pytest.mark.parametrize(("method", "key"), LISTS)
@pytest.mark.parametrize("cursor", ["nonsense", "5", "é", 5, {"a": 1}])
@on_loop
async def test_a_cursor_that_was_not_given_out_is_refused(connect: Connect, method: str, key: str, cursor: Any) -> None:
    async with connect("paged") as session:
        assert (await session.refusal(method, {"cursor": cursor})).code == -32602


@pytest.mark.requirement("Q1b")
@on_loop
async def test_a_cursor_of_another_list_is_refused(connect: Connect) -> None:
    async with connect("paged") as session:
        cursor = (await session.request("tools/list"))["nextCursor"]
        assert (await session.refusal("prompts/list", {"cursor": cursor})).code == -32602


@pytest.mark.requirement("K1a")
@pytest.mark.parametrize("method", ["server/discover", *[method for method, _ in LISTS]])
@on_loop
async def test_a_list_says_for_how_long_and_by_whom_it_may_be_kept(connect: Connect, method: str) -> None:
    async with connect("paged") as session:
        result = await session.request(method)
        assert (result["ttlMs"], result["cacheScope"]) == (5000, "public")


@pytest.mark.requirement("K1a")
@pytest.mark.parametrize(("uri", "kept"), [("fixture://motd", (0, "private")), ("fixture://logo", (60_000, "public"))])
@on_loop
async def test_a_resource_says_for_how_long_and_by_whom_it_may_be_kept(
    connect: Connect, uri: str, kept: tuple[int, str]
) -> None:
    async with connect() as session:
        result = await session.request("resources/read", {"uri": uri})
        assert (result["ttlMs"], result["cacheScope"]) == kept


@pytest.mark.requirement("K1a")
@on_loop
async def test_the_result_of_a_call_may_not_be_kept(connect: Connect) -> None:
    async with connect("paged") as session:
        assert "ttlMs" not in await session.request("tools/call", {"name": "tool-1"})


@pytest.mark.requirement("K1b")
@pytest.mark.parametrize(("method", "key"), LISTS)
@on_loop
async def test_all_pages_may_be_kept_by_the_same(connect: Connect, method: str, key: str) -> None:
    async with connect("paged") as session:
        assert [page["cacheScope"] for page in await _pages(session, method)] == ["public"] * 3


async def _chatter(session: WireSession, level: str) -> None:
    """Ask for log messages of this level, as the version has it, and for a call that sends some."""
    if session.modern:
        await session.call("chatter", meta={PREFIX + "logLevel": level})
    else:
        await session.request("logging/setLevel", {"level": level})
        await session.call("chatter")


async def _pages(session: WireSession, method: str) -> list[Message]:
    """All pages of a list."""
    pages = [await session.request(method)]
    while (cursor := pages[-1].get("nextCursor")) is not None:
        pages.append(await session.request(method, {"cursor": cursor}))
    return pages
