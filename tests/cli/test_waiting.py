"""`mcp-server call` and a tool that answers with a task: it waits, says how far it is, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from typing import Any

import pytest
from cli_running import HERE, Run, python
from mcp.client.extension import ClaimContext
from pydantic import BaseModel

from mcp_server.cli.problem import Problem
from mcp_server.cli.waiting import Waiting

JOBS = str(HERE / "cli_jobs_server.py")
PROGRAM = ("--", "env", "STORE_URL=memory://", sys.executable, JOBS)


@pytest.mark.parametrize("where", [(f"{JOBS}:server",), PROGRAM], ids=["here", "program"])
def test_a_task_is_waited_for(where: tuple[str, ...]) -> None:
    called = python("-m", "mcp_server", "call", "job", *where)
    assert (called.returncode, called.stdout) == (0, "done\n")


def test_an_error_of_a_task_is_told_in_a_line(run: Run) -> None:
    called = python("-m", "mcp_server", "call", "break_down", *PROGRAM)
    assert called.returncode == 1
    assert "The task failed: broken down (-32603)" in called.stderr
    assert "broken down" in run("call", "break_down", f"{JOBS}:server").output


class Peer:
    """A session with a server whose tasks are in one state after the other."""

    def __init__(self, *states: Mapping[str, Any]) -> None:
        self._states = list(states)
        self.asked: list[str] = []

    async def send_request(self, request: Any, result_type: type[BaseModel], _timeout: float | None) -> BaseModel:
        self.asked.append(request.method)
        assert request.params.task_id == "t-1"
        state: Mapping[str, Any] = self._states.pop(0) if request.method == "tasks/get" else {}
        return result_type.model_validate({"resultType": "complete", **state})


def waited(peer: Peer) -> tuple[Any, list[Any]]:
    """What the command gets from this peer's task, and what it hears meanwhile."""
    heard: list[Any] = []
    session: Any = peer
    context = ClaimContext(session=session, tool_name="t", read_timeout_seconds=None)
    (claim,) = Waiting(lambda _method, params: heard.append(params["data"])).claims()
    answer = claim.model.model_validate({"resultType": "task", "taskId": "t-1", "status": "working"})
    return asyncio.run(claim.resolve(answer, context)), heard  # type: ignore[arg-type]


def state(status: str, **more: Any) -> dict[str, Any]:
    return {"taskId": "t-1", "status": status, "pollIntervalMs": 1, **more}


def test_what_a_task_says_is_told_once() -> None:
    said = [state("working", statusMessage=text) for text in ("one", "one", "two")]
    result, heard = waited(Peer(*said, state("completed", result={"content": [{"type": "text", "text": "x"}]})))
    assert result.content[0].text == "x"
    assert heard == ["one", "two"]


def test_a_task_that_asks_is_cancelled_as_there_is_nobody_to_ask() -> None:
    peer = Peer(state("input_required", inputRequests={"a": {}}))
    with pytest.raises(Problem, match="asks for input"):
        waited(peer)
    assert peer.asked == ["tasks/get", "tasks/cancel"]


def test_a_task_that_somebody_has_cancelled_is_told() -> None:
    with pytest.raises(Problem, match="was cancelled"):
        waited(Peer(state("cancelled")))
