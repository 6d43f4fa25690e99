"""The changes that a task may undergo, as values: how it ends, and what an answer to its questions makes of it.

Pure: who may change a task, and where it is kept, is not known here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from pydantic_core import from_json

from mcp_server.engine.task_records import Task
from mcp_server.protocol.errors import Code, Failure, Reason, shorten
from mcp_server.protocol.messages import is_object
from mcp_server.protocol.results import Answer, Prepared, encode_object, tool_error

logger = logging.getLogger("mcp_server.tasks")

STOPPED: Final = Failure(
    Code.INTERNAL_ERROR,
    "The server was stopped before the task had ended; it is not run again",
    {"reason": Reason.TASK_STOPPED},
)
LOST: Final = Failure(
    Code.INTERNAL_ERROR,
    "The process that ran the task is gone, and nobody knows how far it got; it is not run again",
    {"reason": Reason.TASK_LOST},
)


def ended(
    task: Task,
    *,
    status: str,
    now: Callable[[], float],
    message: str | None,
    result: Mapping[str, Any] | None = None,
    error: Mapping[str, Any] | None = None,
) -> Task:
    """A task that has come to its end, and asks nothing any more."""
    return replace(
        task, status=status, message=message, result=result, error=error, requests={}, answers={}, updated=now()
    )


def end_of(answer: Answer, most_bytes: int) -> dict[str, Any]:
    """How a task ends that has this answer. A result that says that it is an error is an end like any other."""
    if isinstance(answer, Failure):
        error: dict[str, Any] = {"code": int(answer.code), "message": answer.message}
        if answer.data is not None:
            error["data"] = answer.data
        return {"status": "failed", "error": error, "message": answer.message}
    plain = answer.result if isinstance(answer, Prepared) else answer
    body = encode_object({"resultType": "complete", **plain})
    if len(body) > most_bytes:
        logger.warning("The result of a task has %d bytes, and is not kept: more than TASK_MAX_RESULT", len(body))
        return _not_kept(f"The result is too large to be kept ({len(body)} bytes of {most_bytes} allowed)")
    try:
        # As far down as in the record, where it must be read again.
        result = from_json(b'{"result":%b}' % body)["result"]
    except ValueError:
        return _not_kept("The result is nested too deep to be kept")
    return {"status": "completed", "result": result, "message": _said(result) if result.get("isError") else None}


def _not_kept(text: str) -> dict[str, Any]:
    result = {"resultType": "complete", **tool_error(text, Reason.TOO_LARGE)}
    return {"status": "completed", "result": result, "message": _said(result)}


def answered(task: Task, *, given: Mapping[str, Any], now: Callable[[], float]) -> Task | None:
    """A task some of whose questions have been answered; None if none of these is open."""
    fitting = {key: value for key, value in given.items() if key in task.requests}
    if not fitting:
        return None
    left = {key: question for key, question in task.requests.items() if key not in fitting}
    status = "input_required" if left else "working"
    return replace(task, requests=left, answers={**task.answers, **fitting}, status=status, updated=now())


def _said(result: Mapping[str, Any]) -> str | None:
    texts = [block["text"] for block in result.get("content", []) if is_object(block) and "text" in block]
    return shorten(texts[0]) if texts else None
