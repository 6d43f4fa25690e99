"""MCP over HTTP: one URL, every version, and the small face for people with curl.

A POST is classified by its body, since headers differ between versions and can be absent: `jsonrpc` makes it MCP,
`action` makes it the small face, and a body with both or neither is refused. A modern request carries everything with
it. An older one may come with a session id, and then its handshake comes from there; without one it is served all the
same, as far as it can be without knowing who asks.

`GET` and `DELETE` exist for older clients with a session; everybody else is told that there is nothing here but POST.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakValueDictionary

from starlette.types import Receive, Scope, Send

from mcp_server.engine.asked import Asked
from mcp_server.engine.calls import Principal
from mcp_server.engine.engine import Engine
from mcp_server.engine.in_flight import InFlight
from mcp_server.engine.sessions import Session
from mcp_server.guards.caller import caller_of
from mcp_server.protocol import headers as mcp_headers
from mcp_server.protocol import modern
from mcp_server.protocol.errors import Failure, ProtocolError, invalid_request, unsupported_version
from mcp_server.protocol.headers import Headers
from mcp_server.protocol.legacy import MAX_BATCH, takes_batches
from mcp_server.protocol.messages import (
    Json,
    Notification,
    Peer,
    Request,
    RequestId,
    Response,
    is_object,
    is_request_id,
    parse,
    readable_id,
    shape,
)
from mcp_server.protocol.rendering import failure_bytes
from mcp_server.protocol.results import Answer
from mcp_server.protocol.versions import ALL_VERSIONS, LEGACY_VERSIONS, V2025_11_25, at_least
from mcp_server.transports.action import ActionFace
from mcp_server.transports.batches import Batch
from mcp_server.transports.bodies import ClientGone, rest_of_body
from mcp_server.transports.exchange import (
    HTTP_ACCEPTED,
    HTTP_OK,
    Challenge,
    Exchange,
    RawHeaders,
    Telling,
    send_empty,
    send_json,
)
from mcp_server.transports.journals import Journal, Journals
from mcp_server.transports.principals import name_of, principal_of
from mcp_server.transports.seats import Streaming
from mcp_server.transports.session_ids import SessionIds
from mcp_server.transports.streams import Streams

if TYPE_CHECKING:
    from mcp_server.engine.neighbours import Neighbours
    from mcp_server.transports.elsewhere import Elsewhere

HTTP_NO_CONTENT: Final = 204
HTTP_NOT_FOUND: Final = 404
HTTP_NOT_ALLOWED: Final = 405
HTTP_UNSUPPORTED_MEDIA: Final = 415

_ALLOW_POST: Final[RawHeaders] = [(b"allow", b"POST")]
_ALLOW_ALL: Final[RawHeaders] = [(b"allow", b"DELETE, GET, OPTIONS, POST")]
_SESSION_HEADER: Final = b"mcp-session-id"


# One is made per request, and a frozen dataclass costs three times as much to make; nothing changes it.
@dataclass(slots=True)
class _Post:
    """One request: what its headers say, and the two ends of its connection."""

    scope: Scope
    headers: Headers
    receive: Receive
    send: Send
    principal: Principal | None
    only_events: bool

    @property
    def owner(self) -> str | None:
        """Whose session this may be."""
        return name_of(self.principal)

    @property
    def is_modern(self) -> bool:
        """Whether the headers name a version in which there are no sessions, or one that nobody knows."""
        version = self.headers.version
        return version is not None and version not in LEGACY_VERSIONS

    @property
    def session(self) -> str | None:
        """The id of the session that this belongs to; newer versions have none, whatever they send."""
        return None if self.is_modern else self.headers.session


class HttpFace:
    """The URLs at which MCP is spoken: an ASGI application, and `events`, another that answers only with events."""

    def __init__(
        self,
        engine: Engine,
        sessions: SessionIds,
        journals: Journals,
        streaming: Streaming,
        neighbours: Neighbours | None = None,
        *,
        challenge: Challenge | None = None,
    ) -> None:
        self._engine = engine
        self._mirrored = engine.mirrored_arguments
        self._sessions = sessions
        self._journals = journals
        self._actions = ActionFace(engine)
        self._challenge = challenge
        self._streaming = streaming
        self._streams = Streams(engine, streaming)
        self._asked = Asked()
        self._in_flight: WeakValueDictionary[str, InFlight] = WeakValueDictionary()
        self._elsewhere: Elsewhere | None = None
        if neighbours is not None:
            from mcp_server.transports.elsewhere import Elsewhere  # noqa: PLC0415 - most servers are one process

            self._elsewhere = Elsewhere(
                neighbours, sessions, self._asked, ended=self._session_ended, cancelled=self._cancelled
            )

    # What only decides who answers returns what is to be awaited: a coroutine of its own would cost as much again.

    def __call__(self, scope: Scope, receive: Receive, send: Send, *, only_events: bool = False) -> Awaitable[None]:
        """Answer one HTTP request."""
        caller = caller_of(scope)
        headers = Headers(scope["headers"], caller.headers)
        post = _Post(scope, headers, receive, send, principal_of(caller), only_events)
        return self._post(post) if scope["method"] == "POST" else self._other(post, scope["method"])

    def events(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer one HTTP request; if it is granted, with an event stream."""
        return self(scope, receive, send, only_events=True)

    async def _other(self, post: _Post, method: str) -> None:
        session = post.session
        if method == "GET" and session is not None and self._streaming.lasting:
            await self._get(post, session)
        elif method == "DELETE" and session is not None:
            await self._delete(post, session)
        elif method == "OPTIONS":
            await send_empty(post.send, HTTP_NO_CONTENT, _ALLOW_ALL)
        else:
            await send_empty(post.send, HTTP_NOT_ALLOWED, _ALLOW_POST)

    async def _post(self, post: _Post) -> None:
        if not post.headers.announces_json:
            failure = invalid_request("The body must be sent as Content-Type: application/json").failure
            await send_json(post.send, HTTP_UNSUPPORTED_MEDIA, failure_bytes(None, failure))
            return
        body = None
        try:
            message = await post.receive()
            # Behind the guards a body comes as one message, which is not worth another coroutine.
            whole = message["type"] == "http.request" and not message.get("more_body", False)
            body = parse(message.get("body", b"") if whole else await rest_of_body(message, post.receive))
            del message  # it may be megabytes, and the call may last
            await self._answer(post, body)
        except ProtocolError as error:
            await self._refuse(post, body, error.failure)
        except ClientGone:
            return

    def _answer(self, post: _Post, body: Json) -> Awaitable[None]:
        if isinstance(body, list):
            return self._batch(post, body)
        if isinstance(body, dict) and "action" in body:
            if "jsonrpc" in body:
                raise invalid_request("A body has either jsonrpc or action, not both")
            return self._actions.answer(body, self._exchange(post, tell=self._actions.tell), post.principal)
        message = shape(body)
        if isinstance(message, Request):
            # By its body; by its header where the body does not say.
            if modern.is_modern(message.params) or (message.method != "initialize" and post.is_modern):
                return self._modern(post, message)
            return self._legacy(post, message)
        if isinstance(message, Notification):
            return self._notification(post, message)
        return self._response(post, message)

    async def _modern(self, post: _Post, request: Request) -> None:
        headers = post.headers
        version = headers.version
        if version is not None and version not in ALL_VERSIONS and not modern.is_modern(request.params):
            raise unsupported_version(version)
        modern.admit(request)
        mcp_headers.check(request, headers)
        if request.method == "tools/call" and request.peer.modern:
            mirrored = self._mirrored(request.params["name"])  # it is there, as the header says the same
            if mirrored:
                arguments: Json = request.params.get("arguments")
                mcp_headers.check_parameters(mirrored, arguments if isinstance(arguments, dict) else {}, headers)
        exchange = self._exchange(post)
        await exchange.conclude(request, await exchange.ask(request, InFlight(), principal=post.principal))

    async def _legacy(self, post: _Post, request: Request) -> None:
        if request.method == "initialize":
            await self._initialize(post, request)
            return
        session_id = post.session
        session = await self._session(post, session_id)
        if session is None:
            return
        request.peer = session.peer
        exchange = self._exchange(post, session, session_id)
        in_flight = self._in_flight_of(session_id)
        answer = await exchange.ask(request, in_flight, session=session, principal=post.principal)
        await exchange.conclude(request, answer)

    async def _initialize(self, post: _Post, request: Request) -> None:
        session = Session()
        exchange = self._exchange(post)
        answer = await exchange.ask(request, InFlight(), session=session, principal=post.principal)
        headers: RawHeaders = []
        if answer is not None and not isinstance(answer, Failure):
            headers.append((_SESSION_HEADER, self._sessions.mint(session, post.owner).encode()))
        await exchange.conclude(request, answer, headers)

    async def _notification(self, post: _Post, notification: Notification) -> None:
        session = post.session
        if session is not None and self._sessions.read(session, post.owner) is None:
            await self._refuse_session(post)
            return
        if notification.method == "notifications/cancelled" and session is not None:
            request_id = notification.params.get("requestId")
            if is_request_id(request_id) and not self._cancelled(session, request_id) and self._elsewhere is not None:
                self._elsewhere.cancel(session, request_id)
        await send_empty(post.send, HTTP_ACCEPTED)

    async def _response(self, post: _Post, response: Response) -> None:
        if post.is_modern:
            raise invalid_request("A client does not send responses in this version")
        if await self._session(post, post.session) is not None:
            self._asked.answer(response)
            await send_empty(post.send, HTTP_ACCEPTED)

    async def _batch(self, post: _Post, bodies: list[Any]) -> None:
        session_id = post.session
        session = await self._session(post, session_id)
        if session is None:
            return
        negotiated = session_id is not None or post.headers.version in LEGACY_VERSIONS
        if not (negotiated and bodies and takes_batches(session.peer.version)):
            raise invalid_request("A body must be one JSON-RPC message")
        if len(bodies) > MAX_BATCH:
            raise invalid_request(f"A batch must hold at most {MAX_BATCH} messages")
        in_flight = self._in_flight_of(session_id)
        exchange = self._exchange(post, session, session_id)
        batch = Batch(self._engine, exchange, in_flight, self._asked, session=session, principal=post.principal)
        await batch.answer(bodies)

    async def _get(self, post: _Post, session_id: str) -> None:
        session = self._sessions.read(session_id, post.owner)
        if session is None:
            await self._refuse_session(post)
            return
        ends = (post.scope, post.receive, post.send)
        missed = self._journals.find(session_id, post.headers.last_event_id or "")
        if missed is not None:
            await self._streams.resume(*missed, *ends)
        else:
            await self._streams.news(session_id, session, *ends)

    async def _delete(self, post: _Post, session: str) -> None:
        if self._sessions.read(session, post.owner) is None:
            await self._refuse_session(post)
        else:
            self._sessions.end(session)
            self._session_ended(session)
            if self._elsewhere is not None:
                await self._elsewhere.end_is_known(session)
            await send_empty(post.send, HTTP_OK)

    def _session_ended(self, session_id: str) -> None:
        self._streams.end(session_id)
        in_flight = self._in_flight.get(session_id)
        if in_flight is not None:
            in_flight.end_all()

    def _cancelled(self, session_id: str, request_id: RequestId) -> bool:
        in_flight = self._in_flight.get(session_id)
        return in_flight is not None and in_flight.cancel(request_id)

    async def _session(self, post: _Post, session_id: str | None) -> Session | None:
        """The session that a legacy message belongs to; None if it has been refused."""
        if session_id is None:
            version = post.headers.version
            return Session(Peer(version)) if version in LEGACY_VERSIONS else Session()
        session = self._sessions.read(session_id, post.owner)
        if session is None:
            await self._refuse_session(post)
        return session

    def _in_flight_of(self, session_id: str | None) -> InFlight:
        if session_id is None:
            return InFlight()
        found = self._in_flight.get(session_id)
        if found is None:
            found = self._in_flight[session_id] = InFlight()
        return found

    def _exchange(
        self,
        post: _Post,
        session: Session | None = None,
        session_id: str | None = None,
        *,
        tell: Telling | None = None,
    ) -> Exchange:
        accept = post.headers.accept
        exchange = Exchange(
            self._engine,
            post.scope,
            post.receive,
            post.send,
            tell=tell or self._tell,
            takes_events=post.only_events or accept.events,
            only_events=post.only_events or accept.only_events,
            streaming=self._streaming,
            challenge=self._challenge,
        )
        if session is not None and session_id is not None:
            exchange.in_session(self._journal(session_id, session), self._asked)
        return exchange

    def _journal(self, session_id: str, session: Session) -> Callable[[], Journal] | None:
        if not self._streaming.lasting:
            return None
        primed = at_least(session.peer.version, V2025_11_25)
        return lambda: self._journals.open(session_id, primed=primed)

    def _tell(self, request: Request, answer: Answer) -> tuple[bytes, int]:
        legacy = request.peer.version in LEGACY_VERSIONS
        status = answer.status_of(modern=not legacy) if isinstance(answer, Failure) else HTTP_OK
        return self._engine.render(request, answer), status

    async def _refuse(self, post: _Post, body: object, failure: Failure) -> None:
        status = failure.status_of(modern=post.is_modern or _says_version(body))
        await send_json(post.send, status, failure_bytes(readable_id(body), failure))

    async def _refuse_session(self, post: _Post) -> None:
        failure = invalid_request("Session not found: begin again with initialize").failure
        await send_json(post.send, HTTP_NOT_FOUND, failure_bytes(None, failure))


def _says_version(body: object) -> bool:
    params = body.get("params") if is_object(body) else None
    return is_object(params) and modern.is_modern(params)
