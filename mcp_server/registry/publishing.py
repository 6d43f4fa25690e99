"""From pydantic's JSON Schema to the one that is published.

Hosts stumble over `$ref`, over arrays without `items` and over titles that repeat the name, so references are written
out wherever a type does not contain itself, tuples get `items`, and generated titles are left away.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import TypeAdapter
from pydantic.errors import PydanticInvalidForJsonSchema
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode
from pydantic_core import core_schema

from mcp_server.registry.errors import RegistrationError
from mcp_server.registry.schema_walk import JsonSchema, everywhere, rebuilt

_REF: Final = "#/$defs/"
_FIRST: Final = ("type", "description", "properties", "required")


class _Untitled(GenerateJsonSchema):
    """Pydantic's generator without the titles it makes up from names."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - the name is pydantic's
        return False

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchema:
        return _untitled(super().model_schema(schema), schema["cls"])

    def dataclass_schema(self, schema: core_schema.DataclassSchema) -> JsonSchema:
        return _untitled(super().dataclass_schema(schema), schema["cls"])

    def typed_dict_schema(self, schema: core_schema.TypedDictSchema) -> JsonSchema:
        return _untitled(super().typed_dict_schema(schema), schema.get("cls"))


def _untitled(schema: JsonSchema, source: type | None) -> JsonSchema:
    if source and schema.get("title") == source.__name__:
        del schema["title"]
    return schema


def input_schema(adapter: TypeAdapter[Any]) -> JsonSchema:
    """The published schema of arguments: closed wherever the author did not open it."""
    return _ordered(rebuilt(_generated(adapter, "validation"), _closed))


def output_schema(adapter: TypeAdapter[Any]) -> JsonSchema:
    """The published schema of a result; open to fields added later, as clients cache it."""
    return _ordered(_generated(adapter, "serialization"))


def _generated(adapter: TypeAdapter[Any], mode: JsonSchemaMode) -> JsonSchema:
    try:
        schema = adapter.json_schema(schema_generator=_Untitled, mode=mode)
    except PydanticInvalidForJsonSchema as error:
        reason = str(error).partition("\n")[0]
        raise RegistrationError(
            f"{reason}: write a type that JSON has, or add `WithJsonSchema` to the annotation"
        ) from error
    return rebuilt(_written_out(schema), _with_items)


def _written_out(schema: JsonSchema) -> JsonSchema:
    """References replaced by what they stand for; only types that contain themselves stay in `$defs`."""
    definitions: dict[str, JsonSchema] = schema.pop("$defs", {})
    recursive = {name for name in definitions if name in _reachable(name, definitions)}

    def write_out(node: JsonSchema) -> JsonSchema:
        name = _target(node)
        if name is None or name in recursive:
            return node
        meaning = rebuilt(definitions[name], write_out)
        if meaning.get("title") == name:
            del meaning["title"]  # an enum is titled by pydantic in a place of its own
        return {**meaning, **{key: value for key, value in node.items() if key != "$ref"}}

    root = rebuilt(schema, write_out)
    if not recursive:
        return root
    kept = {name: rebuilt(definitions[name], write_out) for name in definitions if name in recursive}
    root_name = _target(root)
    if root_name:
        root = kept[root_name]  # hosts refuse a `$ref` at the root
    return {**root, "$defs": kept}


def _reachable(name: str, definitions: Mapping[str, JsonSchema]) -> set[str]:
    """The definitions that this one refers to, directly or not."""
    found: set[str] = set()
    pending = [name]
    while pending:
        for _, node in everywhere(definitions[pending.pop()]):
            target = _target(node)
            if target and target not in found:
                found.add(target)
                pending.append(target)
    return found


def _target(node: Mapping[str, Any]) -> str | None:
    ref = node.get("$ref")
    return ref.removeprefix(_REF) if isinstance(ref, str) else None


def _ordered(schema: JsonSchema) -> JsonSchema:
    """The same schema, with what a reader looks for first at its beginning."""
    return {key: schema[key] for key in _FIRST if key in schema} | schema


def _closed(node: JsonSchema) -> JsonSchema:
    if "properties" in node:
        node.setdefault("additionalProperties", False)
    return node


def _with_items(node: JsonSchema) -> JsonSchema:
    """A tuple's members repeated as `items`, which `maxItems` keeps from ever applying."""
    members = node.get("prefixItems")
    if members and "items" not in node and "maxItems" in node:
        distinct = [member for index, member in enumerate(members) if member not in members[:index]]
        node["items"] = distinct[0] if len(distinct) == 1 else {"anyOf": distinct}
    return node
