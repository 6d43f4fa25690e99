"""What a message of the server must look like, as the models of the official SDK have it for each version."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mcp_types.jsonrpc import (
    JSONRPCError,
    JSONRPCNotification,
    JSONRPCRequest,
    JSONRPCResponse,
    jsonrpc_message_adapter,
)
from mcp_types.methods import parse_server_notification, parse_server_request, validate_server_result

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
            validate_server_result(methods[message.id], version, message.result)
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
        parse_server_notification(message.method, version, message.params)
    return body


def _refuse_constant(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")
