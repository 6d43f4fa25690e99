"""Nothing outlives the function: calls are timed out before it ends, and so is everything else."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from lambda_events import Caller, Context, Deploy, answered, event
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from mcp_server.aws_lambda import LambdaHandler

SOON = 0.4
"""How long the functions of these tests have: little, but with a reserve of a quarter."""


@pytest.mark.parametrize("tool", ["wait", "resist"])
def test_a_call_that_would_outlive_the_function_is_timed_out(caller: Caller, tool: str) -> None:
    result = caller.call(tool, within=SOON)
    assert result["isError"] is True
    assert result["content"][0]["text"].startswith("Timed out after 0.")
    assert caller.call("echo", text="still there")["content"][0]["text"] == "still there"


def test_a_thread_that_would_outlive_the_function_is_left_behind(caller: Caller) -> None:
    assert caller.call("block", within=SOON, seconds=5)["content"][0]["text"].startswith("Timed out after 0.")


def test_an_older_client_hears_of_the_end_in_its_own_words(caller: Caller) -> None:
    answer = caller.legacy("tools/call", within=SOON, name="wait", arguments={})
    assert answer.json["result"]["isError"] is True


def test_the_events_face_hears_of_the_end_as_an_event(caller: Caller) -> None:
    (message,) = caller.legacy("tools/call", "/mcp/sse", within=SOON, name="wait", arguments={}).messages
    assert message["result"]["isError"] is True


def test_a_person_with_curl_gets_a_504(caller: Caller) -> None:
    answer = caller.action("wait", within=SOON)
    assert (answer.status, answer.json["error"]) == (504, "timed_out")


@pytest.mark.parametrize(
    ("left", "allowed"), [(30.0, 29.5), (2.0, 1.5), (1.2, 0.9), pytest.param(900, 60, id="its own limit is shorter")]
)
def test_a_tool_can_see_how_long_it_has(caller: Caller, left: float, allowed: float) -> None:
    begun = time.monotonic()
    deadline = float(caller.call("deadline", within=left)["content"][0]["text"])
    assert begun + allowed <= deadline <= time.monotonic() + allowed


async def _hang(_: Request) -> Response:
    await asyncio.Event().wait()
    return Response()


async def _resist(_: Request) -> Response:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        await asyncio.Event().wait()
    return Response()


@pytest.mark.parametrize("endpoint", [_hang, _resist])
@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (None, 504, {"error": "timed_out", "detail": "Timed out: the function's time is over"}),
        ("not JSON", 504, {"error": "timed_out", "detail": "Timed out: the function's time is over"}),
        (
            '{"jsonrpc": "2.0", "id": 9, "method": "x"}',
            200,
            {"jsonrpc": "2.0", "id": 9, "error": {"code": -32603, "message": "Timed out: the function's time is over"}},
        ),
    ],
)
def test_whatever_else_hangs_is_answered_in_time(
    deploy: Deploy, endpoint: Any, body: str | None, status: int, said: object
) -> None:
    handler = deploy(Starlette(routes=[Route("/hang", endpoint, methods=["GET", "POST"])]))
    answer = answered(handler(event("function_url", "POST", "/hang", body), Context(SOON)))
    assert (answer.status, answer.json) == (status, said)


def test_an_answer_that_was_given_counts_even_if_its_giver_hangs(deploy: Deploy) -> None:
    async def lingering(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await Response("given")(scope, receive, send)
            await asyncio.Event().wait()

    assert answered(deploy(lingering)(event("function_url", "GET", "/"), Context(2.0))).body == b"given"


def test_half_a_stream_is_not_given(deploy: Deploy) -> None:
    async def half(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = [(b"content-type", b"text/event-stream")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b": hello\n\n", "more_body": True})
            await asyncio.Event().wait()

    made = event("function_url", "POST", "/", {"jsonrpc": "2.0", "id": 9, "method": "x"})
    (message,) = answered(deploy(half)(made, Context(SOON))).messages
    assert (message["id"], message["error"]["code"]) == (9, -32603)


def test_without_a_context_there_is_no_deadline(handler: LambdaHandler) -> None:
    made = event("function_url", "GET", "/health")
    assert answered(handler(made, None)).status == 200
