"""The body of an HTTP request, read whole; how long it may be has been seen to by a guard."""

from __future__ import annotations

from starlette.types import Message, Receive


class ClientGone(Exception):  # noqa: N818 - it is what has happened
    """The client hung up while it was still sending."""


async def read_body(receive: Receive) -> bytes:
    """The whole body; raises `ClientGone`."""
    return await rest_of_body(await receive(), receive)


async def rest_of_body(message: Message, receive: Receive) -> bytes:
    """The whole body, of which this is the first that was received; raises `ClientGone`."""
    parts: list[bytes] = []
    while message["type"] == "http.request":
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)
        message = await receive()
    raise ClientGone
