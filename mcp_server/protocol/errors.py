"""Every error that can leave the server, in one table: its code, its HTTP status, its text.

Below the edge an error is a `ProtocolError` on its way up or a `Failure` as a value. It becomes bytes only in the
renderings, and an HTTP status only in `status_of`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from mcp_server.protocol.versions import MODERN_VERSIONS


class Code(IntEnum):
    """The JSON-RPC error codes that we emit; the ranges around them are reserved or out of use."""

    PARSE_ERROR = -32700
    INVALID_REQUEST = -32600
    METHOD_NOT_FOUND = -32601
    INVALID_PARAMS = -32602
    INTERNAL_ERROR = -32603
    HEADER_MISMATCH = -32020
    MISSING_CAPABILITY = -32021
    UNSUPPORTED_VERSION = -32022
    LEGACY_RESOURCE_NOT_FOUND = -32002
    """Only ever rendered for versions before 2026-07-28, which had a code of its own for this."""
    UNAUTHORIZED = 401
    """Said where a status is no longer possible, on a stream; JSON-RPC has no code for who calls either."""
    FORBIDDEN = 403
    """JSON-RPC has no code for what a caller may do; like the guards', it is the HTTP status."""


class Reason:
    """What `data.reason` says where one code stands for several things, and `_meta` of a tool's result that failed."""

    INVALID_ARGUMENTS: Final = "invalid_arguments"
    TOOL_FAILED: Final = "tool_failed"
    TIMED_OUT: Final = "timed_out"
    RATE_LIMITED: Final = "rate_limited"
    TOO_MANY_TASKS: Final = "too_many_tasks"
    NO_TASKS_HERE: Final = "no_tasks_here"
    NO_STORE: Final = "no_store"
    TOO_LARGE: Final = "too_large"

    UNKNOWN_TOOL: Final = "unknown_tool"
    UNKNOWN_TASK: Final = "unknown_task"
    TASK_LOST: Final = "task_lost"
    TASK_STOPPED: Final = "task_stopped"
    UNKNOWN_PROMPT: Final = "unknown_prompt"
    UNKNOWN_RESOURCE: Final = "unknown_resource"
    BAD_CURSOR: Final = "bad_cursor"
    BAD_ENVELOPE: Final = "bad_envelope"
    NESTED_TOO_DEEP: Final = "nested_too_deep"
    BAD_PARAMS: Final = "bad_params"
    BAD_STATE: Final = "bad_state"
    INSUFFICIENT_SCOPE: Final = "insufficient_scope"
    ACCESS_ENDED: Final = "access_ended"


_MODERN_STATUS: Final[dict[int, int]] = {
    Code.PARSE_ERROR: 400,
    Code.INVALID_REQUEST: 400,
    Code.METHOD_NOT_FOUND: 404,
    Code.HEADER_MISMATCH: 400,
    Code.MISSING_CAPABILITY: 400,
    Code.UNSUPPORTED_VERSION: 400,
    Code.FORBIDDEN: 403,
}
_LEGACY_STATUS: Final[dict[int, int]] = {
    Code.PARSE_ERROR: 400,
    Code.INVALID_REQUEST: 400,
    Code.HEADER_MISMATCH: 400,
    Code.UNSUPPORTED_VERSION: 400,
    Code.FORBIDDEN: 403,
}


@dataclass(frozen=True, slots=True)
class Failure:
    """An error as a value: what a request is answered with when it has no result."""

    code: int
    message: str
    data: dict[str, Any] | None = None

    def status_of(self, *, modern: bool) -> int:
        """The HTTP status that goes with this error; 200 where the specification leaves it open.

        A bare 400 with -32602 would send a client that speaks both eras back to the handshake, so only a broken
        envelope gets one. A legacy 404 means that the session is gone, so an unknown method must not be one.
        """
        if self.reason == Reason.NESTED_TOO_DEEP:
            return 413
        if modern and self.code == Code.INVALID_PARAMS and self.reason == Reason.BAD_ENVELOPE:
            return 400
        return (_MODERN_STATUS if modern else _LEGACY_STATUS).get(self.code, 200)

    @property
    def reason(self) -> str | None:
        """The machine-readable reason, where there is one."""
        return None if self.data is None else self.data.get("reason")

    @property
    def scopes(self) -> list[str]:
        """The scopes without which this cannot be done, if it was refused for the lack of one."""
        return [] if self.data is None or self.code != Code.FORBIDDEN else self.data["scopes"]


class ProtocolError(Exception):
    """Carries a `Failure` up to the place that answers; its text is fit for the caller's eyes."""

    def __init__(self, code: int, message: str, data: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.failure = Failure(code, message, data)


def parse_error(message: str = "Not valid JSON") -> ProtocolError:
    """The bytes are not JSON."""
    return ProtocolError(Code.PARSE_ERROR, message)


def nested_too_deep() -> ProtocolError:
    """The bytes may be JSON, but nobody should have to follow it that far down."""
    return ProtocolError(Code.INVALID_REQUEST, "The JSON is nested too deep", {"reason": Reason.NESTED_TOO_DEEP})


def invalid_request(message: str) -> ProtocolError:
    """The JSON is not a JSON-RPC message."""
    return ProtocolError(Code.INVALID_REQUEST, message)


def method_not_found(method: str) -> ProtocolError:
    """Nobody here answers this method at this version."""
    return ProtocolError(Code.METHOD_NOT_FOUND, f"Method not found: {shorten(method)}")


def invalid_params(message: str, reason: str = Reason.BAD_PARAMS, **data: Any) -> ProtocolError:
    """The parameters are wrong; `reason` says in which of the many ways."""
    return ProtocolError(Code.INVALID_PARAMS, message, {"reason": reason, **data})


def bad_envelope(message: str) -> ProtocolError:
    """A 2026-07-28 request without the metadata that every request must carry."""
    return invalid_params(message, Reason.BAD_ENVELOPE)


def unknown_tool(name: str) -> ProtocolError:
    """No tool has this name."""
    return invalid_params(f"Unknown tool: {shorten(name)}", Reason.UNKNOWN_TOOL)


def unknown_prompt(name: str) -> ProtocolError:
    """No prompt has this name."""
    return invalid_params(f"Unknown prompt: {shorten(name)}", Reason.UNKNOWN_PROMPT)


def unknown_resource(uri: str) -> ProtocolError:
    """Nothing is stored under this URI."""
    return invalid_params("Resource not found", Reason.UNKNOWN_RESOURCE, uri=shorten(uri))


def bad_cursor() -> ProtocolError:
    """The cursor is not one that we gave out."""
    return invalid_params("Invalid cursor", Reason.BAD_CURSOR)


def unsupported_version(requested: str) -> ProtocolError:
    """The request names a version that is not served in this way."""
    return ProtocolError(
        Code.UNSUPPORTED_VERSION,
        "Unsupported protocol version",
        {"supported": list(MODERN_VERSIONS), "requested": shorten(requested)},
    )


def missing_capability(required: dict[str, Any]) -> ProtocolError:
    """The caller did not declare a capability without which the request cannot be answered."""
    return ProtocolError(
        Code.MISSING_CAPABILITY,
        f"Client capability required: {', '.join(required)}",
        {"requiredCapabilities": required},
    )


def insufficient_scope(scopes: Iterable[str]) -> ProtocolError:
    """The caller's token does not let it do this; `scopes` are all that it takes, so that one new token is enough."""
    return ProtocolError(
        Code.FORBIDDEN, "Insufficient scope", {"reason": Reason.INSUFFICIENT_SCOPE, "scopes": sorted(scopes)}
    )


def access_ended() -> ProtocolError:
    """The caller's token has expired or was revoked while the answer was under way."""
    return ProtocolError(Code.UNAUTHORIZED, "The access token is not valid any more", {"reason": Reason.ACCESS_ENDED})


def header_mismatch(message: str) -> ProtocolError:
    """The HTTP headers and the body contradict each other."""
    return ProtocolError(Code.HEADER_MISMATCH, message)


def internal_error(reference: str) -> ProtocolError:
    """Something of ours broke; what it was stands in the log, beside the reference, and nowhere else."""
    return ProtocolError(Code.INTERNAL_ERROR, f"Internal error [{reference}]")


def shorten(text: str, limit: int = 200) -> str:
    """A caller's own words, cut to a length that is safe to send back."""
    return text if len(text) <= limit else text[:limit] + "…"
