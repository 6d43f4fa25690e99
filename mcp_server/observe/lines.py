"""The words of the log that people search for: `grep 'POST /mcp'`, `grep OAUTH`, `grep 'SSE STREAM END'`.

They are as they have always been, because somebody's alarm depends on them; a test holds each. Where the old line
showed the beginning of a token there is now its fingerprint. Functions return the message; whoever calls one logs it.
"""

from __future__ import annotations

import re
from typing import Final

from mcp_server.observe.cleaning import clean, clean_id, cleaned, fingerprint
from mcp_server.observe.records import CallRecord

_MEDIA_TYPE: Final = re.compile(r"[\w*.+-]{1,60}/[\w*.+-]{1,60}")
_MANY: Final = 8


def http_request(method: str, path: str) -> str:
    """An HTTP request, by its path alone: a query string may hold a secret."""
    return f"{clean(method)} {_path(path)}"


def stream_started(method: str, path: str) -> str:
    """An event stream has been opened."""
    return f"=== MCP SSE CONNECTION START === Method: {clean(method)}, Path: {_path(path)}"


def accept_header(value: str) -> str:
    """What the client says it can read; only media types are let through, as any text can stand in a header."""
    return f"=== ACCEPT HEADER === {', '.join(_MEDIA_TYPE.findall(value)[:_MANY])}"


def stream_event(number: int, request_id: int | str | None) -> str:
    """An answer has been sent on an event stream, as its `number`-th event."""
    return f"=== SSE EVENT {number} === Sending response for request_id={clean_id(request_id)}"


def stream_ended(events: int) -> str:
    """An event stream has been closed."""
    return f"=== SSE STREAM END === Stream closed after sending {events} event{'' if events == 1 else 's'}"


def oauth_success(key: str) -> str:
    """A token has been accepted; `key` is its fingerprint, and anything else is not shown."""
    return f"=== OAUTH SUCCESS === Token valid: {fingerprint(key)}"


def oauth_failure(reason: str, address: str) -> str:
    """A token has been refused; the address lets a watchman count."""
    return f"=== OAUTH FAILURE === {clean(reason)}, from {clean(address)}"


def key_refused(reason: str, address: str) -> str:
    """An API key has been refused; the address lets a watchman count."""
    return f"=== AUTH FAILURE === {clean(reason)}, from {clean(address)}"


def processing(method: str, request_id: int | str | None) -> str:
    """A method is being answered."""
    return f"Processing MCP method: {clean(method)}, id: {clean_id(request_id)}"


def call(record: CallRecord) -> str:
    """The one line of a finished call, for people."""
    record = cleaned(record)
    target = "" if record.target is None else f"{record.target} "
    caller = " ".join(each for each in (record.transport, record.version, record.client) if each)
    line = (
        f"Processing MCP method: {record.method}, id: {record.request_id}"
        f" | {target}{record.outcome} in {record.milliseconds:.1f} ms"
        f" | {record.argument_bytes} B in, {record.result_bytes} B out | {caller}"
    )
    if record.key is not None:
        line += f" | key {record.key}"
    if record.reference is not None:
        line += f" | reference {record.reference}"
    return line


def _path(path: str) -> str:
    return clean(path.partition("?")[0])
