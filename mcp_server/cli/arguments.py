"""From the words `name=value` and `name:=json` to a tool's arguments, with the tool's schema to tell what is meant."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, NoReturn

from mcp_server.cli.problem import Misuse
from mcp_server.cli.schemas import Argument, arguments_of, kind_of

_WORD: Final = re.compile(r"(?P<name>[^=:\s]+)(?P<sign>:?=)(?P<value>.*)", re.DOTALL)
_EXAMPLE: Final = {
    "integer": "5",
    "number": "0.5",
    "boolean": "true",
    "array": '["a","b"]',
    "object": '{"a":1}',
    "null": "null",
}
_ARTICLE: Final = {"integer": "an integer", "array": "an array", "object": "an object"}


def is_argument(word: str) -> bool:
    """Whether a word is meant as an argument, and not as anything else such as a URL."""
    return _WORD.fullmatch(word) is not None


def arguments_from(words: Iterable[str], schema: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that the words give; raises `Problem` for a value that is not of its kind.

    A value is a string unless the schema says otherwise: then it is JSON. After `:=` it is always JSON.
    """
    known = {argument.name: argument for argument in arguments_of(schema)}
    found: dict[str, Any] = {}
    for word in words:
        matched = _WORD.fullmatch(word)
        if matched is None:
            raise Misuse(f"{word!r} is no argument", "Write name=value, or name:=json.")
        name, sign, value = matched["name"], matched["sign"], matched["value"]
        if name in found:
            raise Misuse(f"{name} is given twice", "Give each argument once.")
        found[name] = _raw(name, value) if sign == ":=" else _typed(value, known.get(name), name)
    return found


def json_object(text: str, source: str) -> dict[str, Any]:
    """A whole set of arguments, written as JSON; raises `Problem`."""
    try:
        value = _parsed(text)
    except ValueError as error:
        raise Misuse(f"{source} is not JSON: {error}", 'Write an object, as in {"a": 1}.') from None
    if not isinstance(value, dict):
        raise Misuse(f"{source} holds no JSON object", 'Write an object, as in {"a": 1}.')
    return {**value}


def _typed(value: str, argument: Argument | None, name: str) -> object:
    if argument is None or not argument.kinds or "string" in argument.kinds:
        return value
    try:
        parsed = _parsed(value)
    except ValueError:
        _wrong(name, value, argument)
    kind = kind_of(parsed)
    if kind in argument.kinds or (kind == "integer" and "number" in argument.kinds):
        return parsed
    return _wrong(name, value, argument)


def _raw(name: str, value: str) -> object:
    try:
        return _parsed(value)
    except ValueError:
        todo = f"After := stands JSON: write '{name}:={json.dumps(value)}' for a string."
        raise Misuse(f"{name}:={value} is not JSON", todo) from None


def _wrong(name: str, value: str, argument: Argument) -> NoReturn:
    kinds = " or ".join(_ARTICLE.get(kind, f"a {kind}") for kind in argument.kinds)
    example = _EXAMPLE.get(argument.kinds[0], "null")
    raise Misuse(f"{name}={value}: {name} is {kinds}", f"Write it as in '{name}={example}'.")


def _parsed(text: str) -> object:
    return json.loads(text, parse_constant=_no_constant)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
