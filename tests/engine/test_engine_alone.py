"""The engine as a transport without a connection has it: no session, and somebody who watches."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from clients import Client, turns
from fakes import FakeService, Tool

from mcp_server.engine.asking import Unanswered
from mcp_server.engine.calls import Call
from mcp_server.engine.engine import Engine
from mcp_server.engine.in_flight import InFlight
from mcp_server.protocol.errors import Failure
from mcp_server.protocol.messages import Peer, Request
from mcp_server.protocol.results import Answer, Result, text_content, tool_error
from mcp_server.protocol.versions import V2025_11_25

DONE: Result = {"content": [text_content("done")]}


class Nobody:
    """A caller that does not listen."""

    transport = "test"

    async def send(self, method: str, params: Mapping[str, Any], request: Request) -> None:
        pass

    def outlasts(self, call: Call) -> None:
        pass

    async def question(self, call: Call, method: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        raise Unanswered("nobody is there")

    def deliver(self, call: Call, answer: Answer) -> None:
        pass


class Witness:
    """Remembers what it has seen of each call."""

    def __init__(self) -> None:
        self.seen = list[Any]()

    def begin(self, call: Call) -> object:
        self.seen.append(("begin", call.request.id))
        return f"token of {call.request.id}"

    def end(self, call: Call, answer: Answer | None, token: object) -> None:
        said = "error" if isinstance(answer, Failure) else None if answer is None else "result"
        self.seen.append((token, said, call.expired))


def alone(method: str, params: dict[str, Any]) -> Answer | None:
    """The answer to an old request that belongs to no session."""
    request = Request(1, method, params, Peer(V2025_11_25))
    return asyncio.run(Engine(FakeService()).answer(request, Nobody(), InFlight()))


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("ping", {}),
        ("logging/setLevel", {"level": "info"}),
        ("resources/subscribe", {"uri": "fake://a"}),
        ("resources/unsubscribe", {"uri": "fake://a"}),
    ],
)
def test_what_changes_a_session_is_answered_without_one(method: str, params: dict[str, Any]) -> None:
    assert alone(method, params) == {}


def test_a_handshake_without_a_session_is_answered() -> None:
    answer = alone("initialize", {"protocolVersion": V2025_11_25, "capabilities": {}})
    assert isinstance(answer, Mapping)
    assert answer["protocolVersion"] == V2025_11_25


def test_a_request_without_a_session_keeps_the_peer_that_its_transport_gave_it() -> None:
    peer = Peer(V2025_11_25)
    request = Request(1, "ping", {}, peer)
    Engine(FakeService()).admit(request, None)
    assert request.peer is peer


def test_a_call_knows_the_way_in_which_it_came() -> None:
    seen = list[str]()

    async def tool(arguments: dict[str, Any], call: Call) -> Result:
        seen.append(call.transport)
        return DONE

    async def main() -> None:
        service = FakeService({"tool": tool})
        request = Request(1, "tools/call", {"name": "tool"}, Peer(V2025_11_25))
        await Engine(service).answer(request, Nobody(), InFlight())
        await Client(service).call("tool")

    asyncio.run(main())
    assert seen == ["test", "stdio"]


def test_the_arguments_that_headers_repeat_are_those_of_the_service() -> None:
    service = FakeService()
    assert Engine(service).mirrored_arguments("echo") is service.mirrored_arguments("echo")


def test_a_tool_may_fail_without_a_reason_for_machines() -> None:
    assert tool_error("no") == {"content": [text_content("no")], "isError": True}


def witnessed(tool: Tool, *, timeout: float | None = 60.0, cancel: bool = False) -> list[Any]:
    witness = Witness()

    async def main() -> None:
        client = Client(FakeService({"tool": tool}), timeout=timeout, observer=witness)
        calling = asyncio.create_task(client.call("tool", id=7))
        if cancel:
            await turns()
            await client.cancel(7)
        await calling

    asyncio.run(main())
    return witness.seen


async def finishes(arguments: dict[str, Any], call: Call) -> Result:
    return DONE


async def fails(arguments: dict[str, Any], call: Call) -> Result:
    raise ValueError


async def waits(arguments: dict[str, Any], call: Call) -> Result:
    await asyncio.Event().wait()
    return DONE


def test_an_observer_sees_a_call_that_has_a_result() -> None:
    assert witnessed(finishes) == [("begin", 7), ("token of 7", "result", False)]


def test_an_observer_sees_a_call_that_fails() -> None:
    assert witnessed(fails) == [("begin", 7), ("token of 7", "error", False)]


def test_an_observer_sees_a_call_that_is_cancelled() -> None:
    assert witnessed(waits, cancel=True) == [("begin", 7), ("token of 7", None, False)]


def test_an_observer_sees_a_call_that_takes_too_long() -> None:
    assert witnessed(waits, timeout=0.01) == [("begin", 7), ("token of 7", "result", True)]
