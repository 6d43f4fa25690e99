"""What an extension of the protocol is to a server, and what makes one fit to be served.

Anything with these three members is an extension, wherever it is written; nothing has to be inherited from. It is
given to `Server.extend`, and from then on clients of every version are told of it and may call its methods.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Container, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from mcp_server.engine.engine import METHODS
from mcp_server.registry import RegistrationError

if TYPE_CHECKING:
    from mcp_server.context import Context

Method: TypeAlias = "Callable[[Mapping[str, Any], Context], Awaitable[Mapping[str, Any]]]"
"""Answers one method: it is given the parameters of the request, and the call, and returns the result."""


class Extension(Protocol):
    """An extension of the protocol: what it is called, what clients are told of it, and the methods that it adds."""

    @property
    def identifier(self) -> str:
        """Its name, with the prefix of whoever defines it: `com.example/clock`."""
        ...

    @property
    def settings(self) -> Mapping[str, Any]:
        """What clients are told under its name; often nothing, which is `{}`."""
        ...

    @property
    def methods(self) -> Mapping[str, Method]:
        """What it answers, by method: `clock/read`. They exist in every version, also after an old handshake.

        What a method raises is masked as it is in a tool: a `ToolError` or a `ProtocolError` reaches the caller,
        everything else is logged.
        """
        ...


def check_identifier(identifier: str) -> None:
    """Raise `RegistrationError` for a name without a prefix, which two people could come upon."""
    if "/" not in identifier.strip("/"):
        raise RegistrationError(f"an extension has a prefix: write com.example/{identifier}, not {identifier!r}")


def check_methods(methods: Mapping[str, Method], taken: Container[str]) -> None:
    """Raise `RegistrationError` for a method that could not be called, or is somebody else's."""
    for name, answer in methods.items():
        if "/" not in name.strip("/") or name.startswith("notifications/"):
            raise RegistrationError(f"a method of an extension has a prefix of its own: write clock/read, not {name!r}")
        if name in METHODS or name in taken:
            raise RegistrationError(f"the method {name!r} exists already")
        if not _is_async(answer):
            raise RegistrationError(f"the method {name!r} has to be answered by an `async def` function")


def _is_async(answer: Any) -> bool:
    return inspect.iscoroutinefunction(answer) or inspect.iscoroutinefunction(getattr(answer, "__call__", None))  # noqa: B004 - it is asked whether the call is a coroutine
