"""What real hosts refuse, and what a careful author bounds.

Refusals stop a registration, because the tool would be invisible or unusable in some host. The lint only advises,
unless a server makes it an error. The texts say what to write.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from mcp_server.registry.schema_walk import everywhere, readable

_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_NOT_AT_ROOT: Final = frozenset({"$ref", "allOf", "anyOf", "enum", "not", "oneOf"})
_BOUNDED_BY_VALUE: Final = frozenset({"const", "enum"})
_BOUNDED_TEXT: Final = frozenset({"const", "enum", "format", "maxLength", "pattern"})


def refusals(name: str, schema: Mapping[str, Any], *, verbatim: bool = False) -> list[str]:
    """Why hosts refuse a tool of this name and input schema; one that is `verbatim` may compose its root."""
    found: list[str] = []
    if not _NAME.fullmatch(name):
        found.append(f"{name!r} is no name for a tool: give `name=` 1 to 128 of the characters A-Z a-z 0-9 _ . -")
    if schema.get("type") != "object":
        found.append('hosts refuse a schema that is no object: write `"type": "object"` at the root')
    if not verbatim:
        found += [
            f"hosts refuse `{keyword}` at the root: move it into a property" for keyword in _NOT_AT_ROOT & schema.keys()
        ]
        found += _arrays_without_items(schema)
    return found


def _arrays_without_items(schema: Mapping[str, Any]) -> Iterator[str]:
    for place, node in everywhere(schema):
        if node.get("type") == "array" and "items" not in node:
            yield f"{readable(place)}: hosts refuse an array without `items`: write `list[str]`, or what it holds"


def lint(schema: Mapping[str, Any]) -> list[str]:
    """Where an input schema lets a caller send any amount, and which arguments are not described."""
    found: list[str] = []
    for place, node in everywhere(schema):
        found += [f"{readable(place)}: {advice}" for advice in _unbounded(node)]
        if len(place) == 2 and place[0] == "properties" and not _is_described(node):  # noqa: PLR2004 - an argument
            found.append(f"{readable(place)}: describe it, in the docstring or with Field(description=...)")
    return found


def lint_uri(uri: str) -> list[str]:
    """What would mislead a client about the URI of a resource, or of many."""
    if uri.lower().startswith(("http:", "https:")):
        return ["clients take a URI of the web for something that they may fetch there: choose a scheme of your own"]
    return []


def _unbounded(node: Mapping[str, Any]) -> Iterator[str]:
    kind = node.get("type")
    if kind in {"integer", "number"} and not (_BOUNDED_BY_VALUE & node.keys() or _has_both_ends(node)):
        yield "give the number bounds, with Field(ge=..., le=...)"
    if kind == "string" and not _BOUNDED_TEXT & node.keys():
        yield "give the string a length, with Field(max_length=...)"
    if kind == "array" and not {"maxItems", *_BOUNDED_BY_VALUE} & node.keys():
        yield "give the array a length, with Field(max_length=...)"
    if kind == "array" and "items" not in node:
        yield "say what the array holds, with `items`"


def _has_both_ends(node: Mapping[str, Any]) -> bool:
    return bool({"minimum", "exclusiveMinimum"} & node.keys() and {"maximum", "exclusiveMaximum"} & node.keys())


def _is_described(node: Mapping[str, Any]) -> bool:
    return bool(node.get("description"))
