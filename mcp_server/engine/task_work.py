"""Running the work of a task: whatever it does, it comes to an answer, or has been stopped by somebody."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeAlias

from mcp_server.engine.calls import Call, new_reference
from mcp_server.protocol.errors import Failure, ProtocolError, internal_error
from mcp_server.protocol.results import Answer, Result

if TYPE_CHECKING:
    from mcp_server.engine.engine import Observer

logger = logging.getLogger("mcp_server.tasks")

Work: TypeAlias = Callable[[Call], Coroutine[Any, Any, Result]]
"""Gives the result of a task's call."""


async def answer_of(work: Work, call: Call, observer: Observer | None) -> Answer | None:
    """What the work comes to, before the eyes of an observer; None if it was stopped: its end is somebody else's."""
    if observer is None:
        return await _answer_of(work, call)
    token, answer = observer.begin(call), None
    try:
        answer = await _answer_of(work, call)
    finally:
        observer.end(call, call.late_answer if answer is None else answer, token)
    return answer


async def _answer_of(work: Work, call: Call) -> Answer | None:
    try:
        answer: Answer = await call.run(work(call))
    except ProtocolError as error:
        answer = error.failure
    except asyncio.CancelledError:
        if call.settled:
            return None
        if _is_being_cancelled():
            raise
        answer = _broken(call)
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException:  # noqa: BLE001 - as in the engine, whatever a tool raises ends no server
        answer = _broken(call)
    if call.settled:
        return None
    call.settled = True
    return answer


def _broken(call: Call) -> Failure:
    reference = new_reference()
    call.reference = reference
    logger.exception("A task failed [%s]", reference)  # noqa: LOG004 - called by a handler
    return internal_error(reference).failure


def _is_being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
