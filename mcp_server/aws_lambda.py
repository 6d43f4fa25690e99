"""AWS Lambda: one event in, one answer out, around the same application that uvicorn serves.

Mangum knows the events of function URLs, of both kinds of API Gateway and of load balancers, and how each of them wants
its answer. Here is what it leaves open:

- One event loop and one lifespan serve all events of a process, so that whatever the application keeps stays kept.
- An event that is no HTTP request (a warm-up, a schedule, a queue) is answered, and not acted upon.
- Lambda kills a function at its deadline. A call is timed out shortly before, and whatever else takes too long a moment
  later.
- Lambda refuses answers above a size; then the caller is told so.
- The address of the client, and the path at which the application is mounted, come from what AWS itself has written.

Must not know what a request says, except for its id, to which an answer of our own must refer.
"""

from __future__ import annotations

import asyncio
import atexit
import json
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from mangum import Mangum
from mangum.protocols import LifespanCycle
from pydantic_core import to_json
from starlette.types import Message, Scope

from mcp_server.guards.addresses import parse_address
from mcp_server.protocol.errors import Code, Failure, ProtocolError
from mcp_server.protocol.messages import is_list, is_object, parse, readable_id
from mcp_server.protocol.rendering import failure_bytes
from mcp_server.transports.deadlines import DEADLINE
from mcp_server.transports.exchange import HTTP_OK, RawHeaders
from mcp_server.transports.exchange import event as event_of

if TYPE_CHECKING:
    from mangum.types import ASGI
    from mangum.types import LambdaHandler as Translator

logger = logging.getLogger("mcp_server.lambda")

MAX_ANSWER: Final = 6_291_556
"""How many bytes Lambda takes as an answer, with everything around the body."""
MAX_ANSWER_TO_BALANCER: Final = 1024 * 1024
"""How many of them a load balancer takes."""

_RESERVE: Final = 0.5
"""How long before the end of the function a call is timed out, in seconds; what is no call may take half of that."""
_LAST_WORDS: Final = 0.05
"""How long what was stopped may take to clean up, in seconds."""
_LONGEST_ESCAPE: Final = 6
"""How many bytes JSON may make of one."""
_ABOUT_THE_BODY: Final = (b"content-length", b"content-type")


@dataclass(frozen=True, slots=True)
class _Answer:
    """A whole HTTP response."""

    status: int
    headers: RawHeaders
    body: bytes


class LambdaHandler:
    """An ASGI application as the handler of a Lambda function.

    Args:
        app: The application. Its lifespan begins at once and lasts as long as the process.
        base_path: Where the application is mounted, if events do not tell: the path of a custom domain's API mapping,
            such as `/tools`.
        flush: What is called after each event, since the process may be frozen for hours then.
    """

    def __init__(self, app: ASGI, *, base_path: str = "", flush: Callable[[], object] = lambda: None) -> None:
        self._app = app
        self._base_path = base_path.rstrip("/")
        self._flush = flush
        self._runner = asyncio.Runner()
        self._runner.get_loop()  # which makes it the thread's own, where Mangum looks for it
        self._mangum = Mangum(app, lifespan="off")
        self._lifespan: LifespanCycle | None = None
        # A snapshot of the process must not hold connections: it is restored many times over.
        if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") != "snap-start":
            try:
                self._begin()
            except BaseException:
                self._runner.close()
                raise
        atexit.register(self.close)

    def __call__(self, event: Any, context: Any) -> dict[str, Any]:
        """Answer one event."""
        try:
            lifespan = self._lifespan or self._begin()
            translator = self._translator(event, context)
            if translator is None:
                logger.info("An event that is no HTTP request was answered, and not acted upon")
                return {"ready": True, "handled": False}
            try:
                scope, body = _put_right(translator.scope, event, self._base_path), translator.body
            except (AttributeError, LookupError, TypeError, ValueError):
                return _unreadable()
            scope["state"] = dict(lifespan.lifespan_state)
            answer = self._runner.run(_respond(self._app, scope, body, context))
            return _fitted(translator, answer, body, event)
        finally:
            self._flush()

    def close(self) -> None:
        """End the lifespan and the event loop; Lambda itself gives a process no time for it."""
        atexit.unregister(self.close)
        lifespan, self._lifespan = self._lifespan, None
        if lifespan is not None:
            lifespan.__exit__(None, None, None)
        self._runner.close()

    def _begin(self) -> LifespanCycle:
        lifespan = LifespanCycle(self._app, "auto")
        lifespan.__enter__()
        self._lifespan = lifespan
        return lifespan

    def _translator(self, event: object, context: Any) -> Translator | None:
        """Mangum's view of an event, or None if it is no HTTP request."""
        if not is_object(event) or not is_object(event.get("requestContext")):
            return None
        try:
            return self._mangum.infer(event, context)
        except RuntimeError:
            return None


async def _respond(app: ASGI, scope: Scope, body: bytes, context: Any) -> _Answer:
    """What the application answers, in the time that the function has left."""
    left = _seconds_left(context)
    if left is not None:
        reserve = min(_RESERVE, left / 4)
        scope[DEADLINE] = time.monotonic() + left - reserve
        left -= reserve / 2
    response = _Response(body)
    running = asyncio.ensure_future(app(scope, response.receive, response.send))
    await asyncio.wait({running}, timeout=left)
    late = not running.done()
    if late:
        running.cancel()
        await asyncio.wait({running}, timeout=_LAST_WORDS)
    elif not running.cancelled() and (error := running.exception()) is not None:
        logger.error("The application failed", exc_info=error)
    answer = response.end()
    if answer is not None:
        return answer
    if late:
        logger.warning("A request was not answered before the end of the function")
        return _refusal(body, response.headers, 504, "timed_out", "Timed out: the function's time is over")
    return _refusal(body, response.headers, 500, "internal_error", "Internal server error")


class _Response:
    """Takes a response until it is whole; both ends of the connection, as the application sees it."""

    def __init__(self, request_body: bytes) -> None:
        self._request_body: bytes | None = request_body
        self._status: int | None = None
        self.headers: RawHeaders = []
        self._body = bytearray()
        self._is_whole = False
        self._over = asyncio.Event()

    async def receive(self) -> Message:
        """The request's body, and after the end of the response that the client has gone."""
        body, self._request_body = self._request_body, None
        if body is None:
            await self._over.wait()
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: Message) -> None:
        """Keep a part of the response; nothing that comes after its end, or that nobody could be sent."""
        if self._over.is_set():
            return
        if message["type"] == "http.response.start":
            self._status, self.headers = message["status"], list(message.get("headers", ()))
            return
        if len(self._body) <= MAX_ANSWER:
            self._body += message.get("body", b"")
        if not message.get("more_body", False):
            self._is_whole = True
            self._over.set()

    def end(self) -> _Answer | None:
        """The response if it is whole; nothing is added to it from now on."""
        self._over.set()
        return _Answer(self._status, self.headers, bytes(self._body)) if self._status and self._is_whole else None


def _seconds_left(context: Any) -> float | None:
    """How long the function has until it is killed; None if it was called by somebody who says nothing of that."""
    ask = getattr(context, "get_remaining_time_in_millis", None)
    return None if ask is None else ask() / 1000


def _put_right(scope: Scope, event: dict[str, Any], base_path: str) -> Scope:
    """Mangum's scope with what AWS knows better."""
    headers = [(bytes(name), bytes(value)) for name, value in scope["headers"]]
    path, root = _place(event, scope["path"], base_path)
    client = _peer_of_balancer(headers) if _is_balancer(event) else scope["client"]
    if client is not None and not client[0]:
        client = None
    return {**scope, "headers": headers, "path": path, "root_path": root, "client": client}


def _is_balancer(event: dict[str, Any]) -> bool:
    return "elb" in event["requestContext"]


def _peer_of_balancer(headers: RawHeaders) -> tuple[str, int] | None:
    """A load balancer adds whoever has called it to the end of a header; what stands before is the caller's own."""
    claims = [value for name, value in headers if name == b"x-forwarded-for"]
    address = parse_address(claims[-1].rpartition(b",")[2].decode("latin-1").strip()) if claims else None
    return None if address is None else (str(address), 0)


def _place(event: dict[str, Any], path: str, base_path: str) -> tuple[str, str]:
    """The path that was asked for, and the part of it that leads to the application."""
    context = event["requestContext"]
    asked = unquote(context["path"]) if isinstance(context.get("path"), str) else path
    parameters = event.get("pathParameters")
    rest = parameters.get("proxy") if is_object(parameters) else None
    if base_path and _is_below(asked, base_path):
        root = base_path
    elif isinstance(rest, str) and asked.endswith(f"/{rest}"):
        root = asked.removesuffix(f"/{rest}")
    elif asked.endswith(path) and asked != path:
        root = asked.removesuffix(path)
    elif _is_below(path, stage := f"/{context.get('stage', '')}"):
        asked, root = path, stage
    else:
        return path, ""
    return (asked if asked != root else f"{asked}/"), root


def _is_below(path: str, root: str) -> bool:
    return path == root or path.startswith(f"{root}/")


def _fitted(translator: Translator, answer: _Answer, request_body: bytes, event: dict[str, Any]) -> dict[str, Any]:
    """The answer in the form that this kind of event wants, or one that says that it is too large."""
    most = MAX_ANSWER_TO_BALANCER if _is_balancer(event) else MAX_ANSWER
    response = _translated(translator, answer)
    size = len(answer.body)
    if size <= most and (size * _LONGEST_ESCAPE <= most // 2 or len(json.dumps(response)) <= most):
        return response
    sentence = f"The answer is too large: AWS sends at most {most // 1024**2} MB"
    logger.warning("%s", sentence)
    return _translated(translator, _refusal(request_body, answer.headers, 500, "answer_too_large", sentence))


def _translated(translator: Translator, answer: _Answer) -> dict[str, Any]:
    headers = [[name, value] for name, value in answer.headers]
    return translator({"status": answer.status, "headers": headers, "body": answer.body})


def _refusal(request_body: bytes, headers: RawHeaders, status: int, word: str, sentence: str) -> _Answer:
    """An answer of our own, in the language of the request, with what the headers of another say to browsers."""
    content_type, body = b"application/json", to_json({"error": word, "detail": sentence})
    try:
        request = parse(request_body)
    except ProtocolError:
        request = None
    if is_list(request) or (is_object(request) and "jsonrpc" in request):
        status, body = HTTP_OK, failure_bytes(readable_id(request), Failure(Code.INTERNAL_ERROR, sentence))
        if any(name == b"content-type" and value.startswith(b"text/event-stream") for name, value in headers):
            content_type, body = b"text/event-stream", event_of(body)
    kept = [(name, value) for name, value in headers if name not in _ABOUT_THE_BODY]
    return _Answer(status, [(b"content-type", content_type), *kept], body)


def _unreadable() -> dict[str, Any]:
    logger.warning("An event could not be read as an HTTP request")
    headers = {"content-type": "application/json"}
    body = '{"error": "bad_request", "detail": "The request cannot be read"}'
    return {"statusCode": 400, "headers": headers, "body": body, "isBase64Encoded": False}
