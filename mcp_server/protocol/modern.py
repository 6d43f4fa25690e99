"""The 2026-07-28 envelope: metadata on every request, and results as they are.

This is the canonical form. The engine and everything below it speak it; older versions are rendered from it in
`legacy`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mcp_server.protocol.errors import bad_envelope, invalid_params
from mcp_server.protocol.messages import LOG_LEVELS, Json, Peer, Request, is_request_id
from mcp_server.protocol.results import Result, encode, field_parts, object_parts

PREFIX: Final = "io.modelcontextprotocol/"
PROTOCOL_VERSION: Final = PREFIX + "protocolVersion"
CLIENT_CAPABILITIES: Final = PREFIX + "clientCapabilities"
CLIENT_INFO: Final = PREFIX + "clientInfo"
LOG_LEVEL: Final = PREFIX + "logLevel"
SERVER_INFO: Final = PREFIX + "serverInfo"
SUBSCRIPTION_ID: Final = PREFIX + "subscriptionId"


def is_modern(params: Mapping[str, Any]) -> bool:
    """Whether these parameters carry a version of their own, which is what makes a request modern."""
    meta: Json = params.get("_meta")
    return isinstance(meta, dict) and PROTOCOL_VERSION in meta


def admit(request: Request) -> None:
    """Take the peer of a modern request from its metadata.

    Raises:
        ProtocolError: The envelope lacks what every request must carry, or has it in the wrong type. Whether the
            version is one that we serve is asked later, after HTTP has compared it with the header.
    """
    meta: Json = request.params.get("_meta")
    if not isinstance(meta, dict):
        raise bad_envelope(f"params._meta must carry {PROTOCOL_VERSION} and {CLIENT_CAPABILITIES}")
    version = meta.get(PROTOCOL_VERSION)
    if not isinstance(version, str):
        raise bad_envelope(f"params._meta must carry {PROTOCOL_VERSION}, a string")
    capabilities = meta.get(CLIENT_CAPABILITIES)
    if not isinstance(capabilities, dict):
        raise bad_envelope(f"params._meta must carry {CLIENT_CAPABILITIES}, an object")
    info = meta.get(CLIENT_INFO)
    if info is not None and not isinstance(info, dict):
        raise bad_envelope(f"{CLIENT_INFO} must be an object")
    level = meta.get(LOG_LEVEL)
    if level is not None and not (isinstance(level, str) and level in LOG_LEVELS):
        raise invalid_params(f"{LOG_LEVEL} must be one of {', '.join(LOG_LEVELS)}")
    token = meta.get("progressToken")
    if token is not None and not is_request_id(token):
        raise invalid_params("progressToken must be a string or an integer")
    request.peer = Peer(version, capabilities, info, level)


class ModernRendering:
    """Results for 2026-07-28: each says that it is complete and who made it."""

    def __init__(self, server_info: Mapping[str, Any]) -> None:
        self._server_info = dict(server_info)
        self._end = self._end_with({})

    def result(self, method: str, result: Result) -> list[bytes]:
        """The `result` member of a response, in pieces."""
        if method == "tools/list":
            result = {**result, "tools": [_without_execution(tool) for tool in result["tools"]]}
        meta = self._end
        if "_meta" in result:
            fields = dict(result)
            meta = self._end_with(fields.pop("_meta") or {})
            result = fields
        if "resultType" in result:
            return [*object_parts(result), meta]
        return [b'{"resultType":"complete"', *field_parts(result), meta]

    def _end_with(self, meta: Mapping[str, Any]) -> bytes:
        return b',"_meta":' + encode({SERVER_INFO: self._server_info, **meta}) + b"}"

    def notification(self, method: str, params: Mapping[str, Any]) -> bytes:
        """A whole notification."""
        return encode({"jsonrpc": "2.0", "method": method, "params": params})


def _without_execution(tool: Mapping[str, Any]) -> Mapping[str, Any]:
    """A tool without what only 2025-11-25 says of tasks; here the server decides, and clients need not know before."""
    return {key: value for key, value in tool.items() if key != "execution"} if "execution" in tool else tool
