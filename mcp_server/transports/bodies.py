"""The body of an HTTP request, read whole; how long it may be has been seen to by a guard."""

from __future__ import annotations

from starlette.types import Receive


class ClientGone(Exception):  # noqa: N818 - it is what has happened
    """The client hung up while it was still sending."""


async def read_body(receive: Receive) -> bytes:
    """The whole body; raises `ClientGone`."""
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body", False):
        return message.get("body", b"")
    parts: list[bytes] = []
    while message["type"] == "http.request":
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)
        message = await receive()
    raise ClientGone
