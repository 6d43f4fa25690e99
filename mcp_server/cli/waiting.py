"""Waiting for a tool that answers with a task, through the official client's seam for extensions.

A command has nobody to ask and nowhere to keep a task, so it looks after the task until its end; a task that asks for
something is cancelled, and a command that is interrupted cancels its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final, Literal

from mcp.client.extension import ClaimContext, ClientExtension, ResultClaim
from mcp_types import CallToolResult, Request, RequestParams, Result
from pydantic import ConfigDict

from mcp_server.cli.problem import Problem
from mcp_server.cli.sessions import LOG, Hear
from mcp_server.protocol.tasks import ENDED, TASKS

_LONGEST: Final = 10.0
"""The longest pause between two looks at a task, in seconds, whatever the server proposes."""


class _TaskAnswer(Result):
    """The task that a call was answered with."""

    model_config = ConfigDict(extra="allow")

    result_type: Literal["task"]
    task_id: str


class _TaskState(Result):
    """A task as it is; read as it was sent, since servers differ in what they add."""

    model_config = ConfigDict(extra="allow")


class _TaskParams(RequestParams):
    task_id: str


class _About(Request[_TaskParams, str]):
    name_param = "taskId"


class Waiting(ClientExtension):
    """Makes of a task the result that it comes to; `hear` is told how far it is."""

    identifier = TASKS

    def __init__(self, hear: Hear) -> None:
        self._hear = hear

    def claims(self) -> Sequence[ResultClaim[Any]]:
        """A call of a tool may be answered with a task."""
        return [ResultClaim(result_type="task", model=_TaskAnswer, resolve=self._result)]

    async def _result(self, answer: _TaskAnswer, context: ClaimContext) -> CallToolResult:
        try:
            state = await self._ended(answer.task_id, context)
        except BaseException:
            await asyncio.shield(_ask("tasks/cancel", answer.task_id, context))
            raise
        match state["status"]:
            case "completed":
                return CallToolResult.model_validate(state["result"])
            case "failed":
                error = state["error"]
                raise Problem(f"The task failed: {error['message']} ({error['code']})", "Look at the server's log.")
            case _:
                raise Problem("The task was cancelled", "Call the tool again.")

    async def _ended(self, task_id: str, context: ClaimContext) -> dict[str, Any]:
        said = None
        while (state := await _ask("tasks/get", task_id, context))["status"] not in ENDED:
            if state["status"] == "input_required":
                raise Problem("The tool asks for input, which this command has no way to give", "Use another client.")
            if (message := state.get("statusMessage")) not in {None, said}:
                said = message
                self._hear(LOG, {"level": "info", "data": message})
            await asyncio.sleep(min(state.get("pollIntervalMs", 1000) / 1000, _LONGEST))
        return state


async def _ask(method: str, task_id: str, context: ClaimContext) -> dict[str, Any]:
    request = _About(method=method, params=_TaskParams(task_id=task_id))
    state = await context.session.send_request(request, _TaskState, context.read_timeout_seconds)
    return state.model_dump(mode="json", by_alias=True, exclude_unset=True)
