"""Answers to bytes, for whichever version asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic_core import to_json

from mcp_server.protocol.errors import Failure
from mcp_server.protocol.legacy import LegacyRendering, lowered_failure
from mcp_server.protocol.messages import Peer, Request, RequestId
from mcp_server.protocol.modern import ModernRendering
from mcp_server.protocol.results import Answer, Prepared, encode
from mcp_server.protocol.versions import LEGACY_VERSIONS, MODERN_VERSIONS, V2025_11_25, at_least

_LEGACY: Final[dict[str, LegacyRendering]] = {version: LegacyRendering(version) for version in LEGACY_VERSIONS}


class Rendering:
    """How one server's answers look in each version; `server_info` goes into every modern result."""

    def __init__(self, server_info: Mapping[str, Any]) -> None:
        modern = ModernRendering(server_info)
        self._of_version: dict[str, ModernRendering | LegacyRendering] = {
            **_LEGACY,
            **dict.fromkeys(MODERN_VERSIONS, modern),
        }

    def answer(self, request: Request, answer: Answer) -> bytes:
        """A whole response."""
        if isinstance(answer, Failure):
            return failure_bytes(request.id, answer if request.peer.modern else lowered_failure(answer))
        rendering = self._of_version[request.peer.version]
        if isinstance(answer, Prepared):
            body = [_prepared(answer, request, rendering)]
        else:
            body = rendering.result(request.method, answer)
        return b"".join([b'{"jsonrpc":"2.0","id":', to_json(request.id), b',"result":', *body, b"}"])

    def notification(self, peer: Peer, method: str, params: Mapping[str, Any]) -> bytes:
        """A whole notification."""
        return self._of_version[peer.version].notification(method, params)


def _prepared(answer: Prepared, request: Request, rendering: ModernRendering | LegacyRendering) -> bytes:
    return answer.rendered(request.peer.version, lambda each: b"".join(rendering.result(request.method, each)))


def question_bytes(peer: Peer, request_id: RequestId, method: str, params: Mapping[str, Any]) -> bytes:
    """A whole request of ours, to a client before 2026-07-28."""
    if "mode" in params and not at_least(peer.version, V2025_11_25):
        params = {key: value for key, value in params.items() if key != "mode"}
    return to_json({"jsonrpc": "2.0", "id": request_id, "method": method, "params": params})


def failure_bytes(request_id: RequestId | None, failure: Failure) -> bytes:
    """A whole error response; without an id where none could be read."""
    error: dict[str, Any] = {"code": int(failure.code), "message": failure.message}
    if failure.data is not None:
        error["data"] = failure.data
    return encode({"jsonrpc": "2.0", "id": request_id, "error": error})
