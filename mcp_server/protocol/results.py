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
    return b"".join([b"{", *field_parts(fields)[1:], b"}"])


def field_parts(fields: Mapping[str, Any]) -> list[bytes]:
    """`,"key":value` for each field, in pieces: a large answer is put together by one join, and copied once."""
    parts: list[bytes] = []
    for key, value in fields.items():
        parts += (b",", to_json(key), b":", value if isinstance(value, bytes) else encode(value))
    return parts


def encode_field(key: str, value: Any) -> bytes:
    """One `"key":value` of an object; `bytes` are JSON already."""
    return to_json(key) + b":" + (value if isinstance(value, bytes) else encode(value))


def text_content(text: str) -> dict[str, Any]:
    """A text block of a tool's or a prompt's content."""
    return {"type": "text", "text": text}


def tool_error(text: str, reason: str | None = None) -> dict[str, Any]:
    """The result of a tool that could not do its work, in words meant for the model; `reason` is for programs."""
    result: dict[str, Any] = {"content": [text_content(text)], "isError": True}
    if reason is not None:
        result["_meta"] = {REASON: reason}
    return result
