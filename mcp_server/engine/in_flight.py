"""The unfinished calls of one client. Only a call that waits for something is in here; see `calls`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mcp_server.protocol.errors import invalid_request
from mcp_server.protocol.messages import RequestId, is_request_id

if TYPE_CHECKING:
    from mcp_server.engine.calls import Call

MAX_IN_FLIGHT: Final = 1024
"""How many calls of one client may be unfinished at once."""


class InFlight:
    """The unfinished calls of one client, by the id that the client gave them."""

    __slots__ = ("__weakref__", "_calls")

    def __init__(self) -> None:
        self._calls: dict[RequestId, Call] = {}

    def __len__(self) -> int:
        return len(self._calls)

    def admit(self, request_id: RequestId) -> None:
        """Make sure that a call with this id may begin.

        Raises:
            ProtocolError: The id belongs to a call that has not ended, or the client has too many of them.
        """
        if request_id in self._calls:
            raise invalid_request("This request id is already in flight")
        if len(self._calls) >= MAX_IN_FLIGHT:
            raise invalid_request(f"Too many requests in flight (at most {MAX_IN_FLIGHT})")

    def add(self, call: Call) -> None:
        """Remember a call that has begun to wait."""
        self._calls[call.request.id] = call

    def remove(self, call: Call) -> None:
        """Forget a call that has ended."""
        del self._calls[call.request.id]

    def cancel(self, request_id: object) -> bool:
        """Cancel the call with this id; False if there is none, as it may just have ended."""
        call = self._calls.get(request_id) if is_request_id(request_id) else None
        if call is not None:
            call.cancel()
        return call is not None

    def end_all(self) -> None:
        """Let no call go on: the client is gone, or we are."""
        for call in list(self._calls.values()):
            call.end()
