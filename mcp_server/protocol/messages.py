"""JSON-RPC as MCP uses it: bytes to messages, and no further.

A line or a body goes through two doors. `parse` turns bytes into JSON; `shape` turns JSON into one of the three
kinds of message. Whatever does not pass is a `ProtocolError`; `readable_id` then tells to whom the error is addressed.
What a message *means*, and in which version, is not known here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias, TypeGuard

from pydantic_core import from_json

from mcp_server.protocol.errors import ProtocolError, invalid_request, nested_too_deep, parse_error
from mcp_server.protocol.versions import MODERN_VERSIONS, UNSTATED

RequestId: TypeAlias = int | str
Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"

LOG_LEVELS: Final = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")

_MARK: Final = b"\xef\xbb\xbf"
_TOO_DEEP: Final = "recursion limit exceeded"
"""In the parser's words."""

# One of each of these is made per call, and a frozen dataclass costs three times as much to make:
# they are not frozen, and nothing changes them once their era's adapter is done.


@dataclass(slots=True, eq=False)
class Peer:
    """What a client said about itself: with each request (2026-07-28), or once in the handshake (before it).

    It is self-reported, so it may shape an answer but never decide what somebody is allowed to do.
    """

    version: str
    capabilities: Mapping[str, Any] = field(default_factory=dict[str, Any])
    info: Mapping[str, Any] | None = None
    log_level: str | None = None
    modern: bool = field(init=False)
    """Whether this client sends its metadata with each request."""

    def __post_init__(self) -> None:
        self.modern = self.version in MODERN_VERSIONS

    @property
    def name(self) -> str | None:
        """The client's own name for itself, for logs."""
        name = self.info.get("name") if self.info else None
        return name if isinstance(name, str) else None


STRANGER: Final = Peer(UNSTATED)
"""A legacy client that has not introduced itself."""


@dataclass(slots=True)
class Request:
    """A question that is owed exactly one answer."""

    id: RequestId
    method: str
    params: dict[str, Any]
    peer: Peer = STRANGER

    @property
    def meta(self) -> Mapping[str, Any]:
        """The request's `_meta`, empty where there is none."""
        meta = self.params.get("_meta")
        return meta if is_object(meta) else {}

    @property
    def progress_token(self) -> RequestId | None:
        """The token under which the caller wants to hear of progress, if it does."""
        token = self.meta.get("progressToken")
        return token if is_request_id(token) else None


@dataclass(slots=True)
class Notification:
    """Something the client says without waiting for an answer."""

    method: str
    params: dict[str, Any]


@dataclass(slots=True)
class Response:
    """The client's answer to a request of ours, which only versions before 2026-07-28 have.

    An error without an id answers something of ours that the client could not read.
    """

    id: RequestId | None
    result: dict[str, Any] | None
    error: dict[str, Any] | None


Message: TypeAlias = Request | Notification | Response


def parse(data: bytes | bytearray) -> Json:
    """JSON from bytes; refuses what JSON has not (NaN, Infinity, lone surrogates) and nesting beyond 200 levels.

    The mark that some programs put in front of UTF-8 is ignored, as RFC 8259 (8.1) allows. Of a name that an object has
    twice, the last value counts; as a body is parsed here and nowhere else, nobody can have seen the other.
    """
    try:
        return from_json(data, allow_inf_nan=False)
    except ValueError as error:
        if not data.startswith(_MARK):
            raise _unreadable(error) from error
    try:
        return from_json(data[len(_MARK) :], allow_inf_nan=False)
    except ValueError as error:
        raise _unreadable(error) from error


def _unreadable(error: ValueError) -> ProtocolError:
    return nested_too_deep() if _TOO_DEEP in str(error) else parse_error()


def shape(body: Json) -> Message:
    """The message that `body` is.

    Raises:
        ProtocolError: It is none; an array is refused here too, so whoever allows batches takes them apart first.
    """
    if not isinstance(body, dict):
        raise invalid_request("A message must be a JSON object")
    if body.get("jsonrpc") != "2.0":
        raise invalid_request('A message must say "jsonrpc": "2.0"')
    if "method" not in body:
        return _response(body)
    method = body["method"]
    if not isinstance(method, str):
        raise invalid_request("method must be a string")
    params = body.get("params")
    if params is None:
        params = {}
    elif not isinstance(params, dict):
        raise invalid_request("params must be an object")
    if "id" not in body:
        return Notification(method, params)
    identity = body["id"]
    if not is_request_id(identity):
        raise invalid_request("id must be a string or an integer")
    return Request(identity, method, params)


def _response(body: dict[str, Any]) -> Response:
    identity, result, error = body.get("id"), body.get("result"), body.get("error")
    if identity is None and is_object(error) and result is None:
        return Response(None, None, error)
    if not is_request_id(identity):
        raise invalid_request("A message needs a method, or the id of the request that it answers")
    if is_object(result) and error is None:
        return Response(identity, result, None)
    if is_object(error) and result is None:
        return Response(identity, None, error)
    raise invalid_request("A response needs either a result or an error")


def readable_id(body: object) -> RequestId | None:
    """The id in a body that is not a message, if one can be read.

    The id of a response is not: it is one of ours, and the client would take our answer for that to a request of its.
    """
    if not is_object(body) or "result" in body or "error" in body:
        return None
    identity = body.get("id")
    return identity if is_request_id(identity) else None


def is_object(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether this JSON value is an object."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Whether this JSON value is an array."""
    return isinstance(value, list)


def is_request_id(value: object) -> TypeGuard[RequestId]:
    """Whether this JSON value may be a request id or a progress token; `true` is no integer."""
    return isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool))
