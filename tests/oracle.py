"""What a message of the server must look like, as the models of the official SDK have it for each version."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

import mcp_types
from mcp_types.jsonrpc import (
    JSONRPCError,
    JSONRPCNotification,
    JSONRPCRequest,
    JSONRPCResponse,
    jsonrpc_message_adapter,
)
from mcp_types.methods import parse_server_notification, parse_server_request, validate_server_result
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from mcp_server.protocol.errors import Code
from mcp_server.protocol.versions import V2026_07_28

_OF_EXTENSIONS = {"skills/list", "skills/get", "resources/directory/read"}
"""Methods of which the models know nothing."""
_MODERN_CODES = {int(code) for code in Code} - {Code.LEGACY_RESOURCE_NOT_FOUND}
_LEGACY_CODES = {int(code) for code in Code}


def read(data: bytes, version: str, methods: Mapping[int | str, str]) -> dict[str, Any]:
    """One message of the server, after every check that its kind allows; `methods` are those of the requests by id."""
    assert b"\n" not in data
    body = json.loads(data, parse_constant=_refuse_constant)
    message = jsonrpc_message_adapter.validate_python(body)
    if isinstance(message, JSONRPCResponse):
        if methods[message.id] not in _OF_EXTENSIONS:
            _check_result(methods[message.id], version, message.result)
        if version == V2026_07_28:
            assert message.result["resultType"]
            assert "io.modelcontextprotocol/serverInfo" in message.result["_meta"]
        elif methods[message.id] != "initialize":
            assert not {"resultType", "ttlMs", "cacheScope"} & set(message.result)
    elif isinstance(message, JSONRPCError):
        assert message.error.code in (_MODERN_CODES if version == V2026_07_28 else _LEGACY_CODES)
    elif isinstance(message, JSONRPCRequest):
        assert version != V2026_07_28, "in this version no server asks"
        parse_server_request(message.method, version, message.params)
    else:
        assert isinstance(message, JSONRPCNotification)
        if message.method == "notifications/tasks":
            _Told.model_validate(message.params)
        else:
            parse_server_notification(message.method, version, message.params)
    return body


def _check_result(method: str, version: str, result: dict[str, Any]) -> None:
    """The SDK has models of tasks for 2025-11-25, which it binds to no method, and none for the extension."""
    if version != V2026_07_28 and (method.startswith("tasks/") or "task" in result):
        _OLD_TASKS[method].model_validate(result)
    elif result.get("resultType") == "task":
        _Begun.model_validate(result)
    elif method == "tasks/get":
        _Told.model_validate(result)
    elif method.startswith("tasks/"):
        assert result.keys() == {"resultType", "_meta"}
    else:
        validate_server_result(method, version, result)


_OLD_TASKS: Mapping[str, type[BaseModel]] = {
    "tools/call": mcp_types.CreateTaskResult,
    "tasks/get": mcp_types.GetTaskResult,
    "tasks/cancel": mcp_types.CancelTaskResult,
    "tasks/list": mcp_types.ListTasksResult,
    "tasks/result": mcp_types.CallToolResult,
}


class _Begun(BaseModel):
    """A task of the extension as the answer to a call (SEP-2663)."""

    model_config = ConfigDict(extra="forbid", strict=True, alias_generator=to_camel)

    result_type: Literal["task"]
    task_id: str
    status: Literal["working"]
    created_at: str
    last_updated_at: str
    ttl_ms: Annotated[int, Field(gt=0)] | None
    poll_interval_ms: Annotated[int, Field(gt=0)] = 1
    status_message: str = ""
    meta: dict[str, Any] = Field(alias="_meta")


class _Told(_Begun):
    """A task with what belongs to its state."""

    result_type: Literal["complete"] = "complete"  # pyright: ignore[reportIncompatibleVariableOverride]
    status: Literal["working", "input_required", "completed", "failed", "cancelled"]  # pyright: ignore[reportIncompatibleVariableOverride]
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    input_requests: dict[str, dict[str, Any]] | None = None

    @model_validator(mode="after")
    def _has_what_its_state_has(self) -> Self:
        assert (self.result is not None) == (self.status == "completed")
        assert (self.error is not None) == (self.status == "failed")
        assert (self.input_requests is not None) == (self.status == "input_required")
        return self


def _refuse_constant(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")
