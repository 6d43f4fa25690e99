"""Reading the parameters of a request; what has the wrong type is refused by its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcp_server.protocol.errors import invalid_params
from mcp_server.protocol.messages import is_object


def text(params: Mapping[str, Any], key: str) -> str:
    """A string."""
    value = params.get(key)
    if not isinstance(value, str):
        raise invalid_params(f"{key} must be a string")
    return value


def texts(params: Mapping[str, Any], key: str) -> dict[str, str]:
    """An object of strings, empty where there is none."""
    values = object_(params, key, optional=True)
    if not all(isinstance(value, str) for value in values.values()):
        raise invalid_params(f"{key} must be an object of strings")
    return values


def object_(params: Mapping[str, Any], key: str, *, optional: bool = False) -> dict[str, Any]:
    """An object; empty where there is none and it is `optional`."""
    value = params.get(key)
    if value is None and optional:
        return {}
    if not is_object(value):
        raise invalid_params(f"{key} must be an object")
    return value
