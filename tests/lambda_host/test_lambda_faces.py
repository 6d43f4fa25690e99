"""Every way to speak to the server, through every kind of event."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import lambda_tools
import pytest
from lambda_events import KEY, KINDS, NOT_HTTP, Caller, Context, Deploy, event
from mangum import Mangum
from starlette.applications import Starlette

from mcp_server.aws_lambda import LambdaHandler
from mcp_server.http_server import http_app
from mcp_server.settings import load_settings

HELLO = [{"type": "text", "text": "hello"}]

every_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture
def caller(handler: LambdaHandler, kind: str) -> Caller:
    return Caller(handler, kind)


@every_kind
def test_a_modern_client_calls_a_tool(caller: Caller) -> None:
    assert caller.call("echo", text="hello")["content"] == HELLO


@every_kind
def test_an_older_client_calls_a_tool_in_the_session_of_its_handshake(caller: Caller) -> None:
    session = caller.initialize().headers["mcp-session-id"]
    answer = caller.legacy("tools/call", session=session, name="echo", arguments={"text": "hello"})
    assert answer.json["result"]["content"] == HELLO


@every_kind
def test_a_person_with_curl_calls_a_tool(caller: Caller) -> None:
    assert caller.action("echo", text="hello").json == {"output": "hello", "isError": False}


@every_kind
def test_the_events_face_answers_with_one_finite_stream(caller: Caller) -> None:
    answer = caller.legacy("tools/call", "/mcp/sse", name="echo", arguments={"text": "hello"})
    assert answer.headers["content-type"] == "text/event-stream"
    assert [message["result"]["content"] for message in answer.messages] == [HELLO]


@every_kind
def test_anybody_may_ask_for_health(caller: Caller) -> None:
    answer = caller.send("GET", "/health")
    assert (answer.status, answer.json["status"]) == (200, "healthy")


@every_kind
def test_a_caller_without_a_key_is_refused(caller: Caller) -> None:
    answer = caller.post({"action": "list_tools"}, authorization="Bearer wrong")
    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith("Bearer ")


@every_kind
def test_a_body_in_base64_is_read_like_any_other(caller: Caller, kind: str) -> None:
    body = {"action": "call_tool", "name": "echo", "arguments": {"text": "Grüße, 你好"}}
    sent = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    assert caller.send("POST", "/mcp", body, sent, encoded=True).json["output"] == "Grüße, 你好"


@every_kind
def test_state_is_kept_from_one_event_to_the_next(caller: Caller) -> None:
    first = int(caller.action("count").json["output"])
    assert [int(caller.action("count").json["output"]) for _ in range(3)] == [first + 1, first + 2, first + 3]
    assert lambda_tools.lifespans == ["begun"]


@every_kind
def test_the_same_call_has_the_same_payload_everywhere(handler: LambdaHandler, kind: str) -> None:
    caller, reference = Caller(handler, kind), Caller(handler, "function_url")
    answer, expected = caller.modern("tools/list"), reference.modern("tools/list")
    assert (answer.status, answer.json) == (expected.status, expected.json)


@every_kind
@pytest.mark.parametrize("path", ["/mcp", "/mcp/sse"])
def test_a_stream_that_would_last_is_refused_at_once(caller: Caller, path: str) -> None:
    session = caller.initialize().headers["mcp-session-id"]
    for headers in ({}, {"mcp-session-id": session}, {"mcp-session-id": session, "last-event-id": "1"}):
        answer = caller.get(path, accept="text/event-stream", **headers)
        assert (answer.status, answer.headers["allow"]) == (405, "POST")


@every_kind
def test_listening_to_changes_is_refused_at_once(caller: Caller) -> None:
    answer = caller.modern("subscriptions/listen", notifications={"toolsListChanged": True})
    assert (answer.status, answer.json["error"]["code"]) == (404, -32601)


@pytest.mark.parametrize("kind", ["function_url"])
def test_the_server_promises_no_news(caller: Caller) -> None:
    modern = caller.modern("server/discover").json["result"]["capabilities"]
    legacy = caller.initialize().json["result"]["capabilities"]
    assert (modern["tools"], modern["resources"]) == ({}, {})
    assert (legacy["tools"], legacy["resources"]) == ({}, {})


@pytest.mark.parametrize("kind", ["function_url"])
def test_a_resource_cannot_be_watched(caller: Caller) -> None:
    session = caller.initialize().headers["mcp-session-id"]
    answer = caller.legacy("resources/subscribe", session=session, uri="note://one")
    assert answer.json["error"]["code"] == -32601


@pytest.mark.parametrize("kind", ["function_url"])
def test_the_old_transport_has_no_second_half_either(caller: Caller) -> None:
    assert caller.post({"jsonrpc": "2.0", "id": 1, "method": "ping"}, "/mcp/messages?session_id=x").status == 404


@every_kind
def test_progress_comes_with_the_answer(caller: Caller) -> None:
    answer = caller.modern("tools/call", name="report", arguments={}, _={"progressToken": "p"})
    *reports, result = answer.messages
    assert [report["params"]["progress"] for report in reports] == [1, 2]
    assert result["result"]["content"][0]["text"] == "done"


@pytest.mark.parametrize("kind", ["function_url"])
def test_a_stream_of_an_older_client_offers_no_taking_up_again(caller: Caller) -> None:
    session = caller.initialize().headers["mcp-session-id"]
    wanted = {"progressToken": "p"}
    answer = caller.legacy("tools/call", session=session, name="report", arguments={}, _meta=wanted)
    assert len(answer.messages) == 3
    assert b"id:" not in answer.body
    assert b"retry:" not in answer.body


@pytest.mark.parametrize("kind", ["function_url"])
def test_an_older_client_is_not_asked_what_it_would_hear_too_late(caller: Caller) -> None:
    session = caller.initialize(elicitation={}).headers["mcp-session-id"]
    answer = caller.legacy("tools/call", session=session, name="greet", arguments={})
    text = answer.messages[-1]["result"]["content"][0]["text"]
    assert text.startswith("Hello, whoever you are. The client cannot be asked")


@pytest.mark.parametrize("kind", ["function_url"])
def test_a_modern_client_is_asked_and_may_answer_another_process(
    caller: Caller, app: Starlette, deploy: Deploy
) -> None:
    capable: dict[str, Any] = {"capabilities": {"elicitation": {"form": {}}}}
    asked = caller.modern("tools/call", name="greet", arguments={}, _=capable).json["result"]
    ((key, _),) = asked["inputRequests"].items()
    answers = {key: {"action": "accept", "content": {"name": "Ada"}}}
    other = Caller(deploy(http_app(lambda_tools.server, load_settings())))
    state = asked["requestState"]
    result = other.modern(
        "tools/call", name="greet", arguments={}, inputResponses=answers, requestState=state, _=capable
    ).json["result"]
    assert result["content"][0]["text"] == "Hello, Ada"


@pytest.mark.parametrize("kind", ["function_url"])
def test_a_session_goes_on_in_another_process(caller: Caller, deploy: Deploy) -> None:
    session = caller.initialize().headers["mcp-session-id"]
    other = Caller(deploy(http_app(lambda_tools.server, load_settings())))
    answer = other.legacy("tools/call", session=session, name="echo", arguments={"text": "hello"})
    assert answer.json["result"]["content"] == HELLO


@pytest.mark.parametrize("name", NOT_HTTP)
def test_an_event_that_is_no_request_is_answered(handler: LambdaHandler, name: str) -> None:
    assert handler(NOT_HTTP[name], Context()) == {"ready": True, "handled": False}


# -- hundreds of them ------------------------------------------------------------------------------------------------


@contextmanager
def guide(app: Starlette) -> Generator[Mangum]:
    """The handler as guides have it, which runs the lifespan around every event."""
    with asyncio.Runner() as runner:
        runner.get_loop()
        yield Mangum(app)
        runner.run(app.state.lifecycle.stop())


def _every_face(caller: Caller, turn: int) -> None:
    text = f"turn {turn}"
    assert caller.call("echo", text=text)["content"][0]["text"] == text
    session = caller.initialize().headers["mcp-session-id"]
    assert len(caller.legacy("tools/list", session=session).json["result"]["tools"]) == 9
    assert caller.action("echo", text=text).json["output"] == text
    assert caller.legacy("tools/call", "/mcp/sse", name="echo", arguments={"text": text}).status == 200
    assert caller.get("/health").status == 200
    assert caller.get("/mcp").status == 405


@pytest.mark.parametrize(("kind", "turns"), [(kind, 3) for kind in KINDS] + [("function_url", 50)])
def test_warm_invocations_of_the_guides_handler_work(app: Starlette, kind: str, turns: int) -> None:
    with guide(app) as handler:
        for turn in range(turns):
            _every_face(Caller(handler, kind), turn)
        assert lambda_tools.lifespans == ["begun"]


@pytest.mark.parametrize(("kind", "turns"), [(kind, 3) for kind in KINDS] + [("function_url", 50)])
def test_warm_invocations_work(caller: Caller, turns: int) -> None:
    for turn in range(turns):
        _every_face(caller, turn)
    assert lambda_tools.lifespans == ["begun"]


def test_an_event_of_every_kind_can_follow_any_other(handler: LambdaHandler) -> None:
    for turn in range(3):
        for kind in KINDS:
            handler({}, None)
            _every_face(Caller(handler, kind), turn)


def test_the_public_face_makes_a_handler() -> None:
    handler = lambda_tools.server.lambda_handler()
    try:
        response = handler(event("function_url", "GET", "/health"), Context())
        assert json.loads(response["body"])["status"] == "healthy"
    finally:
        handler.close()
