"""Arguments that clients repeat in a header: the marker, and the rules for `x-mcp-header`.

Over HTTP a client drops a tool whose markers are invalid, so such a tool is never registered. Nothing here sees a
request; how a header's value is compared is the concern of those who have one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import GetJsonSchemaHandler
from pydantic_core import core_schema

from mcp_server.registry.schema_walk import JsonSchema, Place, everywhere, readable

KEYWORD: Final = "x-mcp-header"

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TYPES: Final = frozenset({"boolean", "integer", "string"})
_NULL: Final = {"type": "null"}


@dataclass(frozen=True, slots=True)
class Header:
    """Marks an argument that clients send as `Mcp-Param-{name}` too: `Annotated[str, Header("Region")]`."""

    name: str

    def __get_pydantic_json_schema__(self, core: core_schema.CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchema:
        schema = handler.resolve_ref_schema(handler(core))
        return {**_without_null(schema), KEYWORD: self.name}


@dataclass(frozen=True, slots=True)
class MirroredArgument:
    """An argument that a header repeats: the path to it, the header's name, and its JSON type."""

    path: tuple[str, ...]
    header: str
    type: str


def mirrored(schema: Mapping[str, Any]) -> tuple[tuple[MirroredArgument, ...], list[str]]:
    """The marked arguments of a schema, and what is wrong with any of them."""
    found: dict[str, MirroredArgument] = {}
    wrong: list[str] = []
    for place, node in everywhere(schema):
        if KEYWORD not in node:
            continue
        reason = _invalid(place, node, found)
        if reason:
            wrong.append(f"{readable(place)}: {reason}")
        else:
            name = node[KEYWORD]
            found[name.lower()] = MirroredArgument(place[1::2], name, node["type"])
    return tuple(found.values()), wrong


def _invalid(place: Place, node: Mapping[str, Any], found: Mapping[str, MirroredArgument]) -> str | None:
    name = node[KEYWORD]
    if not place or any(step != "properties" for step in place[::2]):
        return "only a named property may have a header: take the marker away"
    if not isinstance(name, str) or not _TOKEN.fullmatch(name):
        return 'a header name is letters, digits and dashes: write Header("Region")'
    if name.lower() in found:
        return f"the header {name} is taken by another argument: choose another name"
    if node.get("type") not in list(_TYPES):
        return "only a string, an integer or a boolean may have a header: take the marker away"
    return None


def _without_null(schema: JsonSchema) -> JsonSchema:
    """An optional argument as its one type: a client leaves it out, rather than sending a header for null."""
    branches = [branch for branch in schema.get("anyOf", []) if branch != _NULL]
    if len(branches) != 1:
        return schema
    return {**branches[0], **{key: value for key, value in schema.items() if key != "anyOf"}}
