"""The HTTP headers of MCP: read once, and held against the body of a modern request.

Intermediaries route by these headers without looking into the body, so a request whose headers say something else than
its body is refused. All of it happens before the request is looked at any further.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple, Protocol

from mcp_server.protocol.errors import header_mismatch, shorten
from mcp_server.protocol.messages import Request, is_object
from mcp_server.protocol.versions import ALL_VERSIONS

_VERSION: Final = b"mcp-protocol-version"
_METHOD: Final = b"mcp-method"
_NAME: Final = b"mcp-name"
_ONCE: Final = {_VERSION, _METHOD, _NAME}
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

_KNOWN: Final = {word.encode(): word for word in (*ALL_VERSIONS, *_NAMED_BY)}
"""What most of these headers say, as it comes and as it is read."""

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


class Headers:
    """What the headers of one HTTP request say about the message in its body; values are trimmed.

    They come from an ASGI scope, whose names are in lower case; `values` are the same by name, if somebody has them.
    What nearly every request is asked for is read at once.
    """

    __slots__ = ("_raw", "_values", "accept", "method", "name", "repeated", "version")

    def __init__(self, raw: Sequence[tuple[bytes, bytes]], values: Mapping[bytes, bytes] | None = None) -> None:
        self._raw = raw
        if values is None or len(values) < len(raw):
            values = dict(raw)
        self._values = values
        accept = values.get(b"accept", b"")
        self.repeated: bytes | None = None
        """A header that must not come twice but did."""
        if len(values) < len(raw):
            accept = b",".join([value for name, value in raw if name == b"accept"])
            self.repeated = _repeated(raw)
        self.accept = _accept(accept) if len(accept) <= _LONGEST_REMEMBERED else Accept.read(accept)
        version, method, name = values.get(_VERSION), values.get(_METHOD), values.get(_NAME)
        self.version = None if version is None else _KNOWN.get(version) or version.decode("latin-1").strip(_BLANKS)
        self.method = None if method is None else _KNOWN.get(method) or method.decode("latin-1").strip(_BLANKS)
        self.name = None if name is None else name.decode("latin-1").strip(_BLANKS)

    @property
    def session(self) -> str | None:
        """The id of the session that the request belongs to."""
        return self._text(b"mcp-session-id")

    @property
    def last_event_id(self) -> str | None:
        """After which event a stream is to be taken up again."""
        return self._text(b"last-event-id")

    @property
    def announces_json(self) -> bool:
        """Whether the body is said to be JSON."""
        sent = self._values.get(b"content-type")
        if sent == b"application/json":
            return True
        kind = (self._text(b"content-type") or "").partition(";")[0].strip().lower()
        return kind == "application/json" or kind.endswith("+json")

    @property
    def parameters(self) -> dict[str, str]:
        """The values of the `Mcp-Param-*` headers, by the rest of their names; only some tools have any."""
        return {
            name.removeprefix(_PARAMETER).decode("latin-1"): value.decode("latin-1").strip(_BLANKS)
            for name, value in self._raw
            if name.startswith(_PARAMETER)
        }

    def _text(self, name: bytes) -> str | None:
        value = self._values.get(name)
        return None if value is None else value.decode("latin-1").strip(_BLANKS)


# Hardly any two requests to a server differ in it. It was written by strangers, so what is remembered is bounded.
_accept: Final = lru_cache(maxsize=256)(Accept.read)


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
    match = _ENCODED.fullmatch(value) if value.startswith("=?") else None
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
