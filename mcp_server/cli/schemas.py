"""Reads an input schema for people: which arguments there are, of which kinds, and the smallest that would do.

Schemas come from any server, so nothing is assumed of them but that they are JSON.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

_ENOUGH: Final = 20
_LARGE: Final = 1000
_KIND: Final[dict[type, str]] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    list: "array",
    dict: "object",
    type(None): "null",
}


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a tool; `kinds` is empty where the schema does not say."""

    name: str
    kinds: tuple[str, ...]
    required: bool
    schema: Mapping[str, Any]

    @property
    def default(self) -> object:
        """What it is when it is not given, or None."""
        return self.schema.get("default")

    @property
    def description(self) -> str:
        """What it means, on one line."""
        return " ".join(str(self.schema.get("description", "")).split())

    @property
    def brief(self) -> str:
        """The argument in a signature: `query`, `limit=10`, `cursor?`."""
        if self.required:
            return self.name
        return f"{self.name}?" if self.default is None else f"{self.name}={self.default}"


class NothingFits(Exception):  # noqa: N818 - it is what the caller needs to know
    """No value can be made up for a schema."""


def arguments_of(schema: Mapping[str, Any]) -> list[Argument]:
    """The arguments that an input schema names, in its order."""
    required = _list(schema.get("required"))
    return [
        Argument(name, tuple(dict.fromkeys(_kinds(node, schema))), name in required, _object(node))
        for name, node in _object(schema.get("properties")).items()
    ]


def kind_of(value: object) -> str:
    """What JSON calls a value's type."""
    return _KIND[type(value)]


def rules_of(schema: Mapping[str, Any]) -> str:
    """The bounds of a value, in a few words; those of the value beside null where there is a choice."""
    node = {**_beside_null(schema), **schema}
    found: list[str] = []
    for low, high, unit in (
        ("minimum", "maximum", ""),
        ("minLength", "maxLength", " characters"),
        ("minItems", "maxItems", " items"),
    ):
        if low in node or high in node:
            found.append(f"{node.get(low, '')}..{node.get(high, '')}{unit}")
    if "enum" in node:
        found.append("one of " + ", ".join(map(str, _list(node["enum"]))))
    found += [f"{key} {node[key]}" for key in ("pattern", "format") if key in node]
    return "; ".join(found)


def smallest_arguments(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments that a schema ought to accept, as few and as small as it allows; raises `NothingFits`."""
    return cast("dict[str, Any]", _smallest({**schema, "type": "object"}, schema, _ENOUGH))


def _smallest(node: Mapping[str, Any], root: Mapping[str, Any], patience: int) -> object:
    if patience == 0:
        raise NothingFits
    node = _resolved(node, root)
    for key in ("default", "const"):
        if key in node:
            return node[key]
    for key in ("examples", "enum"):
        if choices := _list(node.get(key)):
            return choices[0]
    if alternatives := _list(node.get("anyOf")) or _list(node.get("oneOf")):
        return _smallest(_object(alternatives[0]), root, patience - 1)
    return _smallest_of_kind(next(_kinds(node, root), ""), node, root, patience)


def _smallest_of_kind(kind: str, node: Mapping[str, Any], root: Mapping[str, Any], patience: int) -> object:
    match kind:
        case "string" if "pattern" not in node and "format" not in node:
            return "a" * max(1, _size(node, "minLength"))
        case "integer" | "number":
            return node.get("minimum", node.get("exclusiveMinimum", min(0, node.get("maximum", 0)) - 1) + 1)
        case "boolean":
            return False
        case "null":
            return None
        case "array":
            items = _object(node.get("items"))
            return [_smallest(items, root, patience - 1) for _ in range(_size(node, "minItems"))]
        case "object":
            properties = _object(node.get("properties"))
            names = [str(name) for name in _list(node.get("required"))]
            return {name: _smallest(_object(properties.get(name)), root, patience - 1) for name in names}
        case _:
            raise NothingFits


def _size(node: Mapping[str, Any], rule: str) -> int:
    size = node.get(rule, 0)
    if not isinstance(size, int) or size > _LARGE:
        raise NothingFits
    return size


def _kinds(node: object, root: Mapping[str, Any]) -> Iterator[str]:
    schema = _resolved(_object(node), root)
    stated = schema.get("type")
    if isinstance(stated, str):
        yield stated
    elif stated is not None:
        yield from map(str, _list(stated))
    elif "const" in schema:
        yield kind_of(schema["const"])
    elif "enum" in schema:
        yield from map(kind_of, _list(schema["enum"]))
    else:
        for alternative in [*_list(schema.get("anyOf")), *_list(schema.get("oneOf"))]:
            # An alternative that points back to where we are would never end, so one step of pointing is enough.
            yield from _kinds({**_resolved(_object(alternative), root), "anyOf": [], "oneOf": []}, root)


def _resolved(node: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema that a `$ref` within the same schema points to, with what stands beside the pointer."""
    for _ in range(_ENOUGH):
        pointer = node.get("$ref")
        if not isinstance(pointer, str):
            return node
        found: object = root
        for step in pointer.removeprefix("#/").split("/"):
            found = _object(found).get(step)
        node = {**_object(found), **{key: value for key, value in node.items() if key != "$ref"}}
    return {}


def _beside_null(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    for alternative in map(_object, _list(schema.get("anyOf"))):
        if alternative.get("type") != "null":
            return alternative
    return {}


def _object(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []
