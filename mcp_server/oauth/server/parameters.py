"""What a request says, in a query or in a form: read once, strictly, and within bounds.

A parameter without a value counts as absent, and one that is there twice as a fault (RFC 6749, 3.1), but for
`resource`, of which there may be several (RFC 8707).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request

from mcp_server.oauth.server.faults import Fault

LARGEST: Final = 64 * 1024
"""Bytes; the longest honest request has an assertion of a few thousand."""
_MOST: Final = 64
_SEVERAL: Final = frozenset({"resource"})


class Parameters:
    """The parameters of one request."""

    __slots__ = ("_repeated", "_values")

    def __init__(self, values: Mapping[str, list[str]]) -> None:
        self._values = values
        self._repeated = {name for name, found in values.items() if len(found) > 1 and name not in _SEVERAL}

    def get(self, name: str) -> str | None:
        """The value of a parameter; None if it is absent, or there twice."""
        found = self._values.get(name)
        return found[0] if found and name not in self._repeated else None

    def need(self, name: str) -> str:
        """The value of a parameter that has to be there.

        Raises:
            Fault: It is not.
        """
        value = self.get(name)
        if value is None:
            raise Fault("invalid_request", f"The parameter {name} is missing.")
        return value

    def all(self, name: str) -> list[str]:
        """All values of a parameter."""
        return self._values.get(name, [])

    def check(self) -> None:
        """Refuse parameters that are there twice.

        Raises:
            Fault: One is.
        """
        if self._repeated:
            raise Fault("invalid_request", "A parameter is there twice.")


def parsed(text: str) -> Parameters:
    """The parameters in a query or in a form.

    Raises:
        Fault: There are too many, or they are not text.
    """
    try:
        pairs = parse_qsl(text, keep_blank_values=False, max_num_fields=_MOST, errors="strict")
    except ValueError:
        raise Fault("invalid_request", "The parameters cannot be read.") from None
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    return Parameters(values)


async def body_of(request: Request, media_type: str, largest: int = LARGEST) -> bytes:
    """The body of a request, read no further than it may be long.

    Raises:
        Fault: It is too long, or something else.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != media_type:
        raise Fault("invalid_request", f"The body has to be {media_type}.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > largest:
            raise Fault("invalid_request", "The body is too long.", 413)
    return bytes(body)


async def form_of(request: Request) -> Parameters:
    """The form that a request brings; not what is in its query, which logs may keep.

    Raises:
        Fault: It is no form.
    """
    body = await body_of(request, "application/x-www-form-urlencoded")
    try:
        return parsed(body.decode())
    except UnicodeDecodeError:
        raise Fault("invalid_request", "The parameters cannot be read.") from None


def query_of(request: Request) -> Parameters:
    """What the query of a request says.

    Raises:
        Fault: It cannot be read.
    """
    return parsed(request.url.query)
