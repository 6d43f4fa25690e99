"""The HTTP headers of MCP: read once, and held against the body of a modern request.

Intermediaries route by these headers without looking into the body, so a request whose headers say something else than
its body is refused. All of it happens before the request is looked at any further.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from mcp_server.protocol.errors import header_mismatch, shorten
from mcp_server.protocol.messages import Request, is_object

_FIELDS: Final = {
    b"mcp-protocol-version": "version",
    b"mcp-method": "method",
    b"mcp-name": "name",
    b"mcp-session-id": "session",
    b"content-type": "content_type",
    b"last-event-id": "last_event_id",
}
"""Which field of `Headers` holds which header."""

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


@dataclass(slots=True)
class Headers:
    """What the headers of one HTTP request say about the message in its body; values are trimmed.

    `accept` is in lower case, as media types have none.
    """

    accept: str = ""
    content_type: str = ""
    session: str | None = None
    version: str | None = None
    method: str | None = None
    name: str | None = None
    last_event_id: str | None = None
    parameters: dict[str, str] = field(default_factory=dict[str, str])
    repeated: bytes | None = None
    """A header that must not come twice but did."""

    @classmethod
    def read(cls, raw: Iterable[tuple[bytes, bytes]]) -> Headers:
        """Read the headers of an ASGI scope, whose names are in lower case."""
        headers = cls()
        seen: set[bytes] = set()
        for name, value in raw:
            field = _FIELDS.get(name)
            if field is not None:
                if name in _ONCE:
                    headers.repeated = name if name in seen else headers.repeated
                    seen.add(name)
                setattr(headers, field, value.decode("latin-1").strip(_BLANKS))
            elif name == b"accept":
                accept = value.decode("latin-1").lower()
                headers.accept = f"{headers.accept},{accept}" if headers.accept else accept
            elif name.startswith(_PARAMETER):
                parameter = name.removeprefix(_PARAMETER).decode("latin-1")
                headers.repeated = name if parameter in headers.parameters else headers.repeated
                headers.parameters[parameter] = value.decode("latin-1").strip(_BLANKS)
        return headers

    @property
    def takes_events(self) -> bool:
        """Whether the client says that it can read an event stream."""
        return "text/event-stream" in self.accept

    @property
    def insists_on_events(self) -> bool:
        """Whether an event stream is all that the client says it can read."""
        accept = self.accept
        return self.takes_events and not ("application/json" in accept or "*/*" in accept or "application/*" in accept)


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
    for argument in mirrored:
        name = f"Mcp-Param-{argument.header}"
        value = _at(argument.path, arguments)
        header = headers.parameters.get(argument.header.lower())
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
        if not _SAFE.fullmatch(value):
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
