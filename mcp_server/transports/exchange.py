"""One POST being answered: as JSON if the answer is the first thing to say, as a stream of events otherwise.

Nothing is committed before it must be. A call that finishes at once is answered with a status, a length and a body,
and costs no task and no timer. The first notification, or a silence so long that proxies would hang up, begins an
event stream instead; from then on the status is 200 and the answer is the last event.

Whether the client has hung up is watched only once a call has lasted a few milliseconds. For a client of 2026-07-28 a
hang-up cancels the call. For an older one it does not: its answer is kept for it to come back to, where it can. A
client that leaves unread what it was sent counts as one that has hung up.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterable, Mapping, MutableMapping, Sequence
from typing import Any, Final, TypeAlias

from starlette.types import Receive, Scope, Send

from mcp_server.engine.asked import Asked
from mcp_server.engine.asking import Unanswered
from mcp_server.engine.calls import Call, Line, Principal
from mcp_server.engine.engine import LISTEN, Engine
from mcp_server.engine.in_flight import InFlight
from mcp_server.engine.sessions import Session
from mcp_server.protocol.errors import Code, Failure, ProtocolError, access_ended
from mcp_server.protocol.messages import Request
from mcp_server.protocol.results import Answer
from mcp_server.transports.deadlines import deadline_of
from mcp_server.transports.journals import Journal
from mcp_server.transports.seats import Streaming

RawHeaders: TypeAlias = "list[tuple[bytes, bytes]]"
Telling: TypeAlias = Callable[[Request, Answer], tuple[bytes, int]]
"""How an answer is told on this face: its bytes, and the HTTP status that goes with them."""
Challenge: TypeAlias = Callable[[Scope, Sequence[str]], RawHeaders]
"""How a client is told which scopes its next token must have."""

HTTP_OK: Final = 200
HTTP_ACCEPTED: Final = 202
HTTP_FORBIDDEN: Final = 403

PATIENCE: Final = 0.005
"""How long a call may last, in seconds, before anything is spent on it beyond itself."""
READING_TIME: Final = 30.0
"""How long a client may leave what it has been sent unread, in seconds, before it is let go."""
_IN_A_ROW: Final = 32
"""How many notifications a call may send before everybody else gets a turn; none of them need have waited."""
_BUFFERED: Final = 64 * 1024
"""What a server buffers for a connection anyway, so that sending it never waits for the client."""

_JSON: Final = (b"content-type", b"application/json")
_NO_STORE: Final = (b"cache-control", b"no-store")
EVENT_STREAM: Final[RawHeaders] = [
    (b"content-type", b"text/event-stream"),
    _NO_STORE,
    (b"x-accel-buffering", b"no"),
]


def event(data: bytes, event_id: str | None = None) -> bytes:
    """A message as an event; JSON from us never has a line break in it."""
    head = b"" if event_id is None else b"id: " + event_id.encode() + b"\n"
    return head + b"event: message\ndata: " + data + b"\n\n"


async def send_json(send: Send, status: int, body: bytes, headers: RawHeaders | None = None) -> None:
    """A whole response at once."""
    all_headers = [_JSON, (b"content-length", b"%d" % len(body)), _NO_STORE, *(headers or ())]
    await send({"type": "http.response.start", "status": status, "headers": all_headers})
    if len(body) <= _BUFFERED:
        await send({"type": "http.response.body", "body": body})
        return
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(READING_TIME):
            await send({"type": "http.response.body", "body": body})


async def send_empty(send: Send, status: int, headers: RawHeaders | None = None) -> None:
    """A response without a body."""
    start = {"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0"), *(headers or [])]}
    await send(start)
    await send({"type": "http.response.body", "body": b""})


class Exchange:
    """The response to one POST, and the `Line` of the calls in it."""

    speaks_mcp = True
    """Whether its events are messages of MCP, which have a name; what else is said has none."""

    # How it stands with every response that is given at once; it is not worth a line of `__init__` a call.
    _journal: Journal | None = None
    _open_journal: Callable[[], Journal] | None = None
    _asked: Asked | None = None
    _calls: tuple[Call, ...] = ()
    _aside: frozenset[asyncio.Task[None]] = frozenset()
    _seated = False
    _streaming = False
    _answered = False
    _hung_up = False
    _said = 0
    _timer: asyncio.TimerHandle | None = None
    _watch: asyncio.Task[None] | None = None
    _turn: asyncio.Lock | None = None
    _release: Callable[[], None] | None = None

    def __init__(
        self,
        engine: Engine,
        scope: Scope,
        receive: Receive,
        send: Send,
        *,
        tell: Telling,
        takes_events: bool,
        only_events: bool,
        streaming: Streaming,
        challenge: Challenge | None = None,
    ) -> None:
        self._engine = engine
        self._scope = scope
        self._receive = receive
        self._send = send
        self.tell = tell
        self._takes_events = takes_events
        self._only_events = only_events
        self.transport = "http-events" if only_events else "http"
        self._challenge = challenge
        self._terms = streaming

    def in_session(self, journal: Callable[[], Journal] | None, asked: Asked) -> None:
        """It belongs to a session of an older client: such a client may be asked, and comes back for what it missed."""
        self._open_journal = journal
        self._asked = asked

    async def ask(
        self,
        request: Request,
        in_flight: InFlight,
        *,
        session: Session | None = None,
        principal: Principal | None = None,
        line: Line | None = None,
    ) -> Answer | None:
        """What the engine answers; `line` stands between the call and us, where several calls share a response."""
        try:
            return await self._engine.answer(
                request, line or self, in_flight, session=session, principal=principal, until=deadline_of(self._scope)
            )
        except BaseException:
            # Whoever runs us tears us away: what we hold of others' must not go with us.
            self._let_go()
            raise

    async def send(self, method: str, params: Mapping[str, Any], request: Request) -> None:
        """A notification, if the client can read one before its answer."""
        if self._takes_events or request.method == LISTEN:
            self._take_seat(needed=request.method == LISTEN)
        if self._seated:
            await self._say(self._engine.render_notification(request.peer, method, params))
        self._said += 1
        if self._said % _IN_A_ROW == 0:
            await asyncio.sleep(0)

    def outlasts(self, call: Call) -> None:
        """A call waits for something: look after the client if that takes longer than a moment."""
        self._calls += (call,)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(PATIENCE, self._attend)

    def deliver(self, call: Call, answer: Answer) -> None:
        """A call has its answer: deliver it from here, as the task of this exchange still belongs to the call."""
        self._do_aside(self.finish(*self.tell(call.request, answer)))

    async def question(self, call: Call, method: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """A request of ours as an event; its answer comes as a POST of its own, to whoever holds `asked`."""
        if not self._terms.lasting:
            raise Unanswered("The client cannot be asked, since this host says everything at once, at the end")
        if self._asked is None:
            raise Unanswered("The client has no session, so that it could not answer")
        if self._takes_events:
            self._take_seat(needed=False)
        if not self._seated:
            raise Unanswered("The client does not take event streams, so that it cannot be asked")
        with self._asked.open(call.request.peer, method, params) as question:
            await self._say(question.message)
            return await question.answer

    def conclude(
        self, request: Request, answer: Answer | None, headers: RawHeaders | None = None
    ) -> Coroutine[Any, Any, None]:
        """What the engine has answered; nothing, if nobody waits for it any more."""
        if answer is None:
            return self.close()
        if isinstance(answer, Failure) and answer.scopes:
            headers = [*(headers or ()), *self.challenge(answer.scopes)]
        body, status = self.tell(request, answer)
        return self.finish(body, status, headers)

    def challenge(self, scopes: Iterable[str]) -> RawHeaders:
        """What tells a client for which scopes to ask; nothing, if none were missing."""
        named = sorted(scopes)
        return [] if self._challenge is None or not named else self._challenge(self._scope, named)

    async def finish(self, body: bytes, status: int, headers: RawHeaders | None = None) -> None:
        """The answer; nothing comes after it."""
        self._answered = True
        if self._timer is None and not (self._streaming or self._seated or self._only_events):
            await send_json(self._send, status, body, headers)  # it was quick: there is nothing to let go of
            return
        self._stop_attending()
        try:
            if self._streaming or (self._only_events and status == HTTP_OK):
                await self._say(body, headers=headers, last=True)
            else:
                await send_json(self._send, status, body, headers)
        finally:
            self._let_go()

    async def close(self) -> None:
        """Nothing is due any more: the call was cancelled, or its deadline has answered for it."""
        self._stop_attending()
        if self._aside:
            await asyncio.wait(self._aside)
        self._let_go()
        if self._answered or self._hung_up:
            return
        self._answered = True
        if self._streaming:
            await self._send({"type": "http.response.body", "body": b""})
        else:
            await send_empty(self._send, HTTP_ACCEPTED)

    async def _say(self, data: bytes, *, headers: RawHeaders | None = None, last: bool = False) -> None:
        self._begin_journal()
        event_id = None if self._journal is None else self._journal.keep(data, last=last)
        said = event(data, event_id) if self.speaks_mcp else b"data: %b\n\n" % data
        await self._write(said, headers=headers, last=last)

    async def _write(self, data: bytes, *, headers: RawHeaders | None = None, last: bool = False) -> None:
        if self._turn is None:
            self._turn = asyncio.Lock()
        async with self._turn:
            if self._hung_up or (self._answered and not last):
                return
            if not self._streaming:
                self._streaming = True
                self._begin_journal()
                all_headers = [*EVENT_STREAM, *(headers or [])]
                await self._send({"type": "http.response.start", "status": 200, "headers": all_headers})
                if self._journal is not None:
                    data = self._journal.opening() + data
            try:
                async with asyncio.timeout(READING_TIME):
                    await self._send({"type": "http.response.body", "body": data, "more_body": not last})
            except TimeoutError:
                self._client_is_gone()

    def _take_seat(self, *, needed: bool) -> None:
        """Take one of the seats for streams. A call can do without; listening to changes cannot."""
        if not self._seated:
            self._seated = self._takes_events = self._terms.seats.take()
        if needed and not self._seated:
            raise ProtocolError(Code.INTERNAL_ERROR, "Too many event streams are open; try again later")

    def _begin_journal(self) -> None:
        if self._journal is None and self._open_journal is not None:
            self._journal = self._open_journal()

    def _attend(self) -> None:
        self._watch = asyncio.create_task(self._notice_hang_up())
        self._timer = asyncio.get_running_loop().call_later(self._terms.keep_alive, self._ping)
        if self._terms.hold is not None:
            self._release = self._terms.hold(self._scope, self._token_ended)

    def _ping(self) -> None:
        if self._takes_events:
            self._take_seat(needed=False)
        if self._seated:
            self._do_aside(self._write(b": keep-alive\n\n"))
            self._timer = asyncio.get_running_loop().call_later(self._terms.keep_alive, self._ping)

    def _do_aside(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._aside |= {task}
        task.add_done_callback(self._done_aside)

    def _done_aside(self, task: asyncio.Task[None]) -> None:
        self._aside -= {task}

    async def _notice_hang_up(self) -> None:
        message: MutableMapping[str, Any] = {}
        while message.get("type") != "http.disconnect":
            message = await self._receive()
        self._client_is_gone()

    def _client_is_gone(self) -> None:
        self._hung_up = True
        for call in self._calls:
            if call.request.peer.modern:
                call.cancel()

    def _token_ended(self) -> None:
        """The caller may hear no more: its stream ends, and there will be none. What is no stream is answered.

        Who listens is told so by its result. A client that knows how to come back for an answer, with another token,
        finds it kept; for every other the call is over.
        """
        self._takes_events = False
        if not self._streaming or self._answered or self._hung_up:
            return
        if self._journal is not None and self._journal.primed:
            self._do_aside(self._hang_up())
            return
        for call in self._calls:
            if call.ending is not None:
                call.ending()
            elif not call.settled:
                call.settle(access_ended().failure)

    async def _hang_up(self) -> None:
        if not self._answered:
            await self._write(b"", last=True)
            self._hung_up = True

    def _let_go(self) -> None:
        """Give back what others may use, and leave nobody waiting for more of this stream."""
        self._stop_attending()
        if self._release is not None:
            self._release()
        if self._seated:
            self._seated = False
            self._terms.seats.leave()
        if self._journal is not None:
            self._journal.end()

    def _stop_attending(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._watch is not None:
            self._watch.cancel()
