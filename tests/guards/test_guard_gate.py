from __future__ import annotations

import asyncio

import pytest
from asgi_driver import Seen, body_of, get, http_scope, passes_lifespan
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from mcp_server.guards.bodies import BodyGuard
from mcp_server.guards.caller import Caller, caller_of
from mcp_server.guards.cors import Cors
from mcp_server.guards.gate import Gate, Guard, Look, in_one_layer
from mcp_server.guards.https import HttpsGuard
from mcp_server.guards.origin import OriginGuard
from mcp_server.guards.refusals import BAD_HOST, PLAIN_HTTP, TOO_LARGE, Refusal


class Noting(Guard):
    """Says what it is told to say, and notes that it was asked."""

    def __init__(self, app: ASGIApp, *, name: str, asked: list[str], says: Refusal | None = None) -> None:
        super().__init__(app)
        self._name = name
        self._asked = asked
        self._says = says

    def look(self, scope: Scope, caller: Caller) -> Look:
        self._asked.append(self._name)
        caller.standing += ((b"x-standing", self._name.encode()),)
        return self._says


class Waiting(Noting):
    """The same, after having waited."""

    def look(self, scope: Scope, caller: Caller) -> Look:
        async def wait() -> Refusal | None:
            await asyncio.sleep(0)
            return self._says

        super().look(scope, caller)
        return wait()


def test_guards_are_asked_from_the_outside_in() -> None:
    asked: list[str] = []
    guards = [Middleware(Noting, name="first", asked=asked), Middleware(Waiting, name="second", asked=asked)]
    assert get(Gate(Seen(), guards=guards)).status == 200
    assert asked == ["first", "second"]


@pytest.mark.parametrize("kind", [Noting, Waiting])
def test_nobody_further_in_hears_of_who_is_refused(kind: type[Noting]) -> None:
    asked: list[str] = []
    seen = Seen()
    guards = [
        Middleware(kind, name="first", asked=asked, says=BAD_HOST),
        Middleware(Noting, name="second", asked=asked),
    ]
    assert get(Gate(seen, guards=guards)).status == BAD_HOST.status
    assert (asked, seen.scopes) == (["first"], [])


@pytest.mark.parametrize("says", [None, BAD_HOST])
def test_what_guards_add_to_an_answer_is_added_once_refused_or_not(says: Refusal | None) -> None:
    inner = Noting(Seen(), name="inner", asked=[], says=says)
    outer = Noting(inner, name="outer", asked=[])
    answer = get(outer)
    assert sorted(value for name, value in answer.headers if name == "x-standing") == ["inner", "outer"]


def test_whoever_is_refused_is_told_of_once() -> None:
    told: list[str | None] = []
    guards = [Middleware(HttpsGuard), Middleware(BodyGuard, max_bytes=1)]
    gate = Gate(Seen(reads_body=True), guards=guards, refused=lambda caller: told.append(caller.refused))
    get(gate)
    get(gate, body_of(b"too large"), scheme="https")
    get(gate, scheme="https")
    assert told == [PLAIN_HTTP.error, TOO_LARGE.error]


def test_a_refusal_further_in_is_told_of_too() -> None:
    async def limited(scope: Scope, receive: Receive, send: Send) -> None:
        caller_of(scope).refused = "a limit of its own"
        await Seen()(scope, receive, send)

    told: list[str | None] = []
    get(Gate(limited, refused=lambda caller: told.append(caller.refused)))
    assert told == ["a limit of its own"]


def test_guards_that_follow_each_other_are_one_layer() -> None:
    layers = [
        Middleware(HttpsGuard),
        Middleware(OriginGuard),
        Middleware(Cors),
        Middleware(BodyGuard),
    ]
    found = in_one_layer(layers, refused=lambda _: None)
    assert [layer.cls for layer in found] == [Gate, Cors, Gate]
    assert [found[0].kwargs["guards"], found[2].kwargs["guards"]] == [layers[:2], layers[3:]]


def test_a_refusal_with_further_headers_leaves_the_first_as_it_was() -> None:
    more = BAD_HOST.with_headers(((b"x-more", b"1"),))
    assert get(lambda scope, _, send: more(scope, send)).header("x-more") == "1"
    assert get(lambda scope, _, send: BAD_HOST(scope, send)).header("x-more") is None


def test_a_guard_without_an_opinion_is_a_mistake() -> None:
    with pytest.raises(NotImplementedError):
        Guard(Seen()).look(http_scope(), Caller([]))


def test_a_gate_passes_on_what_is_no_request() -> None:
    assert passes_lifespan(lambda app: Gate(app, guards=[Middleware(HttpsGuard)]))
