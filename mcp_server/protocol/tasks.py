"""Tasks as the wire has them: who may get one, and how one is told.

A task is work that goes on after its call has been answered. The canonical form is that of the extension of 2026-07-28,
a flat object. 2025-11-25 had an experimental form of its own, which is made of the canonical one here; it is told in no
other version. What a task does, and where it is kept, is not known here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from mcp_server.protocol.errors import Code, ProtocolError, Reason, invalid_params, missing_capability
from mcp_server.protocol.messages import Request, is_object
from mcp_server.protocol.results import Result, tool_error
from mcp_server.protocol.versions import V2025_11_25

TASKS: Final = "io.modelcontextprotocol/tasks"
"""The extension, as both sides declare it."""

RELATED_TASK: Final = "io.modelcontextprotocol/related-task"
"""Where 2025-11-25 says in `_meta` to which task a message belongs."""

ENDED: Final = frozenset({"completed", "failed", "cancelled"})
"""The states that a task never leaves."""

METHODS: Final = frozenset({"tasks/get", "tasks/update", "tasks/cancel", "tasks/result", "tasks/list"})
"""What can be asked about tasks, in some version."""

_NAMES_OF_2025_11_25: Final = {
    "taskId": "taskId",
    "status": "status",
    "statusMessage": "statusMessage",
    "createdAt": "createdAt",
    "lastUpdatedAt": "lastUpdatedAt",
    "ttlMs": "ttl",
    "pollIntervalMs": "pollInterval",
}


@dataclass(frozen=True, slots=True)
class Wish:
    """A caller takes a task for an answer; perhaps it has said how long, in milliseconds, it wants it kept."""

    ttl_ms: float | None = None


def wish_of(request: Request) -> Wish | None:
    """Whether this request may be answered with a task: by what it declares, or in 2025-11-25 by what it asks for.

    Raises:
        ProtocolError: It asks for one in the wrong way.
    """
    peer = request.peer
    if peer.modern:
        return Wish() if declares_tasks(peer.capabilities) else None
    if peer.version != V2025_11_25 or "task" not in request.params:
        return None
    task = request.params["task"]
    if not is_object(task):
        raise invalid_params("task must be an object")
    ttl = task.get("ttl")
    if ttl is not None and (isinstance(ttl, bool) or not isinstance(ttl, int | float) or not ttl > 0):
        raise invalid_params("task.ttl must be a number of milliseconds, more than 0")
    return Wish(ttl)


def declares_tasks(capabilities: Mapping[str, Any]) -> bool:
    """Whether a client has declared the extension."""
    extensions = capabilities.get("extensions")
    return is_object(extensions) and TASKS in extensions


def tasks_not_declared() -> ProtocolError:
    """The caller has not declared the extension without which it must not be told of tasks."""
    return missing_capability({"extensions": {TASKS: {}}})


def without_task(request: Request) -> Result:
    """What a caller gets who takes no task from a tool that has nothing else.

    Raises:
        ProtocolError: The caller's version has tasks, so that it could have taken one.
    """
    if request.peer.modern:
        raise tasks_not_declared()
    if request.peer.version == V2025_11_25:
        raise ProtocolError(Code.METHOD_NOT_FOUND, "This tool must be called as a task")
    return tool_error(
        "This tool runs as a task, which this version of MCP does not have: use a newer client", Reason.NO_TASKS_HERE
    )


def never_as_task() -> ProtocolError:
    """A caller of 2025-11-25 wants a task of a tool that has none."""
    return ProtocolError(Code.METHOD_NOT_FOUND, "This tool cannot be called as a task")


def unknown_task() -> ProtocolError:
    """There is no such task, or it is somebody else's, which must look the same."""
    return invalid_params("Unknown task", Reason.UNKNOWN_TASK)


def offered_in(capabilities: Mapping[str, Any]) -> bool:
    """Whether a server with these capabilities offers tasks."""
    return TASKS in capabilities.get("extensions", {})


def lowered_capabilities(version: str, capabilities: Mapping[str, Any], *, lists: bool) -> Mapping[str, Any]:
    """The capabilities as a version before 2026-07-28 may see them: the extension is not defined there.

    `lists` says whether this caller is known well enough to be shown a list of its tasks.
    """
    if not offered_in(capabilities):
        return capabilities
    lowered = dict(capabilities)
    lowered["extensions"] = {name: value for name, value in capabilities["extensions"].items() if name != TASKS}
    if not lowered["extensions"]:
        del lowered["extensions"]
    if version == V2025_11_25:
        lowered["tasks"] = {**({"list": {}} if lists else {}), "cancel": {}, "requests": {"tools": {"call": {}}}}
    return lowered


def lowered_task(task: Mapping[str, Any]) -> dict[str, Any]:
    """A task as 2025-11-25 has it: its own names, nothing inlined, and `failed` where a tool has said so."""
    lowered = {new: task[name] for name, new in _NAMES_OF_2025_11_25.items() if name in task}
    if task["status"] == "completed" and task.get("result", {}).get("isError"):
        lowered["status"] = "failed"
    return lowered


def lowered_answer(method: str, answer: Result) -> Result:
    """An answer about a task as 2025-11-25 has it."""
    if method == "tasks/list":
        return {**answer, "tasks": [lowered_task(task) for task in answer["tasks"]]}
    if method == "tools/call":
        return {"task": lowered_task(answer)}
    return lowered_task(answer)


def related(task_id: str, message: Mapping[str, Any]) -> dict[str, Any]:
    """A message of 2025-11-25 with the task that it belongs to."""
    return {**message, "_meta": {**(message.get("_meta") or {}), RELATED_TASK: {"taskId": task_id}}}
