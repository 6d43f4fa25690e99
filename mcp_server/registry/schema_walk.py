"""Where schemas sit inside a JSON Schema 2020-12 document.

Walking by keyword, rather than through every dictionary, keeps data (`default`, `examples`, `const`, `enum`) and
properties that happen to be called like keywords from being mistaken for schemas.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias, cast

JsonSchema: TypeAlias = dict[str, Any]
Place: TypeAlias = tuple[str, ...]

_ONE: Final = frozenset(
    {
        "additionalProperties", "contains", "contentSchema", "else", "if", "items", "not", "propertyNames", "then",
        "unevaluatedItems", "unevaluatedProperties",
    }
)  # fmt: skip
_LIST: Final = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_MAPPING: Final = frozenset({"$defs", "definitions", "dependentSchemas", "patternProperties", "properties"})


def children(schema: Mapping[str, Any]) -> Iterator[tuple[Place, JsonSchema]]:
    """The schemas directly inside this one, each with the keys that lead to it."""
    for keyword, value in schema.items():
        if keyword in _ONE and isinstance(value, dict):
            yield (keyword,), cast("JsonSchema", value)
        elif keyword in _LIST and isinstance(value, list):
            for index, item in enumerate(cast("list[Any]", value)):
                if isinstance(item, dict):
                    yield (keyword, str(index)), cast("JsonSchema", item)
        elif keyword in _MAPPING and isinstance(value, dict):
            for name, item in cast("dict[str, Any]", value).items():
                if isinstance(item, dict):
                    yield (keyword, name), cast("JsonSchema", item)


def everywhere(schema: Mapping[str, Any], place: Place = ()) -> Iterator[tuple[Place, Mapping[str, Any]]]:
    """This schema and all schemas inside it, in the order they are written."""
    yield place, schema
    for step, child in children(schema):
        yield from everywhere(child, place + step)


def rebuilt(schema: Mapping[str, Any], change: Callable[[JsonSchema], JsonSchema]) -> JsonSchema:
    """A copy in which `change` was applied to every schema, the inner ones first."""

    def again(value: Any) -> Any:
        return rebuilt(cast("JsonSchema", value), change) if isinstance(value, dict) else value

    copy: JsonSchema = {}
    for keyword, value in schema.items():
        if keyword in _ONE:
            copy[keyword] = again(value)
        elif keyword in _LIST:
            copy[keyword] = [again(item) for item in value]
        elif keyword in _MAPPING:
            copy[keyword] = {name: again(item) for name, item in value.items()}
        else:
            copy[keyword] = value
    return change(copy)


def readable(place: Place) -> str:
    """A place in the words of a caller: `filter.tags[]`; the root is `the root`."""
    words: list[str] = []
    steps = iter(place)
    for step in steps:
        if step in _MAPPING:
            words.append(f".{next(steps, '')}")
        elif step in _LIST:
            next(steps, None)
        elif step == "items":
            words.append("[]")
    return "".join(words).lstrip(".") or "the root"
