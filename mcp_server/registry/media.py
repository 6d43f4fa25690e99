"""Values that are content rather than structure: images, sound, files, links, and a result under full control.

Each knows its content block. A path is read when the result is made, so that a file may change between calls.
"""

from __future__ import annotations

import mimetypes
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Final

from mcp_server.registry.listing import Icon, without_none

_ANY_BYTES: Final = "application/octet-stream"
_TEXTUAL: Final = frozenset({"application/json", "application/javascript", "application/xml", "image/svg+xml"})
_AUDIO_FORMATS: Final = {"mp3": "mpeg", "m4a": "mp4"}


@dataclass(frozen=True, slots=True)
class _Media:
    """Bytes, or the path to them, and of what kind they are; `format` is the second half of the media type."""

    data: bytes | None = None
    path: str | Path | None = None
    format: str | None = None
    mime_type: str | None = None

    _family: ClassVar[str] = ""
    _default: ClassVar[str] = _ANY_BYTES

    def __post_init__(self) -> None:
        if (self.data is None) == (self.path is None):
            raise ValueError(f"write {type(self).__name__}(data=...) or {type(self).__name__}(path=...)")

    @property
    def kind(self) -> str:
        """The media type: the one given, else that of the format, of the path's suffix, or of its family."""
        if self.mime_type:
            return self.mime_type
        if self.format:
            return f"{self._family}/{_AUDIO_FORMATS.get(self.format.lower(), self.format.lower())}"
        guessed = mimetypes.guess_type(str(self.path))[0] if self.path else None
        return guessed or self._default

    def read(self) -> bytes:
        """The bytes."""
        return Path(self.path).read_bytes() if self.path is not None else self.data or b""


@dataclass(frozen=True, slots=True)
class Image(_Media):
    """A picture: `Image(data=png)`, `Image(path="plot.svg")`, `Image(data=raw, format="webp")`."""

    _family: ClassVar[str] = "image"
    _default: ClassVar[str] = "image/png"

    def content(self) -> dict[str, Any]:
        """The content block."""
        return {"type": "image", "data": encoded(self.read()), "mimeType": self.kind}


@dataclass(frozen=True, slots=True)
class Audio(_Media):
    """Sound: `Audio(data=wav)`, `Audio(path="answer.mp3")`."""

    _family: ClassVar[str] = "audio"
    _default: ClassVar[str] = "audio/wav"

    def content(self) -> dict[str, Any]:
        """The content block."""
        return {"type": "audio", "data": encoded(self.read()), "mimeType": self.kind}


@dataclass(frozen=True, slots=True)
class File(_Media):
    """A file, embedded whole: `File(path="report.pdf")`, `File(data=b"a,b", format="csv", name="table.csv")`."""

    name: str | None = None
    uri: str | None = None

    @property
    def kind(self) -> str:
        """The media type: the one given, else that of the format, the name or the path."""
        if self.mime_type:
            return self.mime_type
        named = f"file.{self.format}" if self.format else str(self.name or self.path or "")
        return mimetypes.guess_type(named)[0] or _ANY_BYTES

    def contents(self, uri: str) -> dict[str, Any]:
        """The contents of a resource at this URI: text if it is text, base64 otherwise."""
        return contents_of(self.read(), uri, self.kind)

    def content(self) -> dict[str, Any]:
        """The content block, an embedded resource."""
        name = self.name or (Path(self.path).name if self.path else f"file{mimetypes.guess_extension(self.kind) or ''}")
        return {"type": "resource", "resource": self.contents(self.uri or f"file:///{name}")}


@dataclass(frozen=True, slots=True)
class EmbeddedResource:
    """A resource carried along in a result; `data` is its text or its bytes."""

    uri: str
    data: str | bytes
    mime_type: str | None = None
    meta: Mapping[str, Any] | None = None

    def contents(self, uri: str | None = None) -> dict[str, Any]:
        """The contents of a resource, as they stand in an answer to `resources/read`."""
        body = {"text": self.data} if isinstance(self.data, str) else {"blob": encoded(self.data)}
        return without_none({"uri": uri or self.uri, "mimeType": self.mime_type, **body, "_meta": self.meta})

    def content(self) -> dict[str, Any]:
        """The content block."""
        return {"type": "resource", "resource": self.contents()}


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceLink:
    """A resource that the caller may read if it wants to."""

    uri: str
    name: str
    title: str | None = None
    description: str | None = None
    mime_type: str | None = None
    size: int | None = None
    icons: Sequence[Icon] = ()
    meta: Mapping[str, Any] | None = None

    def content(self) -> dict[str, Any]:
        """The content block."""
        return without_none(
            {
                "type": "resource_link",
                "uri": self.uri,
                "name": self.name,
                "title": self.title,
                "description": self.description,
                "mimeType": self.mime_type,
                "size": self.size,
                "icons": [icon.listing() for icon in self.icons] or None,
                "_meta": self.meta,
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult:
    """A result under full control: what people see, what programs read, and whether it is an error.

    `content` is whatever a tool may return; left out, it is the text of `structured`.
    """

    content: Any = None
    structured: Any = None
    is_error: bool = False
    meta: Mapping[str, Any] = field(default_factory=dict[str, Any])


def encoded(data: bytes) -> str:
    """Bytes as the wire has them."""
    return b64encode(data).decode("ascii")


def contents_of(data: bytes, uri: str, mime_type: str) -> dict[str, Any]:
    """The contents of a resource from bytes: text where the media type and the bytes are text."""
    if mime_type.startswith("text/") or mime_type in _TEXTUAL:
        try:
            return {"uri": uri, "mimeType": mime_type, "text": data.decode("utf-8")}
        except UnicodeDecodeError:
            pass  # it says text, and is not UTF-8: sent as it is
    return {"uri": uri, "mimeType": mime_type, "blob": encoded(data)}
