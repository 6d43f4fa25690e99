"""Completions: who knows them, and the answer they make. Calling an asynchronous one is for others."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from mcp_server.registry.errors import OutputMismatch, RegistrationError
from mcp_server.registry.listing import without_none

MOST_VALUES: Final = 100
"""The protocol's limit for one answer."""


@dataclass(frozen=True, slots=True)
class Completion:
    """Suggestions, at best first; `total` counts those there are, as far as it is known."""

    values: Sequence[str]
    total: int | None = None
    has_more: bool | None = None

    def listing(self) -> dict[str, Any]:
        """The answer's `completion`, cut to what the protocol allows."""
        cut = len(self.values) > MOST_VALUES
        return without_none(
            {
                "values": list(self.values[:MOST_VALUES]),
                "total": len(self.values) if cut and self.total is None else self.total,
                "hasMore": True if cut else self.has_more,
            }
        )


@dataclass(frozen=True, slots=True)
class Completer:
    """A function that completes one argument; it takes the value so far and, if it wants it, the other arguments."""

    function: Callable[..., Any]
    is_async: bool
    wants_context: bool

    def arguments(self, value: str, context: Mapping[str, str]) -> tuple[Any, ...]:
        """The positional arguments of the call."""
        return (value, dict(context)) if self.wants_context else (value,)

    def result(self, value: Any) -> dict[str, Any]:
        """The answer's `completion` for what the function returned; raises `OutputMismatch`."""
        if isinstance(value, Completion):
            return value.listing()
        if value is None:
            return Completion(()).listing()
        if isinstance(value, list | tuple):
            values = cast("Sequence[Any]", value)
            if all(isinstance(each, str) for each in values):
                return Completion(values).listing()
        raise OutputMismatch(f"a completer returns a list of strings or a Completion, not {value!r:.100}")


def completer_from(function: Callable[..., Any]) -> Completer:
    """A completer from `f(value)` or `f(value, context)`; raises `RegistrationError` for another shape."""
    parameters = inspect.signature(function).parameters.values()
    positional = [each for each in parameters if each.kind in {each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD}]
    needed = [each for each in parameters if each.default is each.empty and each.kind is not each.VAR_POSITIONAL]
    if not 1 <= len(positional) <= 2 or any(each not in positional for each in needed):  # noqa: PLR2004
        raise RegistrationError("a completer takes the value so far: write `def complete(value: str) -> list[str]`")
    is_async = inspect.iscoroutinefunction(function)
    return Completer(function, is_async, wants_context=len(positional) == 2)  # noqa: PLR2004


def completer_of(choices: Iterable[str]) -> Completer:
    """A completer for a fixed set, by prefix and without regard to case."""
    texts = tuple(choices)

    def complete(value: str) -> list[str]:
        prefix = value.casefold()
        return [choice for choice in texts if choice.casefold().startswith(prefix)]

    return Completer(complete, is_async=False, wants_context=False)
