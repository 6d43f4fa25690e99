"""The function as it is deployed: the real runtime client, and the files of this repository."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from lambda_events import KINDS, NOT_HTTP, Caller, event
from lambda_runtime import Function, function

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("awslambdaric") is None or importlib.util.find_spec("runtime_client") is None,
    reason="awslambdaric is not installed, or has no build for this system",
)


@pytest.fixture(scope="module")
def deployed() -> Iterator[Function]:
    with function(RATE_LIMIT="100000/minute") as running:
        yield running


@pytest.fixture(params=KINDS)
def caller(deployed: Function, request: pytest.FixtureRequest) -> Caller:
    return Caller(lambda made, _: deployed.invoke(made), request.param)


def test_the_deployed_function_answers_every_face(caller: Caller) -> None:
    assert caller.call("echo", text="Grüße")["content"][0]["text"] == "Grüße"
    session = caller.initialize().headers["mcp-session-id"]
    assert len(caller.legacy("tools/list", session=session).json["result"]["tools"]) == 9
    assert caller.action("echo", text="hello").json["output"] == "hello"
    assert len(caller.legacy("tools/call", "/mcp/sse", name="echo", arguments={"text": "hello"}).messages) == 1
    assert caller.get("/health").status == 200
    assert caller.get("/mcp").status == 405
    assert caller.modern("subscriptions/listen", notifications={}).status == 404


def test_the_deployed_function_keeps_its_state(deployed: Function) -> None:
    caller = Caller(lambda made, _: deployed.invoke(made))
    counts = [int(caller.action("count").json["output"]) for _ in range(3)]
    assert counts == [counts[0], counts[0] + 1, counts[0] + 2]


def test_the_deployed_function_answers_a_warm_up(deployed: Function) -> None:
    for name in ("an empty warm-up", "a schedule", "a queue", "a word"):
        assert deployed.invoke(NOT_HTTP[name]) == {"ready": True, "handled": False}


def test_the_deployed_function_answers_before_its_deadline(deployed: Function) -> None:
    caller = Caller(lambda made, _: deployed.invoke(made, seconds=1.0))
    answer = caller.action("block", seconds=30)
    assert (answer.status, answer.json["error"]) == (504, "timed_out")


def test_the_deployed_function_says_that_an_answer_is_too_large(deployed: Function) -> None:
    caller = Caller(lambda made, _: deployed.invoke(made))
    assert caller.action("fill", size=6_291_556).json["error"] == "answer_too_large"


def test_the_guides_three_lines_are_a_function_too(tmp_path: Path) -> None:
    lines = "from mangum import Mangum\nfrom main_http import app\nhandler = Mangum(app)\n"
    (tmp_path / "guide_handler.py").write_text(lines, encoding="utf-8")
    with function("guide_handler.handler", PYTHONPATH=f"{Path(__file__).parents[2]}:{tmp_path}") as guide:
        caller = Caller(lambda made, _: guide.invoke(made))
        assert [caller.action("echo", text=text).json["output"] for text in "abc"] == ["a", "b", "c"]
        assert caller.get("/mcp").status == 405


def test_the_line_of_a_call_is_written_before_its_answer_is_given() -> None:
    with function(LOG_FORMAT="json") as running:
        Caller(lambda made, _: running.invoke(made)).action("echo", text="not for the log")
        running.process.kill()
        _, log = running.leaves()
    calls = [json.loads(line) for line in log.splitlines() if '"message":"call"' in line.replace(" ", "")]
    assert [(call["target"], call["outcome"]) for call in calls] == [("echo", "ok")]
    assert "not for the log" not in log


def test_a_function_without_a_key_does_not_start_and_says_why() -> None:
    with function(MCP_API_KEY="") as running:
        code, log = running.leaves()
    assert code == 78
    assert "MCP_API_KEY is required in production" in log


def test_a_function_whose_server_makes_the_handler_reports_why_it_does_not_start(tmp_path: Path) -> None:
    lines = "from lambda_tools import server\nhandler = server.lambda_handler()\n"
    (tmp_path / "own_handler.py").write_text(lines, encoding="utf-8")
    path = f"{Path(__file__).parents[2]}:{Path(__file__).parent}:{tmp_path}"
    with function("own_handler.handler", PYTHONPATH=path) as running:
        assert json.loads(running.invoke(event("alb", "GET", "/health"))["body"])["status"] == "healthy"
    with function("own_handler.handler", PYTHONPATH=path, MCP_API_KEY="") as running:
        what, said = running.hear()
    assert (what, said["errorType"]) == ("init error", "SettingsError")
    assert "MCP_API_KEY is required in production" in said["errorMessage"]
