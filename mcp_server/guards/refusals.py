"""The one place that words a refusal: status, headers, and a body the asker can read.

The body is chosen without reading the request's own body, since a guard may not touch it:

- a request that looks like an MCP client's (it accepts `text/event-stream`, or carries any `mcp-*` header) gets a
  JSON-RPC error without an id;
- everybody else gets `{"error": slug, "detail": words}`.

JSON-RPC codes: faults of the request itself are -32600 (Invalid Request). Who you are, where you come from and how
often you ask are no faults of a message, and JSON-RPC has no code for them; they carry the HTTP status as a positive
code (401, 403, 429), which lies outside everything JSON-RPC and MCP reserve.

A refusal says what was refused, never what would have been accepted.
"""

from __future__ import annotations

import json
from copy import copy

from starlette.types import Scope, Send

from mcp_server.guards.caller import caller_of

INVALID_REQUEST = -32600

RawHeaders = tuple[tuple[bytes, bytes], ...]


class Refusal:
    """An answer made once and sent many times."""

    __slots__ = ("_headers", "_plain", "_rpc", "error", "status")

    def __init__(self, status: int, error: str, detail: str, *, code: int, headers: RawHeaders = ()) -> None:
        self.status = status
        self.error = error
        self._plain = json.dumps({"error": error, "detail": detail}).encode()
        self._rpc = json.dumps({"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": detail}}).encode()
        self._headers = ((b"content-type", b"application/json"), (b"cache-control", b"no-store"), *headers)

    def with_headers(self, headers: RawHeaders) -> Refusal:
        """The same refusal with further headers."""
        refusal = copy(self)
        refusal._headers = (*self._headers, *headers)  # noqa: SLF001 - it is one of us
        return refusal

    async def __call__(self, scope: Scope, send: Send) -> None:
        """Send this refusal, and note it in the caller's facts for logs and metrics."""
        caller_of(scope).refused = self.error
        body = self.body(scope)
        length = (b"content-length", str(len(body)).encode())
        await send({"type": "http.response.start", "status": self.status, "headers": [*self._headers, length]})
        await send({"type": "http.response.body", "body": body})

    def body(self, scope: Scope) -> bytes:
        """Choose the body for whoever sent this request."""
        return self._rpc if _speaks_mcp(scope) else self._plain


def _speaks_mcp(scope: Scope) -> bool:
    return any(
        name.startswith(b"mcp-") or (name == b"accept" and b"text/event-stream" in value)
        for name, value in scope["headers"]
    )


def unauthorized(*, error: str | None = None, challenge: str = "", detail: str = "Invalid API key") -> Refusal:
    """Make a 401 with its challenge (RFC 6750).

    Args:
        error: `invalid_token` when a token was sent. Only the header tells: the body is the same with and without.
        challenge: parameters to add, already in header syntax, such as `resource_metadata="…"`.
        detail: the words of the body.
    """
    parameters = ['realm="mcp"', *([f'error="{error}"'] if error else []), *([challenge] if challenge else [])]
    header = (b"www-authenticate", f"Bearer {', '.join(parameters)}".encode("ascii"))
    return Refusal(401, "unauthorized", detail, code=401, headers=(header,))


def lacking_scope(challenge: str) -> Refusal:
    """Make a 403 for a token that is valid and not enough; `challenge` says what would be, in header syntax."""
    header = (b"www-authenticate", f'Bearer error="insufficient_scope", {challenge}'.encode("ascii"))
    return Refusal(403, "insufficient_scope", "Insufficient scope", code=403, headers=(header,))


# What is left of a refused body is not read: the connection cannot be used again.
_CLOSE: RawHeaders = ((b"connection", b"close"),)

BAD_HOST = Refusal(403, "forbidden_host", "Host not allowed", code=403)
BAD_ORIGIN = Refusal(403, "forbidden_origin", "Origin not allowed", code=403)
PLAIN_HTTP = Refusal(403, "https_required", "HTTPS is required", code=403)
TOO_SLOW = Refusal(408, "request_timeout", "The body did not arrive in time", code=INVALID_REQUEST, headers=_CLOSE)
TOO_LARGE = Refusal(413, "content_too_large", "The body is too large", code=INVALID_REQUEST, headers=_CLOSE)
TOO_MANY = Refusal(429, "rate_limited", "Rate limit exceeded", code=429)
UNDECIDED = Refusal(
    503, "unavailable", "It cannot be found out at the moment who you are", code=503, headers=((b"retry-after", b"5"),)
)
