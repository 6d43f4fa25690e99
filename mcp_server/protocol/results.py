"""Results on their way out: values, JSON that is ready, and results rendered once for everybody.

A result is a mapping. A top-level value that is `bytes` is JSON already made, so that a tool's answer is serialised
once although it goes out twice (as structure and as text). A `Prepared` result is one that many requests share, such
as a list of tools: it keeps its rendering for each version, and only the id differs between answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from pydantic_core import to_json

from mcp_server.protocol.errors import Failure

Result: TypeAlias = Mapping[str, Any]

REASON: Final = "mcp-server/reason"
"""Where a failed tool's result says why, in its `_meta`."""


class Prepared:
    """A result that does not depend on who asks, rendered at most once for each version."""

    __slots__ = ("_rendered", "result")

    def __init__(self, result: Result) -> None:
        self.result = result
        self._rendered: dict[str, bytes] = {}

    def rendered(self, version: str, render: Callable[[Result], bytes]) -> bytes:
        """The bytes for this version, made by `render` the first time."""
        found = self._rendered.get(version)
        if found is None:
            found = self._rendered[version] = render(self.result)
        return found


Answer: TypeAlias = Result | Prepared | Failure


def encode(value: Any) -> bytes:
    """JSON from a value; NaN and the infinities, which JSON does not have, become null."""
    return to_json(value, inf_nan_mode="null")


def encode_object(fields: Mapping[str, Any]) -> bytes:
    """A JSON object from its fields, taking values that are `bytes` as they are."""
    return b"".join([*object_parts(fields), b"}"])


def object_parts(fields: Mapping[str, Any]) -> list[bytes]:
    """The same in pieces, and without the brace at its end: a large answer is put together once, and copied once."""
    parts = field_parts(fields)
    if not parts:
        return [b"{"]
    parts[0] = b"{" + parts[0][1:]
    return parts


def field_parts(fields: Mapping[str, Any]) -> list[bytes]:
    """`,"key":value` for each field, in pieces."""
    parts: list[bytes] = []
    for key, value in fields.items():
        parts.append(_KEYS.get(key) or _key(key))
        parts.append(value if isinstance(value, bytes) else encode(value))
    return parts


def _key(key: str) -> bytes:
    return b"," + to_json(key) + b":"


_KEYS: Final = {key: _key(key) for key in ("content", "structuredContent", "isError")}
"""The fields that nearly every result of a tool has."""


def text_content(text: str) -> dict[str, Any]:
    """A text block of a tool's or a prompt's content."""
    return {"type": "text", "text": text}


def tool_error(text: str, reason: str | None = None) -> dict[str, Any]:
    """The result of a tool that could not do its work, in words meant for the model; `reason` is for programs."""
    result: dict[str, Any] = {"content": [text_content(text)], "isError": True}
    if reason is not None:
        result["_meta"] = {REASON: reason}
    return result
