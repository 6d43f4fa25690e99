"""The HTTP headers of MCP: read once, and held against the body of a modern request.

Intermediaries route by these headers without looking into the body, so a request whose headers say something else than
its body is refused. All of it happens before the request is looked at any further.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple, Protocol

from mcp_server.protocol.errors import header_mismatch, shorten
from mcp_server.protocol.messages import Request, is_object

_ONCE: Final = {b"mcp-protocol-version", b"mcp-method", b"mcp-name"}
"""Headers by which requests are routed. Of two copies, one reader takes the first and another the last."""

_PARAMETER: Final = b"mcp-param-"

_NAMED_BY: Final = {
    "tools/call": "name",
    "prompts/get": "name",
    "resources/read": "uri",
    "tasks/get": "taskId",
    "tasks/update": "taskId",
    "tasks/cancel": "taskId",
}
"""Which parameter `Mcp-Name` repeats, by method."""

_ENCODED: Final = re.compile(r"=\?base64\?(.*)\?=", re.DOTALL)
_SAFE: Final = re.compile(r"[\t\x20-\x7e]*")
_INTEGER: Final = re.compile(r"-?[0-9]{1,16}(\.0*)?")
_BLANKS: Final = " \t"
"""What may surround a value; other blanks, which a plain `strip` would take too, are part of it and not allowed."""
_MISSING: Final = object()
_LONGEST_REMEMBERED: Final = 512


class Mirrored(Protocol):
    """An argument that a header repeats."""

    @property
    def path(self) -> tuple[str, ...]:
        """Where it stands in the arguments."""
        ...

    @property
    def header(self) -> str:
        """The header's name, without `Mcp-Param-`."""
        ...


class Accept(NamedTuple):
    """What a client says it can read."""

    events: bool
    """It can read an event stream."""
    only_events: bool
    """That is all it can read."""

    @classmethod
    def read(cls, value: bytes) -> Accept:
        """From the value of the header, or the values joined by commas; media types have no case."""
        value = value.lower()
        events = b"text/event-stream" in value
        return cls(
            events, events and not (b"application/json" in value or b"*/*" in value or b"application/*" in value)
        )


_NOTHING: Final = Accept(events=False, only_events=False)


# One is made per request, so that it is not frozen; nothing changes it.
@dataclass(slots=True)
class Headers:
    """What the headers of one HTTP request say about the message in its body; values are trimmed."""

    accept: Accept = _NOTHING
    content_type: str = ""
    session: str | None = None
    version: str | None = None
    method: str | None = None
    name: str | None = None
    last_event_id: str | None = None
    repeated: bytes | None = None
    """A header that must not come twice but did."""
    raw: Sequence[tuple[bytes, bytes]] = ()

    @classmethod
    def read(cls, raw: Sequence[tuple[bytes, bytes]]) -> Headers:
        """Read the headers of an ASGI scope, whose names are in lower case."""
        last = dict(raw)
        accept, repeated = last.get(b"accept", b""), None
        if len(last) < len(raw):
            accept = b",".join([value for name, value in raw if name == b"accept"])
            repeated = _repeated(raw)
        return cls(
            _accept(accept) if len(accept) <= _LONGEST_REMEMBERED else Accept.read(accept),
            _text(last.get(b"content-type")) or "",
            _text(last.get(b"mcp-session-id")),
            _text(last.get(b"mcp-protocol-version")),
            _text(last.get(b"mcp-method")),
            _text(last.get(b"mcp-name")),
            _text(last.get(b"last-event-id")),
            repeated,
            raw,
        )

    @property
    def parameters(self) -> dict[str, str]:
        """The values of the `Mcp-Param-*` headers, by the rest of their names; only some tools have any."""
        return {
            name.removeprefix(_PARAMETER).decode("latin-1"): value.decode("latin-1").strip(_BLANKS)
            for name, value in self.raw
            if name.startswith(_PARAMETER)
        }


# Hardly any two requests to a server differ in it. It was written by strangers, so what is remembered is bounded.
_accept: Final = lru_cache(maxsize=256)(Accept.read)


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1").strip(_BLANKS)


def _repeated(raw: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    """The last header that must not come twice but did."""
    found, seen = None, set[bytes]()
    for name, _ in raw:
        if name in seen and (name in _ONCE or name.startswith(_PARAMETER)):
            found = name
        seen.add(name)
    return found


def check(request: Request, headers: Headers) -> None:
    """Hold the headers of a modern request against its body.

    Raises:
        ProtocolError: One is missing, comes twice or says something else.
    """
    if headers.repeated is not None:
        raise header_mismatch(f"The header {headers.repeated.decode('latin-1')} must come once")
    if headers.version != request.peer.version:
        raise _mismatch("MCP-Protocol-Version", headers.version)
    if headers.method != request.method:
        raise _mismatch("Mcp-Method", headers.method)
    named_by = _NAMED_BY.get(request.method)
    if named_by is not None:
        if headers.name is None:
            raise _mismatch("Mcp-Name", None)
        if decoded("Mcp-Name", headers.name) != request.params.get(named_by):
            raise _mismatch("Mcp-Name", headers.name)


def check_parameters(mirrored: Iterable[Mirrored], arguments: Mapping[str, Any], headers: Headers) -> None:
    """Hold the `Mcp-Param-*` headers of a tool call against its arguments.

    Raises:
        ProtocolError: One is missing although its argument is there, or says something else.
    """
    parameters = headers.parameters
    for argument in mirrored:
        name = f"Mcp-Param-{argument.header}"
        value = _at(argument.path, arguments)
        header = parameters.get(argument.header.lower())
        if value is None or value is _MISSING:
            if header is not None:
                raise header_mismatch(f"{name} repeats an argument that is not there")
        elif header is None:
            raise _mismatch(name, None)
        elif not _says(decoded(name, header), value):
            raise _mismatch(name, header)


def decoded(name: str, value: str) -> str:
    """The value of a header that may be encoded, because it is not plain ASCII or has blanks at its ends.

    Raises:
        ProtocolError: It says that it is encoded and is not, or it has characters that it must not have.
    """
    match = _ENCODED.fullmatch(value)
    if match is None:
        if not ((value.isascii() and value.isprintable()) or _SAFE.fullmatch(value)):
            raise header_mismatch(f"{name} has characters that must be encoded")
        return value
    try:
        return base64.b64decode(match[1], validate=True).decode("utf-8")
    except ValueError as error:  # not base64, not ASCII, or not UTF-8
        raise header_mismatch(f"{name} is not valid base64 of UTF-8") from error


def _at(path: tuple[str, ...], value: Any) -> Any:
    for step in path:
        if not is_object(value) or step not in value:
            return _MISSING
        value = value[step]
    return value


def _says(header: str, value: Any) -> bool:
    if isinstance(value, bool):
        return header == ("true" if value else "false")
    if isinstance(value, int | float):
        return _INTEGER.fullmatch(header) is not None and int(header.partition(".")[0]) == value
    return header == value


def _mismatch(name: str, value: str | None) -> Exception:
    if value is None:
        return header_mismatch(f"The header {name} is missing")
    return header_mismatch(f"The header {name} contradicts the body: {shorten(value)}")
