"""What a tool, a resource or a prompt gets to know about the call that it serves, and can say while it lasts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar, overload

from pydantic import BaseModel
from typing_extensions import deprecated

from mcp_server import asking
from mcp_server.asking import Elicited, Sampled
from mcp_server.engine.service import Kind, ListChanged, ResourceUpdated
from mcp_server.protocol.errors import missing_capability
from mcp_server.protocol.messages import is_object

if TYPE_CHECKING:
    from mcp_server.engine.calls import Call, Principal
    from mcp_server.engine.service import Change
    from mcp_server.local import LocalService

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)

LogLevel = Literal["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"]


# Each warning appears once for each place that calls, as Python's warnings do.
_LOGGING: Final = "Logging is deprecated since MCP 2026-07-28: use Python's logging, or OpenTelemetry"
_SAMPLING: Final = "Sampling is deprecated since MCP 2026-07-28: ask a model provider directly"
_ROOTS: Final = "Roots are deprecated since MCP 2026-07-28: take directories from arguments or settings"


class Context:
    """The call being served; ask for it with a parameter of this type, which callers never see.

    Its methods are coroutines. A plain `def` function runs in a thread, from which `ctx.wait(ctx.progress(1))` calls
    one of them.
    """

    __slots__ = ("_call", "_loop", "_service")

    def __init__(self, call: Call, service: LocalService) -> None:
        self._call = call
        self._service = service
        self._loop = asyncio.get_running_loop()

    @property
    def request_id(self) -> int | str:
        """The id that the caller gave its request; unique only among that caller's unfinished requests."""
        return self._call.request.id

    @property
    def principal(self) -> Principal | None:
        """Who calls, as authentication has found; None where nobody had to say."""
        return self._call.principal

    def may(self, *scopes: str) -> bool:
        """Whether the caller has all of these scopes, its own or implied; a key, or no principal at all, has every one.

        For what depends on an argument; what a tool always needs stands in its `scopes`.
        """
        return self._service.hierarchy.allow(self._call.principal, frozenset(scopes))

    @property
    def protocol_version(self) -> str:
        """The version of MCP that the caller speaks."""
        return self._call.request.peer.version

    @property
    def client_info(self) -> Mapping[str, Any] | None:
        """What the client calls itself, which is no proof of anything."""
        return self._call.request.peer.info

    @property
    def client_capabilities(self) -> Mapping[str, Any]:
        """What the client says it can do."""
        return self._call.request.peer.capabilities

    def client_extension(self, identifier: str) -> Mapping[str, Any] | None:
        """The client's settings of an extension of the protocol; None if it has not declared that it knows it."""
        extensions = self.client_capabilities.get("extensions")
        settings = extensions.get(identifier) if is_object(extensions) else None
        return settings if is_object(settings) else None

    def require_extension(self, identifier: str) -> Mapping[str, Any]:
        """The client's settings of an extension without which this call makes no sense.

        Raises:
            ProtocolError: The client has not declared it; it is told what to declare.
        """
        settings = self.client_extension(identifier)
        if settings is None:
            raise missing_capability({"extensions": {identifier: {}}})
        return settings

    @property
    def meta(self) -> Mapping[str, Any]:
        """The request's `_meta`."""
        return self._call.request.meta

    @property
    def deadline(self) -> float | None:
        """When the caller is told that it took too long, on the clock of `time.monotonic`."""
        return self._call.deadline

    @property
    def lifespan(self) -> Any:
        """What the server's lifespan has yielded."""
        return self._service.resources

    async def progress(self, progress: float, total: float | None = None, message: str | None = None) -> None:
        """Tell the caller how far the work is; nothing happens if it did not ask, or has heard of more already."""
        await self._call.progress(progress, total, message)

    report_progress = progress

    @deprecated(_LOGGING)
    async def log(self, level: LogLevel, message: Any, *, logger: str | None = None) -> None:
        """Send the caller a log message, a text or any JSON value, if it wants messages of this level."""
        await self._call.log(level, message, logger)

    @deprecated(_LOGGING)
    async def debug(self, message: Any, *, logger: str | None = None) -> None:
        """Log at level debug, to the caller."""
        await self._call.log("debug", message, logger)

    @deprecated(_LOGGING)
    async def info(self, message: Any, *, logger: str | None = None) -> None:
        """Log at level info, to the caller."""
        await self._call.log("info", message, logger)

    @deprecated(_LOGGING)
    async def warning(self, message: Any, *, logger: str | None = None) -> None:
        """Log at level warning, to the caller."""
        await self._call.log("warning", message, logger)

    @deprecated(_LOGGING)
    async def error(self, message: Any, *, logger: str | None = None) -> None:
        """Log at level error, to the caller."""
        await self._call.log("error", message, logger)

    @overload
    async def elicit(self, message: str, schema: type[M], *, key: str | None = None) -> Elicited[M]: ...
    @overload
    async def elicit(
        self, message: str, schema: Mapping[str, Any], *, key: str | None = None
    ) -> Elicited[dict[str, Any]]: ...
    async def elicit(
        self, message: str, schema: type[BaseModel] | Mapping[str, Any], *, key: str | None = None
    ) -> Elicited[Any]:
        """Have the user fill in a form: a model with plain fields, or its JSON Schema.

        A client of 2026-07-28 calls anew with the answer, so the function runs again from its beginning, and what
        stands before a question may happen twice; see `once`. Give a `key` where questions depend on chance or time.

        Raises:
            ProtocolError: The client has not declared that it can show forms.
            Unanswered: It could not after all.
        """
        return await asking.elicit_form(self._call, message, schema, key)

    async def elicit_url(self, message: str, url: str, *, key: str | None = None) -> Elicited[None]:
        """Have the user visit a page, for secrets and payments, which must not pass through the client.

        The address begins with `https://`, says nothing about the user and opens nothing by itself, as whoever gets it
        can visit it. The page finds out who visits, and that it is the `principal` of this call, before it takes
        anything.

        Raises:
            ValueError: It is no such address.
        """
        return await asking.elicit_url(self._call, message, url, key)

    @deprecated(_SAMPLING)
    async def sample(
        self,
        messages: str | Sequence[Any],
        *,
        max_tokens: int = 1024,
        system_prompt: str | None = None,
        temperature: float | None = None,
        stop_sequences: Sequence[str] | None = None,
        model_preferences: Mapping[str, Any] | None = None,
        key: str | None = None,
    ) -> Sampled:
        """Have the client's model say something."""
        options = {
            "maxTokens": max_tokens,
            "systemPrompt": system_prompt,
            "temperature": temperature,
            "stopSequences": None if stop_sequences is None else list(stop_sequences),
            "modelPreferences": model_preferences,
        }
        return await asking.sample(self._call, messages, options, key)

    @deprecated(_ROOTS)
    async def roots(self, *, key: str | None = None) -> list[dict[str, Any]]:
        """The directories that the client works in: each has a `uri` and perhaps a `name`."""
        return await asking.roots(self._call, key)

    async def once(self, key: str, work: Callable[[], Awaitable[T]]) -> T:
        """Do something a single time, however often the function runs anew for the sake of a question.

        What it returns must be JSON: it travels to the client and back, sealed, and comes back as JSON has it.
        """
        questions = self._call.open_questions
        if questions is None:
            return await work()
        done, value = questions.outcome(key)
        if not done:
            value = await work()
            questions.record_outcome(key, value)
        return value

    async def begin_task(self) -> None:
        """From here on the call is a task, for a tool that has `task_begins="when_told"`.

        The caller gets the task for an answer, and the function runs in it from its beginning, with what has been
        answered so far; so what stands before this may happen twice, as with a question. In the task, and for a caller
        who waits for the result itself, this does nothing.
        """
        if self._call.begin_task is not None:
            await self._call.begin_task()

    async def read_resource(self, uri: str) -> list[dict[str, Any]]:
        """The contents of one of this server's own resources; raises `ProtocolError` if there is none."""
        result = await self._service.read_resource(uri, self._call)
        return result["contents"]

    def notify_tools_changed(self) -> None:
        """Tell listeners that the list of tools has changed; additions and removals are told without this."""
        self._publish(ListChanged(Kind.TOOLS))

    def notify_resources_changed(self) -> None:
        """Tell listeners that the list of resources has changed."""
        self._publish(ListChanged(Kind.RESOURCES))

    def notify_prompts_changed(self) -> None:
        """Tell listeners that the list of prompts has changed."""
        self._publish(ListChanged(Kind.PROMPTS))

    def notify_resource_updated(self, uri: str) -> None:
        """Tell those who watch this resource that it has changed."""
        self._publish(ResourceUpdated(uri))

    def wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run one of this object's coroutines from the thread of a plain `def` function."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def _publish(self, change: Change) -> None:
        self._service.publish(change)
