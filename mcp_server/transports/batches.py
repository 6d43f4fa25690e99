"""Arrays of messages in one POST, which only 2025-03-26 has.

Each message is answered for itself, all of them at once, and the answers go out together. A call whose deadline strikes
has its answer then, while its code may still be winding down; the others do not wait for that.

There is one status for all of them. If the token was not enough for anything that was asked, that is 403, and the
client may ask again for everything. If something was done it is 200. In both cases one challenge names the scopes that
were missing, for everything together (RFC 9110, 11.6.1 allows it beside any status).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from mcp_server.engine.asked import Asked
from mcp_server.engine.calls import Call, Principal
from mcp_server.engine.engine import Engine
from mcp_server.engine.in_flight import InFlight
from mcp_server.engine.sessions import Session
from mcp_server.protocol.errors import Failure, ProtocolError, invalid_request
from mcp_server.protocol.messages import Json, Notification, Request, Response, readable_id, shape
from mcp_server.protocol.rendering import failure_bytes
from mcp_server.protocol.results import Answer
from mcp_server.transports.exchange import HTTP_FORBIDDEN, HTTP_OK, Exchange


class Batch:
    """One array on its way to an array of answers."""

    def __init__(
        self,
        engine: Engine,
        exchange: Exchange,
        in_flight: InFlight,
        asked: Asked,
        *,
        session: Session,
        principal: Principal | None,
    ) -> None:
        self._engine = engine
        self._exchange = exchange
        self._in_flight = in_flight
        self._asked = asked
        self._session = session
        self._principal = principal

    async def answer(self, bodies: list[Any]) -> None:
        """Answer every message that is owed an answer."""
        places = [_Place(self._engine, self._exchange) for _ in bodies]
        async with asyncio.TaskGroup() as tasks:
            for place, body in zip(places, bodies, strict=True):
                tasks.create_task(self._fill(place, body))
            answers = [await place.answer for place in places]
            due = [answer for answer in answers if answer is not None]
            if due:
                lacking = [place.scopes for place in places if place.scopes]
                status = HTTP_FORBIDDEN if len(lacking) == len(due) else HTTP_OK
                await self._exchange.finish(
                    b"[" + b",".join(due) + b"]",
                    status,
                    self._exchange.challenge({scope for scopes in lacking for scope in scopes}),
                )
            else:
                await self._exchange.close()

    async def _fill(self, place: _Place, body: Json) -> None:
        try:
            message = shape(body)
            if isinstance(message, Request) and message.method == "initialize":
                raise invalid_request("initialize must not be part of a batch")
        except ProtocolError as error:
            place.fill(failure_bytes(readable_id(body), error.failure))
            return
        if isinstance(message, Request):
            place.fill(await self._answered(message, place))
            return
        if isinstance(message, Notification) and message.method == "notifications/cancelled":
            self._in_flight.cancel(message.params.get("requestId"))
        elif isinstance(message, Response):
            self._asked.answer(message)
        place.fill(None)

    async def _answered(self, request: Request, place: _Place) -> bytes | None:
        request.peer = self._session.peer
        answer = await self._exchange.ask(
            request, self._in_flight, session=self._session, principal=self._principal, line=place
        )
        if isinstance(answer, Failure):
            place.scopes = answer.scopes
        return None if answer is None else self._engine.render(request, answer)


class _Place:
    """One call's place among the answers, and the `Line` of that call."""

    def __init__(self, engine: Engine, exchange: Exchange) -> None:
        self._engine = engine
        self._exchange = exchange
        self.transport = exchange.transport
        self.answer: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        self.scopes: Sequence[str] = ()
        """Without which the call was refused."""

    async def send(self, method: str, params: Mapping[str, Any], request: Request) -> None:
        """A notification goes out at once."""
        await self._exchange.send(method, params, request)

    def outlasts(self, call: Call) -> None:
        """The client may hang up meanwhile."""
        self._exchange.outlasts(call)

    async def question(self, call: Call, method: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """A question goes out at once."""
        return await self._exchange.question(call, method, params)

    def deliver(self, call: Call, answer: Answer) -> None:
        """This call has its answer, and no other."""
        self.fill(self._engine.render(call.request, answer))

    def fill(self, answer: bytes | None) -> None:
        """This is the answer, unless there has been one; None if none is due."""
        if not self.answer.done():
            self.answer.set_result(answer)
