"""The two cookies: which browser it is, and which session.

Over https they are `__Host-` cookies: no other host, not even a sub-domain, and no page over http can set them, and
only these names are read. Over http, which is served on this machine alone, browsers take no such names; whatever
else runs on this machine under the same host name can set those.

A name that comes twice has been tampered with, and counts as not sent.
"""

from __future__ import annotations

import re
from typing import Final

from starlette.requests import Request

_VALUE: Final = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


class Cookie:
    """One cookie: how it is read and how it is set."""

    def __init__(self, name: str, *, secure: bool) -> None:
        self.name = f"__Host-{name}" if secure else name
        self._attributes = f"Path=/; HttpOnly; SameSite=Lax{'; Secure' if secure else ''}"

    def read(self, request: Request) -> str | None:
        """What the browser sent, if it can be something of ours."""
        pairs = (
            pair.strip().partition("=") for header in request.headers.getlist("cookie") for pair in header.split(";")
        )
        values = [value for name, _, value in pairs if name == self.name]
        return values[0] if len(values) == 1 and _VALUE.fullmatch(values[0]) else None

    def set(self, value: str, lifetime: int | None = None) -> str:
        """The header that sets it, for as long as the browser runs or for so many seconds."""
        span = "" if lifetime is None else f"Max-Age={lifetime}; "
        return f"{self.name}={value}; {span}{self._attributes}"

    def clear(self) -> str:
        """The header that removes it."""
        return self.set("", 0)
