"""What is wrong with arguments, in words for the model that will try again.

Each problem names a field and a rule. No value is ever repeated, since it may be a secret or an attack, nor any name
that belongs to the validator; and the text is bounded whatever was sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from typing import Final, cast, get_args

from pydantic_core import ErrorDetails, ValidationError
from pydantic_core.core_schema import ErrorType

_MOST_PROBLEMS: Final = 10
_LONGEST_NAME: Final = 60
_LONGEST_FIELD: Final = 160

_RULES: Final[dict[str, str]] = {
    "missing": "is required",
    "json_invalid": "must be valid JSON",
    "extra_forbidden": "is not a known argument",
    "none_required": "must be null",
    "string_type": "must be a string",
    "string_unicode": "must be valid Unicode",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must match the pattern {pattern}",
    "int_type": "must be an integer",
    "int_from_float": "must be an integer",
    "int_parsing": "must be an integer",
    "int_parsing_size": "must be a smaller integer",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "decimal_type": "must be a number",
    "decimal_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "multiple_of": "must be a multiple of {multiple_of}",
    "decimal_max_digits": "must have at most {max_digits} digits",
    "decimal_max_places": "must have at most {decimal_places} decimal places",
    "decimal_whole_digits": "must have at most {whole_digits} digits before the point",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "list_type": "must be an array",
    "tuple_type": "must be an array",
    "set_type": "must be an array",
    "frozen_set_type": "must be an array",
    "iterable_type": "must be an array",
    "too_short": "must have at least {min_length} items",
    "too_long": "must have at most {max_length} items",
    "dict_type": "must be an object",
    "mapping_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "dataclass_type": "must be an object",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "union_tag_invalid": "must have one of these under {discriminator}: {expected_tags}",
    "union_tag_not_found": "must have {discriminator}",
    "date_type": "must be a date such as 2026-01-31",
    "date_parsing": "must be a date such as 2026-01-31",
    "date_from_datetime_parsing": "must be a date such as 2026-01-31",
    "date_from_datetime_inexact": "must be a date without a time",
    "date_past": "must be in the past",
    "date_future": "must be in the future",
    "time_type": "must be a time such as 13:45:00",
    "time_parsing": "must be a time such as 13:45:00",
    "datetime_type": "must be a date and time such as 2026-01-31T13:45:00Z",
    "datetime_parsing": "must be a date and time such as 2026-01-31T13:45:00Z",
    "datetime_from_date_parsing": "must be a date and time such as 2026-01-31T13:45:00Z",
    "datetime_past": "must be in the past",
    "datetime_future": "must be in the future",
    "timezone_naive": "must have no time zone",
    "timezone_aware": "must have a time zone",
    "time_delta_type": "must be a duration such as PT1H30M",
    "time_delta_parsing": "must be a duration such as PT1H30M",
    "bytes_type": "must be a string",
    "bytes_too_short": "must have at least {min_length} bytes",
    "bytes_too_long": "must have at most {max_length} bytes",
    "url_type": "must be a URL",
    "url_parsing": "must be a URL",
    "url_syntax_violation": "must be a URL",
    "url_too_long": "must be a URL of at most {max_length} characters",
    "url_scheme": "must be a URL that begins with {expected_schemes}",
    "uuid_type": "must be a UUID",
    "uuid_parsing": "must be a UUID",
    "uuid_version": "must be a UUID of version {expected_version}",
}
_ALIASES: Final = {"unexpected_keyword_argument": "extra_forbidden", "missing_argument": "missing"}
_PYDANTIC_KINDS: Final = frozenset(get_args(ErrorType))
_OURS_TO_WORD: Final = frozenset({"value_error", "assertion_error"})


def explained(error: ValidationError, given: object) -> str:
    """The text for a validation error of pydantic, given what was validated."""
    return listed(problems_in(error, given))


def problems_in(error: ValidationError, given: object, under: Sequence[str | int] = ()) -> list[tuple[str, str]]:
    """The fields and rules of a validation error of pydantic; `under` is where the validated value stood."""
    found: dict[str, list[str]] = {}
    for details in error.errors(include_url=False, include_input=False):
        kind = _ALIASES.get(details["type"], details["type"])
        path = _path(details["loc"], given, named=kind == "missing")
        rules = found.setdefault(dotted((*under, *path)), [])
        rule = _rule(kind, details)
        if rule not in rules:
            rules.append(rule)
    return [(field, " or ".join(rules[:_MOST_PROBLEMS])) for field, rules in found.items()]


def listed(problems: Iterable[tuple[str, str]]) -> str:
    """One line of fields and rules, cut after ten."""
    texts = [f"{field}: {rule}" if field else f"the arguments {rule}" for field, rule in problems]
    more = [f"and {len(texts) - _MOST_PROBLEMS} more"] if len(texts) > _MOST_PROBLEMS else []
    return "Invalid arguments: " + "; ".join(texts[:_MOST_PROBLEMS] + more)


def dotted(path: Sequence[str | int]) -> str:
    """A path such as `filter.tags[3]`, with names that came from outside made harmless."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{_harmless(step)}" for step in path)
    text = text.removeprefix(".")
    return text if len(text) <= _LONGEST_FIELD else f"{text[:_LONGEST_FIELD]}…"


def non_finite(value: object) -> str | None:
    """The path to the first number that JSON cannot hold (`1e999` is read as infinity), if there is one."""
    pending: list[tuple[tuple[str | int, ...], object]] = [((), value)]
    while pending:
        path, item = pending.pop()
        if isinstance(item, float) and not isfinite(item):
            return dotted(path)
        if isinstance(item, dict):
            pending += [((*path, key), child) for key, child in cast("dict[str, object]", item).items()]
        elif isinstance(item, list):
            pending += [((*path, index), child) for index, child in enumerate(cast("list[object]", item))]
    return None


def _harmless(name: str) -> str:
    printable = "".join(letter if letter.isprintable() else "?" for letter in name[: _LONGEST_NAME + 1])
    return printable if len(name) <= _LONGEST_NAME else f"{printable[:_LONGEST_NAME]}…"


def _path(location: Sequence[str | int], given: object, *, named: bool) -> list[str | int]:
    """The path in what the caller sent; pydantic's own also holds the branch of a union it tried."""
    path: list[str | int] = []
    for step in location:
        if isinstance(given, dict) and step in given:
            given = cast("Mapping[str | int, object]", given)[step]
        elif isinstance(given, list) and isinstance(step, int) and step < len(cast("list[object]", given)):
            given = cast("list[object]", given)[step]
        else:
            continue
        path.append(step)
    return [*path, location[-1]] if named else path


def _rule(kind: str, details: ErrorDetails) -> str:
    template = _RULES.get(kind)
    if template:
        return template.format_map(details.get("ctx", {}))
    if kind in _OURS_TO_WORD:
        return "is not acceptable"  # the message of an exception may repeat the value
    return details["msg"] if _is_custom(details) else "is not valid"


def _is_custom(details: ErrorDetails) -> bool:
    """Whether an author worded this error (`PydanticCustomError`), and so meant it to be read."""
    return details["type"] not in _PYDANTIC_KINDS
