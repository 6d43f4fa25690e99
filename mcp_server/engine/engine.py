"""The engine: from a request to its answer, whatever the transport above and the service below.

A request climbs a ladder: which version is it in, does that version have the method, does the service offer it, are
the parameters of the right shape. The first rung that breaks is the answer. What gets to the top is run as a `Call`.

The methods of each era stand in two tables at the end of `__init__`; a method that is in neither does not exist.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from mcp_server.engine.calls import Call, Line, Principal, new_reference
from mcp_server.engine.in_flight import InFlight
from mcp_server.engine.legacy_methods import LegacyMethods
from mcp_server.engine.parameters import object_, text, texts
from mcp_server.engine.questions import Questions
from mcp_server.engine.sealing import Seal, digest
from mcp_server.engine.service import Description, Kind, Service, TaskSource
from mcp_server.engine.sessions import Session
from mcp_server.engine.subscriptions import ALL_LISTS, Feed, Hub, Interest, lists_offered, without_news
from mcp_server.protocol import modern, tasks
from mcp_server.protocol.errors import (
    Code,
    Failure,
    ProtocolError,
    Reason,
    bad_cursor,
    internal_error,
    invalid_params,
    method_not_found,
    unsupported_version,
)
from mcp_server.protocol.messages import Json, Peer, Request
from mcp_server.protocol.rendering import Rendering
from mcp_server.protocol.results import Answer, Prepared, Result, tool_error
from mcp_server.protocol.versions import ALL_VERSIONS, LEGACY_VERSIONS, MODERN_VERSIONS, V2025_11_25

if TYPE_CHECKING:
    from mcp_server.engine.neighbours import Neighbours
    from mcp_server.engine.task_methods import TaskMethods

logger = logging.getLogger("mcp_server.engine")

Handler: TypeAlias = Callable[[Call], Coroutine[Any, Any, Result | Prepared]]

DEFAULT_TIMEOUT: Final = 60.0
LISTEN: Final = "subscriptions/listen"
RUN: Final = "tasks/run"
"""What the work of a task is called where it is counted; nobody can ask for it."""

_CAPABILITY: Final = {
    "tools/list": "tools",
    "tools/call": "tools",
    "resources/list": "resources",
    "resources/templates/list": "resources",
    "resources/read": "resources",
    "prompts/list": "prompts",
    "prompts/get": "prompts",
    "completion/complete": "completions",
    "resources/subscribe": "resources",
    "resources/unsubscribe": "resources",
    "logging/setLevel": "logging",
    **dict.fromkeys(tasks.METHODS, "extensions"),
}
_OPTION: Final = {
    "resources/subscribe": "subscribe",
    "resources/unsubscribe": "subscribe",
    **dict.fromkeys(tasks.METHODS, tasks.TASKS),
}
"""Methods for which their capability alone is not enough."""


METHODS: Final = frozenset(
    {
        *_CAPABILITY,
        "server/discover",
        LISTEN,
        "initialize",
        "ping",
        RUN,
    }
)
"""Every method that exists in some version."""


class Observer(Protocol):
    """Sees every call begin and end, in the call's own task; an engine has one or none."""

    def begin(self, call: Call) -> object:
        """A call begins; what is returned comes back at its end."""
        ...

    def end(self, call: Call, answer: Answer | None, token: object) -> None:
        """A call has ended; without an answer, it was cancelled. If its deadline struck, it is `call.expired`."""
        ...


class Engine:
    """Answers requests from one service; made once for all transports of a server.

    Args:
        service: What answers.
        timeout: How long a call may take, in seconds, unless the service says otherwise.
        observer: Who is told of every call.
        redact: What has the last word on everything that is said to a client.
        listen_for: How long a subscription lasts, in seconds; its client then opens a new one.
        news: Whether clients can be told of changes, which takes a connection that lasts.
        seal: Seals what a client carries between the rounds of a call that asks questions.
        neighbours: Other processes of this server, whose clients hear of our changes as ours hear of theirs.
    """

    def __init__(
        self,
        service: Service,
        *,
        timeout: float | None = DEFAULT_TIMEOUT,
        observer: Observer | None = None,
        redact: Callable[[bytes], bytes] | None = None,
        listen_for: float | None = None,
        news: bool = True,
        seal: Seal | None = None,
        neighbours: Neighbours | None = None,
    ) -> None:
        self._service = service
        self.mirrored_arguments = service.mirrored_arguments
        """The arguments of a tool that clients repeat in HTTP headers."""
        self._timeout = timeout
        self._observer = observer
        self._redact = redact
        self._listen_for = listen_for
        self._seal = seal or Seal()
        self._news = news
        self._hub = Hub()
        self._neighbours = neighbours
        self._describes: Description | None = None
        self._described: tuple[Description, Prepared, Rendering] | None = None
        self._handlers: dict[tuple[str, str], Handler] = {}
        """What has been found to answer a method in a version, as long as the service describes itself in this way."""
        both: dict[str, Handler] = {
            **{kind.value: self._list(kind) for kind in Kind},
            "tools/call": self._call_tool,
            "resources/read": self._read_resource,
            "prompts/get": self._get_prompt,
            "completion/complete": self._complete,
        }
        modern_only: dict[str, Handler] = {
            "server/discover": self._discover,
            **({LISTEN: self._listen} if news else {}),
            **dict.fromkeys(("tasks/get", "tasks/update", "tasks/cancel"), self._about_tasks),
        }
        tasks_of_2025_11_25 = dict.fromkeys(
            ("tasks/get", "tasks/result", "tasks/list", "tasks/cancel"), self._about_tasks
        )
        legacy_only = LegacyMethods(lambda: self._about()[0], service.check_reading).table()
        self._methods: dict[str, dict[str, Handler]] = {
            **dict.fromkeys(LEGACY_VERSIONS, both | legacy_only),
            **dict.fromkeys(MODERN_VERSIONS, both | modern_only),
            V2025_11_25: both | legacy_only | tasks_of_2025_11_25,
        }

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        """Run the service and pass on its changes; everything that is asked in between is answered."""
        async with AsyncExitStack() as stack:
            publish = self._hub.publish
            if self._neighbours is not None:
                sharing = self._neighbours.sharing(self._hub, self._lists_offered)
                publish = await stack.enter_async_context(sharing)
            stack.callback(self._service.watch(publish))
            await stack.enter_async_context(self._service.lifespan())
            yield

    def admit(self, request: Request, session: Session | None) -> None:
        """Find out in which version a request is asked, and by whom; each message is looked at for itself.

        Raises:
            ProtocolError: The request is modern and lacks what a modern one must carry.
        """
        if modern.is_modern(request.params):
            modern.admit(request)
        elif session is not None:
            request.peer = session.peer

    async def answer(
        self,
        request: Request,
        line: Line,
        in_flight: InFlight,
        *,
        session: Session | None = None,
        principal: Principal | None = None,
        until: float | None = None,
    ) -> Answer | None:
        """The answer to an admitted request, or None if its caller has been answered or does not want it any more.

        Its deadline is not later than `until`, on the clock of `time.monotonic`: for hosts that do not wait.
        Nothing but the cancellation of the surrounding task leaves here as an exception.
        """
        call = Call(
            request, line, in_flight, self, timeout=self._timeout, until=until, session=session, principal=principal
        )
        if self._observer is None:
            return await self._answer(call, in_flight)
        token, answer = self._observer.begin(call), None
        try:
            answer = await self._answer(call, in_flight)
        finally:
            self._observer.end(call, call.late_answer if answer is None else answer, token)
        return answer

    async def _answer(self, call: Call, in_flight: InFlight) -> Answer | None:
        request = call.request
        try:
            in_flight.admit(request.id)
            answer = await call.run(self._handler(request)(call))
        except ProtocolError as error:
            answer = error.failure
        except asyncio.CancelledError:
            if _is_being_cancelled():
                raise
            if call.settled:
                return None
            answer = self._broken(request)
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException:  # noqa: BLE001 - SystemExit, or a panic in a library written in Rust, ends no server
            answer = self._broken(request)
        if call.settled:
            return None
        call.settled = True
        return answer

    def timed_out(self, call: Call) -> Answer:
        """What a caller gets whose call has not ended at its deadline."""
        text = f"Timed out after {round(call.allowed or 0, 3):g} s"
        if call.request.method in {"tools/call", RUN}:
            return tool_error(text, Reason.TIMED_OUT)
        return ProtocolError(Code.INTERNAL_ERROR, text).failure

    def input_required(self, call: Call, questions: Questions) -> Answer:
        """What a modern caller gets whose call has questions; it calls again with the answers."""
        state = self._seal.close(questions.state(), principal=_owner(call), request=_digest_of(call))
        return {"resultType": "input_required", "inputRequests": questions.requests(), "requestState": state}

    def render(self, request: Request, answer: Answer) -> bytes:
        """The answer as the version of the request has it."""
        # Whoever found the handler has looked whether the service still describes itself in this way.
        rendering = (self._described or self._about())[2]
        try:
            message = rendering.answer(request, answer)
            return message if self._redact is None else self._redact(message)
        except Exception:  # noqa: BLE001 - a result that cannot be told, or not be cleaned, is owed an answer all the same
            return rendering.answer(request, self._broken(request))  # in which there is nothing to clean

    def render_notification(self, peer: Peer, method: str, params: Mapping[str, Any]) -> bytes:
        """A notification as the version of its receiver has it."""
        message = self._about()[2].notification(peer, method, params)
        return message if self._redact is None else self._redact(message)

    def redacted(self, message: bytes) -> bytes:
        """A message that somebody else has rendered, fit to be sent."""
        return message if self._redact is None else self._redact(message)

    def describe(self) -> Description:
        """What the service says of itself."""
        return self._service.describe()

    def open_feed(self, session: Session, principal: Principal | None = None) -> Feed:
        """News for a legacy client: of every list, and of the resources it has subscribed to."""
        return self._hub.open(
            lambda: Interest(ALL_LISTS, frozenset(session.resources)), partial(self._may_read, principal=principal)
        )

    def close_feeds(self) -> None:
        """End all news, with a proper answer to every subscription: the server is about to stop."""
        self._hub.end()

    def close_feed(self, feed: Feed) -> None:
        """The client of this feed is gone."""
        self._hub.close(feed)

    def _may_read(self, uri: str, principal: Principal | None) -> bool:
        try:
            self._service.check_reading(uri, principal)
        except ProtocolError:
            return False
        return True

    def _lists_offered(self) -> frozenset[str]:
        return lists_offered(self._about()[0].capabilities)

    def _about(self) -> tuple[Description, Prepared, Rendering]:
        """The service's description, and what is made of it once: the answer to discover, and the renderings."""
        source = self._service.describe()
        if self._described is None or self._describes is not source:
            self._describes = source
            description = source if self._news else without_news(source)
            discovered: dict[str, Any] = {
                "supportedVersions": list(reversed(ALL_VERSIONS)),
                "capabilities": description.capabilities,
                **description.cache,
            }
            if description.instructions is not None:
                discovered["instructions"] = description.instructions
            self._described = (description, Prepared(discovered), Rendering(description.server_info))
            self._handlers.clear()
        return self._described

    def _handler(self, request: Request) -> Handler:
        peer = request.peer
        description = self._about()[0]
        # An old version can only be agreed upon in a handshake; a request that carries one of its own is not served.
        if peer.version not in self._methods or (not peer.modern and modern.is_modern(request.params)):
            raise unsupported_version(peer.version)
        handler = self._handlers.get((peer.version, request.method))
        if handler is None:
            handler = self._find_handler(peer.version, request.method, description)
            self._handlers[peer.version, request.method] = handler
        return handler

    def _find_handler(self, version: str, method: str, description: Description) -> Handler:
        handler = self._methods[version].get(method) or description.methods.get(method)
        if handler is None or not _offered(method, description.capabilities):
            raise method_not_found(method)
        return handler

    def _broken(self, request: Request) -> Failure:
        reference = new_reference()
        logger.exception("%s failed [%s]", request.method, reference)  # noqa: LOG004 - called by a handler
        return internal_error(reference).failure

    # -- what a client asks in every version ---------------------------------------------------------------------

    def _list(self, kind: Kind) -> Handler:
        async def handler(call: Call) -> Result | Prepared:
            cursor = call.request.params.get("cursor")
            if cursor is not None and not isinstance(cursor, str):
                raise bad_cursor()
            return await self._service.list(kind, cursor, call)

        return handler

    async def _call_tool(self, call: Call) -> Result:
        params = call.request.params
        arguments: Json = params.get("arguments")
        if arguments is None:
            arguments = {}
        elif not isinstance(arguments, dict):
            raise invalid_params("arguments must be an object")
        self._may_ask(call)
        return await self._service.call_tool(text(params, "name"), arguments, call)

    async def _read_resource(self, call: Call) -> Result:
        self._may_ask(call)
        return await self._service.read_resource(text(call.request.params, "uri"), call)

    async def _get_prompt(self, call: Call) -> Result:
        arguments = texts(call.request.params, "arguments")
        self._may_ask(call)
        return await self._service.get_prompt(text(call.request.params, "name"), arguments, call)

    async def _complete(self, call: Call) -> Result:
        params = call.request.params
        argument = object_(params, "argument")
        context = texts(object_(params, "context", optional=True), "arguments")
        return await self._service.complete(
            object_(params, "ref"), text(argument, "name"), text(argument, "value"), context, call
        )

    def _may_ask(self, call: Call) -> None:
        """Let a modern call ask questions, and give it what it has learned in earlier rounds."""
        if not call.request.peer.modern:
            return
        call.may_ask = True
        params = call.request.params
        state, responses = params.get("requestState"), params.get("inputResponses")
        if state is None and responses is None:
            return
        content = None
        if state is not None:
            content = self._seal.open(text(params, "requestState"), principal=_owner(call), request=_digest_of(call))
        call.questions = Questions(content, responses)

    async def _about_tasks(self, call: Call) -> Result:
        source = self._service.tasks
        if source is None:
            raise method_not_found(call.request.method)
        return await _task_methods(source, self._hub).answer(call)

    # -- what only a modern client asks --------------------------------------------------------------------------

    async def _discover(self, call: Call) -> Prepared:  # noqa: ARG002 - the same for everybody
        return self._about()[1]

    async def _listen(self, call: Call) -> Result:
        may_read = partial(self._may_read, principal=call.principal)
        interest = Interest.from_filter(call.request.params, self._about()[0].capabilities)
        interest = replace(interest, resources=frozenset(filter(may_read, interest.resources)))
        source = self._service.tasks
        methods = None
        if source is not None and call.request.params["notifications"].get("taskIds") is not None:
            methods = _task_methods(source, self._hub)
            interest = replace(interest, tasks=await methods.watched(call))
        mark = {"_meta": {modern.SUBSCRIPTION_ID: call.request.id}}
        call.timeout = None
        # The feed is opened before the acknowledgement, so that nothing which happens after it can be missed.
        feed = self._hub.open(lambda: interest, may_read)
        call.ending = feed.end
        lifetime = self._listen_for
        ending = None if lifetime is None else asyncio.get_running_loop().call_later(lifetime, feed.end)
        try:
            acknowledged = {**mark, "notifications": interest.as_filter()}
            await call.notify("notifications/subscriptions/acknowledged", acknowledged)
            if methods is not None:
                await methods.tell(feed, interest.tasks, call, mark)
                return mark
            while (news := await feed.next()) is not None:
                await call.notify(news.method, {**news.params, **mark})
        finally:
            if ending is not None:
                ending.cancel()
            self._hub.close(feed)
        return mark


def _offered(method: str, capabilities: Mapping[str, Any]) -> bool:
    capability = _CAPABILITY.get(method)
    if capability is None:
        return True
    if capability not in capabilities:
        return False
    option = _OPTION.get(method)
    return option is None or capabilities[capability].get(option, False) is not False


def _task_methods(source: TaskSource, hub: Hub) -> TaskMethods:
    # Most servers have no tasks, and need not know how they are asked about.
    from mcp_server.engine.task_methods import TaskMethods  # noqa: PLC0415

    return TaskMethods(source, hub)


def _owner(call: Call) -> str | None:
    return None if call.principal is None else call.principal.name


def _digest_of(call: Call) -> bytes:
    return digest(call.request.method, call.request.params)


def _is_being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
