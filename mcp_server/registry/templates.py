"""RFC 6570 templates, read in both directions: a URI from values, and values from a URI.

Understood are `{a}`, `{a,b}`, `{+a}`, `{#a}`, `{.a}`, `{/a,b}`, `{/a*}`, `{?a,b}` and `{&a,b}`. In a URI that is
matched, query variables may be missing and all others may not; each value is decoded once. A value of `{a}` holds no
`/` as it is written, but `%2F` decodes to one: code that uses values as paths has to check them.

A template becomes a row of literals and slots. Matching takes time linear in the length of the URI, because no two
slots compete for the same text: literals part them, a literal between two slots of one segment is taken where it first
occurs and never tried again, and one slot at most crosses segments.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, TypeAlias
from urllib.parse import quote, unquote_to_bytes

from mcp_server.registry.errors import RegistrationError

_LONGEST_URI: Final = 8192
_EXPRESSION: Final = re.compile(r"\{([+#./?&]?)([^{}]*)\}")
_VARIABLE: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(\*?)")
_RESERVED: Final = ":/?#[]@!$&'()*+,;="
_SEGMENT_END: Final = re.compile(r"[/?#]")


@dataclass(frozen=True, slots=True)
class _Expression:
    operator: str
    names: tuple[str, ...]
    exploded: bool

    @property
    def first(self) -> str:
        return "" if self.operator in {"", "+"} else self.operator

    @property
    def separator(self) -> str:
        return {"": ",", "?": "&"}.get(self.operator, self.operator)

    @property
    def safe(self) -> str:
        """What is not encoded in its values."""
        return _RESERVED if self.operator in {"+", "#"} else "/" if self.exploded else ""

    @property
    def in_query(self) -> bool:
        return self.operator in {"?", "&"}

    def expand(self, values: Mapping[str, str]) -> str:
        texts = [
            (f"{name}=" if self.in_query else "") + quote(values[name], safe=self.safe)
            for name in self.names
            if name in values
        ]
        return self.first + self.separator.join(texts) if texts else ""


@dataclass(frozen=True, slots=True)
class _Slot:
    """A stretch of a URI that one variable takes; that of a query takes all its names."""

    names: tuple[str, ...]
    kind: str  # "segment", "crossing", "?" or "&"


_Part: TypeAlias = str | _Expression
_Token: TypeAlias = str | _Slot


class Template:
    """A URI template; raises `RegistrationError` if it cannot be read, or not be matched without guessing."""

    __slots__ = ("_parts", "_pattern", "_slots", "optional", "text", "variables")

    def __init__(self, text: str) -> None:
        self.text: Final = text
        self._parts = tuple(_parts(text))
        expressions = [part for part in self._parts if isinstance(part, _Expression)]
        self.variables: Final = tuple(name for expression in expressions for name in expression.names)
        self.optional: Final = frozenset(name for each in expressions if each.in_query for name in each.names)
        if len(set(self.variables)) < len(self.variables):
            raise _unusable(text, "a name occurs twice")
        tokens = _tokens(self._parts)
        _refuse_guessing(text, tokens)
        self._slots = [token for token in tokens if isinstance(token, _Slot)]
        self._pattern = re.compile(_pattern(tokens))

    def match(self, uri: str) -> dict[str, str] | None:
        """The decoded values in a URI, or `None` if it is not of this template."""
        found = self._pattern.fullmatch(uri) if len(uri) <= _LONGEST_URI else None
        if not found:
            return None
        raw: dict[str, str] = {}
        for slot, text in zip(self._slots, found.groups(), strict=True):
            values = {slot.names[0]: text} if slot.kind in {"segment", "crossing"} else _pairs(text, slot.names)
            if values is None:
                return None
            raw |= values
        return _decoded(raw)

    def expand(self, values: Mapping[str, str]) -> str:
        """The URI for these values; what has no value is left out."""
        return "".join(part if isinstance(part, str) else part.expand(values) for part in self._parts)

    def __repr__(self) -> str:
        return f"Template({self.text!r})"


def is_template(uri: str) -> bool:
    """Whether a URI has variables."""
    return "{" in uri


def _parts(text: str) -> Iterator[_Part]:
    end = 0
    for expression in _EXPRESSION.finditer(text):
        yield _literal(text, text[end : expression.start()])
        yield _expression(text, expression[1], expression[2])
        end = expression.end()
    yield _literal(text, text[end:])


def _literal(text: str, literal: str) -> str:
    if "{" in literal or "}" in literal:
        raise _unusable(text, "a brace has no partner")
    return literal


def _expression(text: str, operator: str, inside: str) -> _Expression:
    variables = [_VARIABLE.fullmatch(variable) for variable in inside.split(",")]
    known = [variable for variable in variables if variable]
    if len(known) < len(variables):
        raise _unusable(text, f"`{{{operator}{inside}}}` is not understood: write names such as `{{item_id}}`")
    exploded = any(variable[2] for variable in known)
    if exploded and operator != "/":
        raise _unusable(text, "`*` is understood in `{/path*}` alone")
    if len(known) > 1 and (exploded or operator in {"+", "#"}):
        raise _unusable(text, f"`{{{operator}{inside}}}` cannot be told apart again: use one name")
    return _Expression(operator, tuple(variable[1] for variable in known), exploded)


def _tokens(parts: Sequence[_Part]) -> list[_Token]:
    """The parts as they lie in a URI, with literals that touch joined."""
    tokens: list[_Token] = []
    for part in parts:
        for token in _laid_out(part):
            if isinstance(token, str) and tokens and isinstance(last := tokens[-1], str):
                tokens[-1] = last + token
            elif token:
                tokens.append(token)
    return tokens


def _laid_out(part: _Part) -> Iterator[_Token]:
    if isinstance(part, str):
        yield part
    elif part.in_query:
        yield _Slot(part.names, part.operator)
    else:
        kind = "crossing" if part.safe else "segment"
        for index, name in enumerate(part.names):
            yield part.separator if index else part.first
            yield _Slot((name,), kind)


def _refuse_guessing(text: str, tokens: Sequence[_Token]) -> None:
    slots = [token for token in tokens if isinstance(token, _Slot)]
    if sum(slot.kind == "crossing" for slot in slots) > 1:
        raise _unusable(text, "one variable at most may hold several segments")
    for slot, following in pairwise(tokens):
        if isinstance(slot, str):
            continue
        begins = following[0] if isinstance(following, str) else following.kind
        if slot.kind in {"?", "&"} and begins != "#":
            raise _unusable(text, "the query has to come last, with all its names in one `{?a,b}`")
        if slot.kind == "crossing" and begins not in {"/", "?", "#"}:
            raise _unusable(text, "a variable of several segments has to be followed by `/`, `?`, `#` or nothing")
        if begins in {"segment", "crossing"}:
            raise _unusable(text, "two variables touch: put a literal between them")


def _pattern(tokens: Sequence[_Token]) -> str:
    pattern: list[str] = []
    for index, token in enumerate(tokens):
        if isinstance(token, str):
            pattern.append(re.escape(token))
        elif token.kind == "crossing":
            pattern.append(r"((?s:.)+)" if index == len(tokens) - 1 else r"([^?#]+)")
        elif token.kind != "segment":
            pattern.append(rf"((?:{re.escape(token.kind)}[^#]*)?)")
        elif _shares_segment(tokens[index + 1 : index + 3]):
            # `(?>` keeps what was found first: the literal after this slot is not looked for again
            pattern.append(rf"(?>([^/?#]+?)(?={re.escape(str(tokens[index + 1]))}))")
        else:
            ends_at_query = index + 1 < len(tokens) and isinstance(tokens[index + 1], _Slot)
            pattern.append(r"([^/?#&]+)" if ends_at_query else r"([^/?#]+)")
    return "".join(pattern)


def _shares_segment(following: Sequence[_Token]) -> bool:
    """Whether a literal and another slot follow in the same segment."""
    match following:
        case [str(literal), _Slot(kind="segment" | "crossing")]:
            return not _SEGMENT_END.search(literal)
        case _:
            return False


def _pairs(raw: str, names: Sequence[str]) -> dict[str, str] | None:
    """The pairs of a query, or `None` if one is unknown or said twice."""
    pairs: dict[str, str] = {}
    for pair in filter(None, raw[1:].split("&")):
        name, _, value = pair.partition("=")
        if name not in names or name in pairs:
            return None
        pairs[name] = value
    return pairs


def _decoded(raw: Mapping[str, str]) -> dict[str, str] | None:
    try:
        values = {name: unquote_to_bytes(text).decode("utf-8") for name, text in raw.items()}
    except UnicodeError:
        return None
    return None if any("\0" in value for value in values.values()) else values


def _unusable(text: str, reason: str) -> RegistrationError:
    return RegistrationError(f"{text!r} is no usable URI template: {reason}")
