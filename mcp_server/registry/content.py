"""From what a function returned to the result on the wire.

A structured value is serialised once: the bytes stand in `structuredContent`, and once more, quoted, in the text that
clients without structure read. A list is one structured value; only values that *are* content become several blocks.
Objects of the official `mcp_types` are known by their module, so that it need not be imported.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, cast

from pydantic_core import PydanticSerializationError, to_json

from mcp_server.registry.errors import OutputMismatch
from mcp_server.registry.media import Audio, EmbeddedResource, File, Image, ResourceLink, ToolResult

CONTENT_TYPES: Final = (Audio, EmbeddedResource, File, Image, ResourceLink)
"""Our own values that are content."""

_RESULT_FIELDS: Final = ("content", "structuredContent", "isError", "_meta")
_FOREIGN: Final = "mcp_types"
_SAMPLE: Final = 4096
"""How many bytes of a long value are looked at to tell whether it is text or a table."""
_FEW: Final = 64
"""How many quotes those of a text have at most."""
_PLAIN: Final = frozenset({dict, list, str, int, float, bool, type(None)})
"""Types of which nearly every value is; none of them is more than a value."""


def is_content_type(kind: Any) -> bool:
    """Whether values of this type are content rather than structure."""
    return isinstance(kind, type) and (
        issubclass(kind, (*CONTENT_TYPES, ToolResult))
        or str(kind.__module__).partition(".")[0] == _FOREIGN  # known by name, so that it need not be imported
    )


def is_content(value: Any) -> bool:
    """Whether a value is content rather than structure."""
    return is_content_type(type(value))


def is_foreign(value: Any, name: str) -> bool:
    """Whether a value is an object of `mcp_types` whose class has this name."""
    return type(value).__name__ == name and is_content(value)


def undeclared_result(value: Any) -> dict[str, Any]:
    """The result of a function that declares no structure."""
    if isinstance(value, str):
        return {"content": _text_only(as_json(value))}
    if value is None:
        return {"content": []}
    if is_content(value):
        return _content_result(value)
    if isinstance(value, list | tuple):
        items = cast("Sequence[Any]", value)
        if any(map(is_content_type, set(map(type, items)))):
            return {"content": blocks(items)}
    return structured_result(as_json(value))


def structured_result(raw: bytes) -> dict[str, Any]:
    """The result for a value that is JSON already; a string reads the same as text and as structure."""
    return {"content": _text_only(raw if raw.startswith(b'"') else _quoted(raw)), "structuredContent": raw}


def passes_through(value: Any) -> bool:
    """Whether a function returned a whole result rather than a value."""
    if type(value) in _PLAIN:
        return False
    return isinstance(value, ToolResult) or is_foreign(value, "CallToolResult")


def blocks(value: Any) -> list[dict[str, Any]]:
    """Content blocks from whatever a function may return as content; raises `OutputMismatch`."""
    if value is None:
        return []
    if isinstance(value, list | tuple):
        return [_block(item) for item in cast("Sequence[Any]", value)]
    return [_block(value)]


def text_block(text: str) -> dict[str, Any]:
    """A block of text."""
    return {"type": "text", "text": text}


def as_json(value: Any) -> bytes:
    """A value as JSON; raises `OutputMismatch` where it has no such form."""
    if isinstance(value, bytes | bytearray | memoryview):
        raise OutputMismatch("bytes are not content by themselves: return Image(data=...), Audio(...) or File(...)")
    try:
        return to_json(value, inf_nan_mode="null")
    except (PydanticSerializationError, ValueError) as error:
        raise OutputMismatch(f"{type(value).__name__} has no form in JSON: {error}") from error


def dumped(value: Any) -> dict[str, Any]:
    """An object of `mcp_types` as the wire has it."""
    return value.model_dump(by_alias=True, exclude_none=True, mode="json")


def _quoted(raw: bytes) -> bytes:
    """JSON as a string in JSON."""
    # JSON from us has no other characters that must be escaped in a string. Where they are rare, as in a long text,
    # looking for them takes a quarter of the time of writing a string; where they are many, as in a table, longer.
    if len(raw) > _SAMPLE and raw.count(b'"', 0, _SAMPLE) < _FEW:
        return b'"%b"' % raw.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    return to_json(raw.decode())


def _text_only(quoted: bytes) -> bytes:
    # Joined, as it may be a megabyte: formatted or added up, it would be copied several times over.
    return b"".join((b'[{"type":"text","text":', quoted, b"}]"))


def _content_result(value: Any) -> dict[str, Any]:
    if isinstance(value, ToolResult):
        return _controlled(value)
    if passes_through(value):
        fields = dumped(value)
        return {key: fields[key] for key in _RESULT_FIELDS if key in fields}
    return {"content": blocks(value)}


def _controlled(given: ToolResult) -> dict[str, Any]:
    if given.structured is None:
        result: dict[str, Any] = {"content": blocks(given.content)}
    else:
        result = structured_result(as_json(given.structured))
        if given.content is not None:
            result["content"] = blocks(given.content)
    if given.is_error:
        result["isError"] = True
    if given.meta:
        result["_meta"] = dict(given.meta)
    return result


def _block(value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        return text_block(value)
    if isinstance(value, CONTENT_TYPES):
        return value.content()
    if is_content(value):
        return dumped(value)
    return text_block(as_json(value).decode())
