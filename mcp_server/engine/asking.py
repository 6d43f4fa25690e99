"""Putting a question to the client in the middle of a call, in whichever way its version has.

A client before 2026-07-28 gets a request on the call's own stream, and the call waits for its answer. A newer one is
answered that input is required, and calls again; `questions` tells how the call then goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

from mcp_server.engine.questions import Questions
from mcp_server.protocol.errors import missing_capability
from mcp_server.protocol.messages import is_object

if TYPE_CHECKING:
    from mcp_server.engine.calls import Background, Call

T = TypeVar("T")

ASK_TIMEOUT: Final = 600.0
"""How long a user may take to answer a question, in seconds, where the call waits for it."""


class Unanswered(Exception):  # noqa: N818 - it is what has happened
    """The client would not or could not answer a question; the text says why."""


async def ask(
    call: Call,
    method: str,
    params: dict[str, Any],
    needs: dict[str, Any],
    read: Callable[[Mapping[str, Any]], T | None],
    *,
    key: str | None = None,
) -> T:
    """Put a question to the client of a call.

    Args:
        call: Whose client is asked.
        method: What is asked, such as `elicitation/create`.
        params: With which parameters.
        needs: The capabilities without which the client cannot answer.
        read: Makes of the client's answer what the asker gets; None if the answer does not fit the question.
        key: The name of the question, the same in every round.

    Raises:
        ProtocolError: The client has not declared that it can answer.
        Unanswered: It could not answer after all.
    """
    if not declares(call.request.peer.capabilities, needs):
        raise missing_capability(needs)
    if call.task is not None:
        return await _ask_in_task(call, call.task, {"method": method, "params": params}, read, key)
    if call.request.peer.modern:
        return await _ask_by_rounds(call, {"method": method, "params": params}, read, key)
    answer = read(await _ask_now(call, method, params))
    if answer is None:
        raise Unanswered("The client's answer does not fit the question")
    return answer


def declares(capabilities: Mapping[str, Any], needs: Mapping[str, Any]) -> bool:
    """Whether a client has declared what is needed; `elicitation: {}` has always meant forms."""
    for name, details in needs.items():
        declared = capabilities.get(name)
        if not is_object(declared) or any(detail not in declared for detail in details):
            return False
        if name == "elicitation" and not details and declared and "form" not in declared:
            return False
    return True


async def _ask_now(call: Call, method: str, params: dict[str, Any]) -> Mapping[str, Any]:
    """Ask on the call's own stream. People take their time, so the deadline waits with them."""
    try:
        with call.deadline_waits():
            async with asyncio.timeout(ASK_TIMEOUT):
                return await call.line.question(call, method, params)
    except TimeoutError as error:
        raise Unanswered(f"The client did not answer within {ASK_TIMEOUT:g} s") from error


async def _ask_by_rounds(
    call: Call, question: dict[str, Any], read: Callable[[Mapping[str, Any]], T | None], key: str | None
) -> T:
    """Take the answer from an earlier round; without one this round ends, and the function with it."""
    questions = call.open_questions
    if questions is None:
        raise Unanswered(f"{call.request.method} has no way to ask anything")
    key = key or questions.next_key()
    recorded = questions.recorded(key, question)
    answer = None if recorded is None else read(recorded)
    if answer is not None:
        return answer
    questions.forget(key)
    return await questions.wait_for(key, question, lambda: _end_round_soon(call, questions))


async def _ask_in_task(
    call: Call,
    task: Background,
    question: dict[str, Any],
    read: Callable[[Mapping[str, Any]], T | None],
    key: str | None,
) -> T:
    """Ask where nobody waits for the call. What was answered before it became a task is not asked again."""
    questions = call.questions = call.questions or Questions()
    key = key or questions.next_key()
    recorded = questions.recorded(key, question)
    answer = None if recorded is None else read(recorded)
    with call.deadline_waits():
        while answer is None:
            answer = read(await task.ask(key, question))
    return answer


def _end_round_soon(call: Call, questions: Questions) -> None:
    """End the round once everything that is to be asked has been asked, also by tasks of the call's own."""
    asyncio.get_running_loop().call_soon(_end_round, call, questions, questions.open_count)


def _end_round(call: Call, questions: Questions, known: int) -> None:
    if questions.open_count == known and not (questions.broken or call.settled):
        call.settle(call.late.input_required(call, questions))
