"""Whatever comes in, in whatever order: nothing is raised, each call is settled once, and nothing is left behind."""

# Nothing public tells what a call leaves behind.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any, TypeAlias, cast

from clients import Client, turns
from fakes import FakeService, message, meta
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_server.engine.calls import Call
from mcp_server.engine.connection import Connection
from mcp_server.engine.engine import Engine
from mcp_server.protocol.results import Result, text_content
from mcp_server.protocol.versions import V2025_03_26

DONE: Result = {"content": [text_content("done")]}
IDS = st.sampled_from([0, 1, 2, "1", "", "x"])
METHODS = st.sampled_from(["tools/list", "tools/call", "ping", "initialize", "server/discover", "notifications/x", "?"])
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
METADATA: st.SearchStrategy[Any] = st.one_of(
    st.just(meta()), VALUES, st.dictionaries(st.sampled_from(list(meta())), VALUES)
)
PARAMS: st.SearchStrategy[Any] = st.one_of(
    VALUES,
    st.fixed_dictionaries({}, optional={"_meta": METADATA, "name": VALUES, "arguments": VALUES, "cursor": VALUES}),
)
BODIES: st.SearchStrategy[Any] = st.one_of(
    VALUES,
    st.fixed_dictionaries(
        {},
        optional={
            "jsonrpc": st.just("2.0") | VALUES,
            "id": IDS | VALUES,
            "method": METHODS | VALUES,
            "params": PARAMS,
            "result": VALUES,
            "error": VALUES,
        },
    ),
    st.fixed_dictionaries({"jsonrpc": st.just("2.0"), "id": IDS, "method": METHODS, "params": PARAMS}),
)


class Silence:
    """A pipe whose other end nobody needs."""

    async def send(self, message: bytes) -> None:
        pass

    def deliver(self, message: bytes) -> None:
        pass

    def outlasts(self, call: Call) -> None:
        pass


def answers(*lines: bytes) -> list[bytes | None]:
    async def main() -> list[bytes | None]:
        connection = Connection(Engine(FakeService()), Silence())
        try:
            return [await connection.receive(line) for line in lines]
        finally:
            connection.close()

    return asyncio.run(main())


@given(st.lists(st.binary(max_size=60), max_size=5))
def test_no_bytes_raise_anything(lines: list[bytes]) -> None:
    for answer in answers(*lines):
        assert answer is None or json.loads(answer)["jsonrpc"] == "2.0"


@given(st.text(alphabet='{}[]":,0123456789truefalsn jocpidmhes.\\'))
def test_nothing_that_looks_like_json_raises_anything(line: str) -> None:
    answers(line.encode())


def members(body: Any) -> dict[str, Any] | None:
    return cast("dict[str, Any]", body) if isinstance(body, dict) else None


def is_request(body: Any) -> bool:
    found = members(body)
    return found is not None and "method" in found and "id" in found


def is_unreadable(body: Any) -> bool:
    """Whether a body is none of the three kinds of message, told in other words than those of the code."""
    found = members(body)
    if found is None or found.get("jsonrpc") != "2.0":
        return True
    if "method" in found:
        return type(found["method"]) is not str or type(found.get("params")) not in {dict, type(None)}
    kinds: list[Any] = [type(found.get(key)) for key in ("id", "result", "error")]
    error_for_nobody = kinds == [type(None), type(None), dict]
    outcomes = {*kinds[1:]}
    return not error_for_nobody and (kinds[0] not in {int, str} or outcomes != {dict, type(None)})


@settings(max_examples=300)
@given(BODIES)
def test_an_answer_is_due_exactly_to_a_request_and_to_what_cannot_be_read(body: Any) -> None:
    (answer,) = answers(json.dumps(body).encode())
    assert (answer is not None) is (is_request(body) or is_unreadable(body))
    if answer is None:
        return
    response = json.loads(answer)
    assert len({"result", "error"} & set(response)) == 1
    found = members(body) or {}
    identity = found.get("id")
    if type(identity) in {int, str} and is_request(body) and not {"result", "error"} & set(found):
        assert (response["id"], type(response["id"])) == (identity, type(identity))


@given(st.lists(BODIES, min_size=1, max_size=6))
def test_a_batch_is_answered_as_its_messages_would_be_alone(bodies: list[Any]) -> None:
    hello: dict[str, Any] = {"protocolVersion": V2025_03_26, "capabilities": {}}
    lines = [message("initialize", hello, "hello"), json.dumps(bodies).encode()]
    due = [body for body in bodies if is_request(body) or is_unreadable(body)]
    answer = answers(*lines)[1]
    assert (0 if answer is None else len(json.loads(answer))) == len(due)


# -- interleavings

Step: TypeAlias = "tuple[str, int]"
MANNERS = ["obeys", "swallows", "answers late", "fails in the clean-up", "says more", "raises a cancellation"]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["call", "cancel", "release", "expire", "turn", "batch"]), st.integers(0, 3)),
    ),
    max_size=30,
)


class Stage:
    """Calls with few ids and several bad manners, driven one step at a time."""

    def __init__(self, manners: list[str]) -> None:
        self.manners = manners
        self.gates = [asyncio.Event() for _ in range(4)]
        self.client = Client(FakeService({"tool": self.tool}), version=V2025_03_26)
        self.asked = Counter[int]()
        self.running = dict[int, Call]()
        self.cancelled = 0
        self.tasks = list[asyncio.Task[Any]]()

    async def tool(self, arguments: dict[str, Any], call: Call) -> Result:
        identity: int = arguments["n"]
        manner = self.manners[identity]
        self.running[identity] = call
        try:
            await self.gates[identity].wait()
        except asyncio.CancelledError:
            if manner == "swallows":
                await asyncio.sleep(0)
            elif manner == "answers late":
                return DONE
            elif manner == "says more":
                await call.progress(1, None, None)
                raise
            elif manner == "fails in the clean-up":
                raise ValueError(manner) from None
            else:
                raise
        if manner == "raises a cancellation":
            raise asyncio.CancelledError
        return DONE

    def body(self, identity: int) -> dict[str, Any]:
        self.asked[identity] += 1
        params = {"name": "tool", "arguments": {"n": identity}, "_meta": {"progressToken": identity}}
        self.client._methods[identity] = "tools/call"
        return {"jsonrpc": "2.0", "id": identity, "method": "tools/call", "params": params}

    def receive(self, data: object) -> None:
        self.tasks.append(asyncio.create_task(self.client.connection.receive(json.dumps(data).encode())))

    async def step(self, kind: str, identity: int) -> None:
        if kind == "call":
            self.receive(self.body(identity))
        elif kind == "batch":
            self.receive([self.body(identity), self.body((identity + 1) % 4)])
        elif kind == "cancel":
            in_flight = self.client.in_flight._calls.get(identity)
            self.cancelled += in_flight is not None and not in_flight.settled
            await self.client.cancel(identity)
        elif kind == "release":
            self.gates[identity].set()
        elif kind == "expire" and identity in self.running:
            self.running[identity]._expire()
        elif kind == "turn":
            await turns(identity)

    async def finish(self) -> list[Any]:
        """Everything that was answered, once all calls have ended."""
        await turns(3)
        for gate in self.gates:
            gate.set()
        async with asyncio.timeout(60):
            received = await asyncio.gather(*self.tasks)
        answered = list[Any](said for said in self.client.heard if "id" in said)
        for data in received:
            if data is not None:
                said = json.loads(data)
                answered += said if isinstance(said, list) else [said]
        return answered


class TimersOf:
    """Remembers the timers of calls, which strike after a minute."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.made = list[asyncio.TimerHandle]()
        self._call_later: Any = loop.call_later
        setattr(loop, "call_later", self._remember)  # noqa: B010 - its type is too generic to be assigned to

    def _remember(self, delay: float, *work: Any, **more: Any) -> asyncio.TimerHandle:
        timer = self._call_later(delay, *work, **more)
        if delay > 30:
            self.made.append(timer)
        return timer


@settings(max_examples=300, deadline=None)
@given(STEPS, st.lists(st.sampled_from(MANNERS), min_size=4, max_size=4))
def test_in_any_order_each_call_is_settled_once_and_nothing_is_left(steps: list[Step], manners: list[str]) -> None:
    async def main() -> None:
        stage = Stage(manners)
        await stage.client.ask("initialize", {"protocolVersion": V2025_03_26, "capabilities": {}}, id="hello")
        timers = TimersOf(asyncio.get_running_loop())
        for kind, identity in steps:
            await stage.step(kind, identity)
        answered = await stage.finish()
        assert len(answered) == sum(stage.asked.values()) - stage.cancelled
        assert Counter(said["id"] for said in answered) <= stage.asked
        assert len(stage.client.in_flight) == 0
        assert all(timer.cancelled() for timer in timers.made)
        stage.client.connection.close()
        await turns()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())
