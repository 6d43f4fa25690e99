"""Pydantic's validators made as strict as JSON Schema is.

Three things are settled here, once for each tool, on the core schema that pydantic built:

* Strictness reaches nested models. They do not inherit the configuration of what holds them, and the switch at the
  call would also overrule an author who opened a model on purpose; so each model that says nothing gets ours.
* A literal or an enum of integers refuses `true` and `1.0`, which Python holds equal to `1`.
* JSON has no dates, tuples, sets or models. A type that needs one is validated from JSON text, where a string may be a
  date and a list a tuple; every other type from the parsed values, which is faster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, TypeAlias, cast

from pydantic import ConfigDict
from pydantic_core import PydanticKnownError, SchemaValidator, core_schema

Node: TypeAlias = dict[str, Any]

STRICT: Final = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, hide_input_in_errors=True)
"""For the types that the registry makes itself."""

_CORE_CONFIG: Final = core_schema.CoreConfig(
    allow_inf_nan=False, extra_fields_behavior="forbid", hide_input_in_errors=True, strict=True
)
_CONFIGURED: Final = frozenset({"dataclass", "model", "typed-dict"})
_SAFE_IN_PYTHON: Final = frozenset(
    {
        "any", "bool", "default", "definition-ref", "definitions", "dict", "float", "function-after",
        "function-before", "function-plain", "function-wrap", "int", "list", "literal", "none", "nullable", "str",
        "tagged-union", "typed-dict", "typed-dict-field", "union",
    }
)  # fmt: skip
_PLAIN: Final = frozenset({"bool", "dict", "float", "int", "list", "none", "nullable", "str"})


@dataclass(frozen=True, slots=True)
class StrictValidator:
    """A strict validator, and from what it validates; `open` says that some part takes any value at all."""

    validator: SchemaValidator
    from_json: bool
    open: bool


def strict(schema: core_schema.CoreSchema) -> StrictValidator:
    """Make the validator of a core schema strict throughout."""
    tight = _tightened(cast("Node", schema))
    nodes = list(_nodes(tight))
    kinds = {node["type"] for node in nodes}
    return StrictValidator(
        # pydantic would otherwise take a model's own validator, which knows nothing of what was tightened
        SchemaValidator(cast("core_schema.CoreSchema", tight), _CORE_CONFIG, _use_prebuilt=False),
        from_json=not kinds <= _SAFE_IN_PYTHON or any(map(_has_other_keys, nodes)),
        open="any" in kinds,
    )


def is_checked_throughout(schema: core_schema.CoreSchema) -> bool:
    """Whether a validated value is new or plain in every part, so that nothing in it was taken at its word."""
    return {node["type"] for node in _nodes(cast("Node", schema))} <= _PLAIN


def _has_other_keys(node: Node) -> bool:
    """Whether this is a dictionary whose keys are not plain strings, as all keys of JSON are."""
    return node["type"] == "dict" and node.get("keys_schema", {"type": "any"})["type"] not in {"any", "str"}


def _tightened(node: Node) -> Node:
    node = {key: _each(key, value, _tightened) for key, value in node.items()}
    if node["type"] in _CONFIGURED:
        node["config"] = {**_CORE_CONFIG, **(node.get("config") or {})}
    if node["type"] in {"literal", "enum"}:
        return _exact(node)
    return node


def _exact(node: Node) -> Node:
    expected = node.get("expected") or [member.value for member in node["members"]]
    numbers = {(type(value), value) for value in map(_plain, expected) if isinstance(value, int)}
    if not numbers:
        return node
    text = " or ".join(repr(_plain(value)) for value in expected)

    def refuse_lookalikes(value: object) -> object:
        if isinstance(value, int | float) and not isinstance(value, Enum) and (type(value), value) not in numbers:
            raise PydanticKnownError("literal_error", {"expected": text})
        return value

    return cast(
        "Node",
        core_schema.no_info_before_validator_function(
            refuse_lookalikes, cast("core_schema.CoreSchema", node), ref=node.pop("ref", None)
        ),
    )


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value


def _nodes(node: Node) -> Iterator[Node]:
    yield node
    found: list[Node] = []
    for key, value in node.items():
        _each(key, value, lambda child: found.append(child) or child)
    for child in found:
        yield from _nodes(child)


def _each(key: str, value: Any, change: Callable[[Node], Node]) -> Any:
    """What a core schema holds under a key, with the schemas in it changed."""
    if key.endswith("schema") and isinstance(value, dict):
        return change(cast("Node", value))
    if key in {"fields", "choices"} and isinstance(value, dict):
        fields = cast("Mapping[str, Any]", value)
        return {name: _member(child, change) for name, child in fields.items()}
    if (key.endswith("schema") or key in {"fields", "choices", "definitions", "steps"}) and isinstance(value, list):
        return [_member(item, change) for item in cast("list[Any]", value)]
    return value


def _member(item: Any, change: Callable[[Node], Node]) -> Any:
    if isinstance(item, tuple):  # a choice of a union, with its label
        choice, label = cast("tuple[Node, str]", item)
        return change(choice), label
    return change(cast("Node", item)) if isinstance(item, dict) else item
