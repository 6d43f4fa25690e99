"""The versions before 2026-07-28, as adapters at the edge.

Two things are different about them, and both are settled here. A client introduces itself once, in `initialize`, so
the handshake becomes the `Peer` that later requests are given. And each version knows fewer fields than the next, so
a canonical result is rendered down by the tables below. When these versions die, this file goes and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from mcp_server.protocol.errors import Code, Failure, Reason, invalid_params
from mcp_server.protocol.messages import LOG_LEVELS, Peer, is_object
from mcp_server.protocol.results import Result, encode, object_parts, text_content
from mcp_server.protocol.tasks import lowered_answer, lowered_capabilities
from mcp_server.protocol.versions import (
    LEGACY_VERSIONS,
    NEWEST_LEGACY,
    V2025_03_26,
    V2025_06_18,
    V2025_11_25,
    at_least,
)


def handshake(params: Mapping[str, Any]) -> Peer:
    """The peer that an `initialize` request introduces, at the version that it will be served.

    Raises:
        ProtocolError: It names no version, or says something of the wrong type.
    """
    wanted = params.get("protocolVersion")
    if not isinstance(wanted, str):
        raise invalid_params("initialize needs protocolVersion, a string")
    capabilities = params.get("capabilities", {})
    if not is_object(capabilities):
        raise invalid_params("capabilities must be an object")
    info = params.get("clientInfo")
    if info is not None and not is_object(info):
        raise invalid_params("clientInfo must be an object")
    return Peer(wanted if wanted in LEGACY_VERSIONS else NEWEST_LEGACY, capabilities, info)


def introduction(
    version: str,
    server_info: Mapping[str, Any],
    capabilities: Mapping[str, Any],
    instructions: str | None,
    *,
    identified: bool = False,
) -> dict[str, Any]:
    """The result of `initialize`. Capabilities are an open set, so extensions stay in them.

    `identified` says whether somebody with the means to know has found out who the caller is.
    """
    known = {"name", "version"}
    if at_least(version, V2025_06_18):
        known |= {"title"}
    if at_least(version, V2025_11_25):
        known |= {"icons", "description", "websiteUrl"}
    result: dict[str, Any] = {
        "protocolVersion": version,
        "capabilities": lowered_capabilities(version, capabilities, lists=identified),
        "serverInfo": {key: value for key, value in server_info.items() if key in known},
    }
    if instructions is not None:
        result["instructions"] = instructions
    return result


def level(params: Mapping[str, Any]) -> str:
    """What `logging/setLevel` sets.

    Raises:
        ProtocolError: The level is not one of the eight.
    """
    wanted = params.get("level")
    if wanted not in LOG_LEVELS:
        raise invalid_params(f"level must be one of {', '.join(LOG_LEVELS)}")
    return wanted


MAX_BATCH: Final = 1000
"""How many messages one array may hold; each costs a task, and four megabytes would hold a million of them."""


def takes_batches(version: str) -> bool:
    """Whether an array of messages is allowed, which only one version ever did."""
    return version == V2025_03_26


_TOOL_FIELDS: Final = {"name", "description", "inputSchema"}
_RESOURCE_FIELDS: Final = {"uri", "name", "description", "mimeType", "annotations", "size"}
_TEMPLATE_FIELDS: Final = {"uriTemplate", "name", "description", "mimeType", "annotations"}
_PROMPT_FIELDS: Final = {"name", "description", "arguments"}

_LIST_KEYS: Final = {
    "tools/list": "tools",
    "resources/list": "resources",
    "resources/templates/list": "resourceTemplates",
    "prompts/list": "prompts",
}
_NOT_FOR_OLD_CLIENTS: Final = {"resultType", "ttlMs", "cacheScope"}
_ABOUT_TASKS: Final = {"tasks/get", "tasks/cancel", "tasks/list"}


def _known_fields(version: str) -> dict[str, set[str]]:
    added_everywhere: set[str] = set()
    added_to_tools: set[str] = set()
    if at_least(version, V2025_03_26):
        added_to_tools |= {"annotations"}
    if at_least(version, V2025_06_18):
        added_everywhere |= {"title", "_meta"}
        added_to_tools |= {"outputSchema"}
    if at_least(version, V2025_11_25):
        added_everywhere |= {"icons"}
        added_to_tools |= {"execution"}
    return {
        "tools": _TOOL_FIELDS | added_everywhere | added_to_tools,
        "resources": _RESOURCE_FIELDS | added_everywhere,
        "resourceTemplates": _TEMPLATE_FIELDS | added_everywhere,
        "prompts": _PROMPT_FIELDS | added_everywhere,
    }


class LegacyRendering:
    """Results for one version before 2026-07-28."""

    def __init__(self, version: str) -> None:
        self._version = version
        self._known_fields = _known_fields(version)
        self._has_structure = at_least(version, V2025_06_18)
        self._has_titled_arguments = self._has_structure
        self._has_progress_message = at_least(version, V2025_03_26)
        self._adapt: dict[str, Callable[[dict[str, Any]], None]] = {
            "tools/call": self._tool_result,
            "prompts/get": self._prompt_result,
            "resources/read": self._resource_result,
            "tasks/result": self._tool_result,
        }

    def result(self, method: str, result: Result) -> list[bytes]:
        """The `result` member of a response, in pieces."""
        if method in _ABOUT_TASKS or result.get("resultType") == "task":
            return [*object_parts(lowered_answer(method, result)), b"}"]
        lowered = {key: value for key, value in result.items() if key not in _NOT_FOR_OLD_CLIENTS}
        key = _LIST_KEYS.get(method)
        if key is not None:
            lowered[key] = [self._entry(key, entry) for entry in lowered[key]]
        elif (adapt := self._adapt.get(method)) is not None:
            adapt(lowered)
        return [*object_parts(lowered), b"}"]

    def notification(self, method: str, params: Mapping[str, Any]) -> bytes:
        """A whole notification."""
        if method == "notifications/progress" and not self._has_progress_message:
            params = {key: value for key, value in params.items() if key != "message"}
        return encode({"jsonrpc": "2.0", "method": method, "params": params})

    def _entry(self, key: str, entry: Mapping[str, Any]) -> dict[str, Any]:
        known = self._known_fields[key]
        lowered = {name: value for name, value in entry.items() if name in known}
        if key == "tools" and not _is_object_schema(lowered.get("outputSchema")):
            lowered.pop("outputSchema", None)
        if key == "prompts" and "arguments" in lowered and not self._has_titled_arguments:
            lowered["arguments"] = [_without(argument, "title") for argument in lowered["arguments"]]
        return lowered

    def _tool_result(self, lowered: dict[str, Any]) -> None:
        if not (self._has_structure and _is_json_object(lowered.get("structuredContent"))):
            lowered.pop("structuredContent", None)
        content = lowered["content"]
        if not isinstance(content, bytes):
            lowered["content"] = [self._block(block) for block in content]

    def _prompt_result(self, lowered: dict[str, Any]) -> None:
        lowered["messages"] = [
            {**message, "content": self._block(message["content"])} for message in lowered["messages"]
        ]

    def _resource_result(self, lowered: dict[str, Any]) -> None:
        if not at_least(self._version, V2025_06_18):
            lowered["contents"] = [_without(each, "_meta") for each in lowered["contents"]]

    def _block(self, block: Mapping[str, Any]) -> Mapping[str, Any]:
        """A content block, told in another kind where this version does not have its own."""
        kind = block.get("type")
        if kind == "audio" and not at_least(self._version, V2025_03_26):
            resource = {"uri": "audio://inline", "mimeType": block["mimeType"], "blob": block["data"]}
            return {"type": "resource", "resource": resource}
        if kind == "resource_link" and not at_least(self._version, V2025_06_18):
            return text_content(f"{block.get('title') or block['name']}: {block['uri']}")
        return block


def lowered_failure(failure: Failure) -> Failure:
    """The error as an old client knows it: a missing resource had a code of its own."""
    if failure.reason == Reason.UNKNOWN_RESOURCE:
        return replace(failure, code=Code.LEGACY_RESOURCE_NOT_FOUND)
    return failure


def _is_json_object(value: object) -> bool:
    return value.startswith(b"{") if isinstance(value, bytes) else is_object(value)


def _is_object_schema(schema: object) -> bool:
    return is_object(schema) and schema.get("type") == "object"


def _without(mapping: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in mapping.items() if name != key}
