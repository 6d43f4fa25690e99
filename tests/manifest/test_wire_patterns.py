"""Progress, deadlines and subscriptions."""

from __future__ import annotations

from typing import Any

import pytest
from wire import PREFIX, Connect, Id, Message, WireSession, on_loop

from mcp_server.engine.calls import PROGRESS_AT_ONCE
from mcp_server.protocol.versions import V2025_03_26, at_least

PROGRESS = "notifications/progress"
ACKNOWLEDGED = "notifications/subscriptions/acknowledged"
EVERY_LIST = {"toolsListChanged": True, "promptsListChanged": True, "resourcesListChanged": True}
CHANGED = {
    "tool": "notifications/tools/list_changed",
    "resource": "notifications/resources/list_changed",
    "prompt": "notifications/prompts/list_changed",
}


@pytest.mark.requirement("P7a")
@on_loop
async def test_progress_that_does_not_increase_is_not_told(connect: Connect) -> None:
    async with connect() as session:
        await session.call("climb", meta={"progressToken": "t"})
        assert [each["progress"] for each in session.told(PROGRESS)] == [1, 2, 3]


@pytest.mark.requirement("P7b")
@pytest.mark.parametrize("token", ["t", "", 0, 7])
@on_loop
async def test_progress_is_told_under_the_callers_token(connect: Connect, token: Id) -> None:
    async with connect() as session:
        await session.call("climb", meta={"progressToken": token})
        told = [each["progressToken"] for each in session.told(PROGRESS)]
        assert told == [token] * 3
        assert {type(each) for each in told} == {type(token)}


@pytest.mark.requirement("P7b")
@on_loop
async def test_progress_is_not_told_to_those_who_gave_no_token(connect: Connect) -> None:
    async with connect() as session:
        await session.call("climb")
        assert session.told(PROGRESS) == []


@pytest.mark.requirement("P7b")
@on_loop
async def test_progress_comes_before_the_answer(connect: Connect) -> None:
    async with connect() as session:
        await session.call("climb", meta={"progressToken": "t"})
        assert "result" in session.received[-1]


@pytest.mark.requirement("P7c")
@on_loop
async def test_nothing_is_told_after_the_answer(connect: Connect) -> None:
    async with connect() as session:
        level = {PREFIX + "logLevel": "debug"} if session.modern else {}
        await session.call("mutter", meta={"progressToken": "t", **level})
        await session.call("let_mutter")
        assert [each["progress"] for each in session.told(PROGRESS)] == [1]
        assert session.told("notifications/message") == []


@pytest.mark.requirement("P7e")
@on_loop
async def test_progress_that_nobody_could_follow_is_left_out(connect: Connect) -> None:
    async with connect() as session:
        result = await session.call("race", meta={"progressToken": "t"})
        told = [each["progress"] for each in session.told(PROGRESS)]
        assert result["content"][0]["text"] == "at the goal"
        assert told[:PROGRESS_AT_ONCE] == list(range(1, PROGRESS_AT_ONCE + 1))
        assert len(told) < 5000


@pytest.mark.requirement("P7d")
@on_loop
async def test_progress_says_something(connect: Connect) -> None:
    async with connect() as session:
        await session.call("climb", meta={"progressToken": "t"})
        first = session.told(PROGRESS)[0]
        assert (first["message"], first["total"]) == ("step 1", 3)


@pytest.mark.requirement("P7b", "N6")
@on_loop
async def test_progress_says_no_more_than_its_version_allows(connect: Connect) -> None:
    async with connect() as session:
        await session.call("climb", meta={"progressToken": "t"})
        assert ("message" in session.told(PROGRESS)[0]) == at_least(connect.version, V2025_03_26)


@pytest.mark.requirement("P8")
@on_loop
async def test_a_call_is_answered_at_its_deadline(connect: Connect) -> None:
    async with connect() as session:
        result = await session.call("never", meta={"progressToken": "t"})
        assert result["isError"]
        assert result["content"][0]["text"] == "Timed out after 0.1 s"
        assert len(session.told(PROGRESS)) == 1


@pytest.mark.requirement("P9a")
@on_loop
async def test_a_subscription_begins_with_what_is_honoured(connect: Connect) -> None:
    async with connect() as session:
        wanted = {**EVERY_LIST, "resourceSubscriptions": ["fixture://motd"]}
        assert (await _listen(session, wanted))["notifications"] == wanted


@pytest.mark.requirement("P9a")
@on_loop
async def test_what_the_server_does_not_have_is_not_honoured(connect: Connect) -> None:
    async with connect("bare") as session:
        wanted = {**EVERY_LIST, "resourceSubscriptions": ["fixture://motd"]}
        assert (await _listen(session, wanted))["notifications"] == {"toolsListChanged": True}


@pytest.mark.requirement("P9a")
@pytest.mark.parametrize("wanted", [{"toolsListChanged": False}, {}])
@on_loop
async def test_what_was_not_asked_for_is_not_honoured(connect: Connect, wanted: dict[str, Any]) -> None:
    async with connect() as session:
        assert (await _listen(session, wanted))["notifications"] == {}


@pytest.mark.requirement("P9a")
@pytest.mark.parametrize(
    "wanted", [None, [], {"toolsListChanged": 1}, {"resourceSubscriptions": "a"}, {"resourceSubscriptions": [1]}]
)
@on_loop
async def test_a_malformed_filter_is_refused(connect: Connect, wanted: Any) -> None:
    async with connect() as session:
        assert (await session.refusal("subscriptions/listen", {"notifications": wanted})).code == -32602


@pytest.mark.requirement("P9b")
@on_loop
async def test_nothing_is_told_that_was_not_asked_for(connect: Connect) -> None:
    async with connect() as session:
        await _listen(session, {"promptsListChanged": True})
        for by in ("tool", "resource", "prompt"):
            await session.call("grow", by=by)
        await session.call("touch", uri="fixture://motd")
        await session.heard(CHANGED["prompt"])
        assert {each["method"] for each in session.received if "method" in each} == {ACKNOWLEDGED, CHANGED["prompt"]}


@pytest.mark.requirement("P9c")
@pytest.mark.parametrize("identity", ["sub", "", 0, 5000])
@on_loop
async def test_everything_about_a_subscription_bears_its_id(connect: Connect, identity: Id) -> None:
    async with connect() as session:
        await _listen(session, {"toolsListChanged": True, "resourceSubscriptions": ["fixture://motd"]}, identity)
        await session.call("grow", by="tool")
        await session.call("touch", uri="fixture://motd")
        for method in (ACKNOWLEDGED, CHANGED["tool"], "notifications/resources/updated"):
            tag = (await session.heard(method))[0]["_meta"][PREFIX + "subscriptionId"]
            assert (tag, type(tag)) == (identity, type(identity))


@pytest.mark.requirement("P9d")
@on_loop
async def test_several_subscriptions_are_open_at_once(connect: Connect) -> None:
    async with connect() as session:
        await _listen(session, {"toolsListChanged": True}, "one")
        await _listen(session, {"toolsListChanged": True}, "other")
        await session.call("grow", by="tool")
        told = await session.heard(CHANGED["tool"], 2)
        assert {each["_meta"][PREFIX + "subscriptionId"] for each in told} == {"one", "other"}


@pytest.mark.requirement("P9e")
@on_loop
async def test_a_subscription_that_is_cancelled_is_silent(connect: Connect) -> None:
    async with connect() as session:
        await _listen(session, {"toolsListChanged": True}, "one")
        await _listen(session, {"toolsListChanged": True}, "other")
        await session.cancel("one")
        await session.call("grow", by="tool")
        told = await session.heard(CHANGED["tool"])
        assert [each["_meta"][PREFIX + "subscriptionId"] for each in told] == ["other"]
        assert not session.answered("one")


@pytest.mark.requirement("P10a")
@pytest.mark.parametrize("by", CHANGED)
@on_loop
async def test_those_who_asked_hear_of_every_change(connect: Connect, by: str) -> None:
    async with connect() as session:
        await _listen(session, EVERY_LIST)
        await session.call("grow", by=by)
        await session.heard(CHANGED[by])
        await session.call("shrink", by=by)
        await session.heard(CHANGED[by], 2)


@pytest.mark.requirement("P10b")
@pytest.mark.parametrize("by", CHANGED)
@on_loop
async def test_a_client_hears_of_every_change(connect: Connect, by: str) -> None:
    async with connect() as session:
        await session.call("grow", by=by)
        await session.heard(CHANGED[by])
        await session.call("shrink", by=by)
        await session.heard(CHANGED[by], 2)


async def _listen(session: WireSession, wanted: dict[str, Any], identity: Id | None = None) -> Message:
    """Open a subscription; returns its acknowledgement."""
    count = len(session.told(ACKNOWLEDGED))
    await session.ask("subscriptions/listen", {"notifications": wanted}, identity=identity)
    return (await session.heard(ACKNOWLEDGED, count + 1))[-1]
