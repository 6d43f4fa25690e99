"""The registry as a `Service`: Python functions that answer.

This is the one place where a function written by somebody else is called, so it is here that whatever such a function
does (raise, hang, block, return nonsense) becomes an answer. A `ToolError` is meant for the caller. Everything else is
logged in full and masked: the caller gets a reference by which the log line can be found.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar, cast

from mcp_server import registry
from mcp_server.context import Context
from mcp_server.engine.asking import Unanswered
from mcp_server.engine.calls import new_reference
from mcp_server.engine.scopes import Hierarchy
from mcp_server.engine.service import Change, Description, Kind, ListChanged, Method
from mcp_server.engine.task_terms import TaskTerms
from mcp_server.protocol.errors import (
    Code,
    ProtocolError,
    Reason,
    bad_cursor,
    invalid_params,
    unknown_prompt,
    unknown_resource,
    unknown_tool,
)
from mcp_server.protocol.results import Prepared, Result, tool_error
from mcp_server.protocol.tasks import TASKS, Wish, never_as_task, wish_of, without_task
from mcp_server.registry import (
    BadCursor,
    Completer,
    Hidden,
    InvalidArguments,
    MirroredArgument,
    Page,
    RegistrationError,
    Registry,
    ResourceTemplate,
    Tool,
)
from mcp_server.threads import Threads
from mcp_server.tool_limits import ToolLimits

if TYPE_CHECKING:
    from mcp_server.engine.calls import Call, Principal
    from mcp_server.engine.engine import Observer
    from mcp_server.engine.neighbours import Neighbours
    from mcp_server.engine.tasks import Tasks

logger = logging.getLogger("mcp_server.tools")

T = TypeVar("T")

_IN_REGISTRY: Final[dict[Kind, registry.Kind]] = {
    Kind.TOOLS: "tools",
    Kind.RESOURCES: "resources",
    Kind.TEMPLATES: "templates",
    Kind.PROMPTS: "prompts",
}
_MOST_PAGES: Final = 1024
"""How many rendered pages are kept at once; a cursor can be written in more ways than there are pages."""
_KIND: Final = {name: kind for kind, name in _IN_REGISTRY.items()}
_ON_THE_WIRE: Final = {
    Kind.TOOLS: "tools",
    Kind.RESOURCES: "resources",
    Kind.TEMPLATES: "resourceTemplates",
    Kind.PROMPTS: "prompts",
}


class ToolError(Exception):
    """Raise it in a tool to tell the model what went wrong; its text reaches the caller as it is."""


class Served(Protocol):
    """What tools, resources, templates, prompts and completers have in common: a function to be called."""

    @property
    def function(self) -> Callable[..., Any]:
        """The author's function."""
        ...

    @property
    def is_async(self) -> bool:
        """Whether it runs on the event loop rather than in a thread."""
        ...


class LocalService:
    """Answers from a registry. `resources` is what the lifespan has yielded, while it lasts."""

    def __init__(
        self,
        catalogue: Registry,
        *,
        server_info: Mapping[str, Any],
        instructions: str | None = None,
        lifespan: Callable[[], AbstractAsyncContextManager[Any]] = contextlib.nullcontext,
        max_threads: int = 32,
        cache: Mapping[str, Any] | None = None,
        extensions: Mapping[str, Any] | None = None,
        hierarchy: Hierarchy | None = None,
    ) -> None:
        self._registry = catalogue
        self._server_info = server_info
        self._instructions = instructions
        self._lifespan = lifespan
        self._threads = Threads(max_threads)
        self._cache = cache or {"ttlMs": 0, "cacheScope": "private"}
        self._extensions = dict(extensions or {})
        self._methods: dict[str, Method] = {}
        self._checks: list[Callable[[], None]] = [self._check_dependencies]
        self._listeners: set[Callable[[Change], None]] = set()
        self._description: Description | None = None
        self._pages: dict[Page, Prepared] = {}
        self._seats: dict[str, tuple[int, asyncio.Semaphore]] = {}
        self.hierarchy = hierarchy or Hierarchy()
        self.limits = ToolLimits()
        self.resources: Any = None
        self._open = False
        self._tasks: Tasks | None = None
        self._keep_tasks: tuple[TaskTerms, Observer | None, Neighbours | None] = (TaskTerms(), None, None)
        catalogue.on_change(self._registry_changed)

    def describe(self) -> Description:
        """Whatever is registered is offered; tools always are, as they may be registered later."""
        if self._description is None:
            capabilities: dict[str, Any] = {"tools": {"listChanged": True}, "logging": {}}
            if self._registry.resources or self._registry.templates:
                capabilities["resources"] = {"subscribe": True, "listChanged": True}
            if self._registry.prompts:
                capabilities["prompts"] = {"listChanged": True}
            if any(item.completers for item in (*self._registry.prompts.values(), *self._registry.templates.values())):
                capabilities["completions"] = {}
            extensions: dict[str, Any] = {**self._extensions, **({TASKS: {}} if self._offers_tasks() else {})}
            if extensions:
                capabilities["extensions"] = extensions
            self._description = Description(
                self._server_info, capabilities, self._instructions, self._cache, dict(self._methods)
            )
        return self._description

    @property
    def extensions(self) -> Mapping[str, Mapping[str, Any]]:
        """The extensions that clients are told of, with their settings."""
        return self._extensions

    @property
    def methods(self) -> Mapping[str, Method]:
        """What the extensions answer, by method."""
        return self._methods

    def extend(
        self,
        identifier: str,
        settings: Mapping[str, Any],
        methods: Mapping[str, Callable[[Mapping[str, Any], Context], Awaitable[Result]]],
    ) -> None:
        """Tell clients of an extension, and answer its methods."""
        self._extensions[identifier] = dict(settings)
        self._methods.update({name: self._method(answer) for name, answer in methods.items()})
        self._description = None

    def before_start(self, check: Callable[[], None]) -> None:
        """Have something checked before the first request; what it raises stops the start."""
        self._checks.append(check)

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        """Run the author's own lifespan, and make sure that it yields what the functions ask for."""
        async with self._lifespan() as resources:
            self.resources = resources
            for check in self._checks:
                check()
            try:
                async with self._keeping_tasks():
                    yield
            finally:
                self.resources = None

    def keep_tasks(self, terms: TaskTerms, observer: Observer | None, neighbours: Neighbours | None) -> None:
        """On which terms tasks are kept from the next lifespan on, who sees them, and who else shares them."""
        self._keep_tasks = (terms, observer, neighbours)
        self._description = None

    def drain(self) -> None:
        """The server is about to stop."""
        if self._tasks is not None:
            self._tasks.drain()

    @property
    def tasks(self) -> Tasks | None:
        """Who answers for tasks, made when the first tool has one."""
        if self._tasks is None and self._open and self._offers_tasks():
            from mcp_server.engine.tasks import Tasks  # noqa: PLC0415 - only servers that have tasks need them

            terms, observer, neighbours = self._keep_tasks
            name: str = self._server_info["name"]
            self._tasks = Tasks(terms, name, self.publish, observer=observer, neighbours=neighbours)
        return self._tasks

    @asynccontextmanager
    async def _keeping_tasks(self) -> AsyncGenerator[None]:
        self._open = True
        try:
            if self.tasks is not None:
                await self.tasks.start()
            yield
        finally:
            self._open = False
            tasks, self._tasks = self._tasks, None
            if tasks is not None:
                await tasks.close()

    def _offers_tasks(self) -> bool:
        return self._keep_tasks[0].offered and any(tool.task is not None for tool in self._registry.tools.values())

    def watch(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        """Tell this listener of changes until the returned function is called."""
        self._listeners.add(listener)
        return lambda: self._listeners.discard(listener)

    def publish(self, change: Change) -> None:
        """Tell every listener of a change."""
        for listener in list(self._listeners):
            listener(change)

    async def list(self, kind: Kind, cursor: str | None, call: Call) -> Prepared:
        """A page of a list of what the caller may do, rendered once and kept until the list changes."""
        try:
            page = self._registry.page(_IN_REGISTRY[kind], cursor, self.hierarchy.held_by(call.principal))
        except BadCursor as error:
            raise bad_cursor() from error
        kept = self._pages.get(page)
        if kept is None:
            if len(self._pages) >= _MOST_PAGES:
                self._pages.clear()
            kept = self._pages[page] = self._prepared(kind, page)
        return kept

    def _prepared(self, kind: Kind, page: Page) -> Prepared:
        result: dict[str, Any] = {_ON_THE_WIRE[kind]: page.items, **self._cache}
        if page.next_cursor is not None:
            result["nextCursor"] = page.next_cursor
        if self._registry.scopes(_IN_REGISTRY[kind]):
            result["cacheScope"] = "private"  # others see another list
        return Prepared(result)

    def mirrored_arguments(self, tool: str) -> tuple[MirroredArgument, ...]:
        """The arguments of a tool that clients repeat in HTTP headers."""
        found = self._registry.tools.get(tool)
        return () if found is None else found.headers

    async def call_tool(self, name: str, arguments: dict[str, Any], call: Call) -> Result:
        """Call a tool; whatever goes wrong in it is a result that says so, and says no more than it should."""
        tool = self._registry.tools.get(name)
        if tool is None:
            raise unknown_tool(name)
        if tool.scopes:
            self.hierarchy.check(call.principal, tool.scopes)
        if tool.rate_limit is not None or tool.task is not None or "task" in call.request.params:
            instead = await self._instead(tool, arguments, call)
            if instead is not None:
                return instead
        if tool.timeout is not None:
            call.timeout = tool.timeout
        try:
            values = tool.arguments(arguments)
        except InvalidArguments as error:
            return tool_error(str(error), Reason.INVALID_ARGUMENTS)
        try:
            if tool.concurrency is None:
                return await self._invoke(tool, tool.hidden, values, call, tool.result)
            async with self._seats_of(tool.name, tool.concurrency):
                return await self._invoke(tool, tool.hidden, values, call, tool.result)
        except (ToolError, Unanswered) as error:
            return tool_error(str(error))
        except ProtocolError as error:
            if error.failure.code == Code.MISSING_CAPABILITY and not call.request.peer.modern:
                return tool_error(str(error))  # an error that older clients have never heard of
            raise
        except (Exception, SystemExit):
            call.reference = reference = new_reference()
            logger.exception("Tool %s failed [%s]", name, reference)
            return tool_error(f"Tool execution failed [{reference}]", Reason.TOOL_FAILED)

    async def _instead(self, tool: Tool, arguments: dict[str, Any], call: Call) -> Result | None:
        """What a call is answered with instead of the tool's result: a refusal, or a task; None if with neither."""
        if call.task is not None:
            return None
        refusal = await self.limits.refusal(tool, None if call.principal is None else call.principal.name)
        return await self._begun(tool, arguments, call) if refusal is None else refusal

    async def _begun(self, tool: Tool, arguments: dict[str, Any], call: Call) -> Result | None:
        """The task that a call is answered with; None if its own result is awaited, or its arguments are none."""
        wish = wish_of(call.request)
        if tool.task is None:
            if wish is not None and not call.request.peer.modern and self._offers_tasks():
                raise never_as_task()
            return None
        tasks = self.tasks
        if tasks is None:
            if tool.task == "required":
                return tool_error("This tool runs as a task, and this host does not keep tasks", Reason.NO_TASKS_HERE)
            return None
        if wish is None:
            return without_task(call.request) if tool.task == "required" else None
        with contextlib.suppress(InvalidArguments):
            tool.arguments(arguments)
            return await self._begin(tasks, tool, arguments, wish, call)
        return None

    async def _begin(
        self, tasks: Tasks, tool: Tool, arguments: dict[str, Any], wish: Wish, call: Call
    ) -> Result | None:
        begin = functools.partial(
            tasks.begin, call, tool.name, wish, functools.partial(self.call_tool, tool.name, arguments)
        )
        if tool.task_begins == "at_once" or not call.request.peer.modern:
            return await begin()
        call.begin_task = functools.partial(tasks.begin_instead, call, begin)
        return None

    async def read_resource(self, uri: str, call: Call) -> Result:
        """Read a resource, be it registered as such or as one of a template's."""
        found = self._registry.find_resource(uri)
        if found is None:
            raise unknown_resource(uri)
        resource, variables = found
        if resource.scopes:
            self.hierarchy.check(call.principal, resource.scopes)
        if resource.timeout is not None:
            call.timeout = resource.timeout
        try:
            values = resource.arguments(variables) if isinstance(resource, ResourceTemplate) else {}
        except InvalidArguments as error:
            raise unknown_resource(uri) from error
        contents = functools.partial(resource.contents, uri=uri)
        return {
            "contents": await self._ask(resource, resource.hidden, values, call, contents),
            "ttlMs": self._cache["ttlMs"] if resource.ttl_ms is None else resource.ttl_ms,
            "cacheScope": resource.kept_for or self._cache["cacheScope"],
        }

    def check_reading(self, uri: str, principal: Principal | None) -> None:
        """Refuse who must not read a resource."""
        if self.hierarchy.held_by(principal) is None:
            return
        found = self._registry.find_resource(uri)
        if found is not None:
            self.hierarchy.check(principal, found[0].scopes)

    async def get_prompt(self, name: str, arguments: dict[str, str], call: Call) -> Result:
        """Fill in a prompt."""
        prompt = self._registry.prompts.get(name)
        if prompt is None:
            raise unknown_prompt(name)
        if prompt.scopes:
            self.hierarchy.check(call.principal, prompt.scopes)
        if prompt.timeout is not None:
            call.timeout = prompt.timeout
        try:
            values = prompt.arguments(arguments)
        except InvalidArguments as error:
            raise invalid_params(str(error)) from error
        return await self._ask(prompt, prompt.hidden, values, call, prompt.result)

    async def complete(
        self,
        reference: Mapping[str, Any],
        argument: str,
        value: str,
        context: Mapping[str, str],
        call: Call,
    ) -> Result:
        """Propose values; there are none for an argument that nobody completes."""
        completer = self._completers(reference, call.principal).get(argument)
        if completer is None:
            return {"completion": {"values": []}}
        given = completer.arguments(value, context)
        if completer.is_async:
            found = await completer.function(*given)
        else:
            found = await self._threads.run(functools.partial(completer.function, *given))
        return {"completion": completer.result(found)}

    def _completers(self, reference: Mapping[str, Any], principal: Principal | None) -> Mapping[str, Completer]:
        name, uri = reference.get("name"), reference.get("uri")
        match reference.get("type"):
            case "ref/prompt" if isinstance(name, str):
                prompt = self._registry.prompts.get(name)
                if prompt is None:
                    raise unknown_prompt(name)
                self.hierarchy.check(principal, prompt.scopes)
                return prompt.completers
            case "ref/resource" if isinstance(uri, str):
                template = self._registry.templates.get(uri)
                if template is None and uri not in self._registry.resources:
                    raise unknown_resource(uri)
                if template is None:
                    return {}
                self.hierarchy.check(principal, template.scopes)
                return template.completers
            case _:
                raise invalid_params('ref must be {"type": "ref/prompt", "name"} or {"type": "ref/resource", "uri"}')

    def _method(self, answer: Callable[[Mapping[str, Any], Context], Awaitable[Result]]) -> Method:
        async def handler(call: Call) -> Result:
            params = {name: value for name, value in call.request.params.items() if name != "_meta"}
            try:
                return await answer(params, Context(call, self))
            except (ToolError, Unanswered) as error:
                raise ProtocolError(Code.INTERNAL_ERROR, str(error)) from error

        return handler

    async def _ask(
        self, served: Served, hidden: Sequence[Hidden], values: dict[str, Any], call: Call, render: Callable[[Any], T]
    ) -> T:
        """Call a function whose answer has no form for a failure, so that a failure is an error of the protocol."""
        try:
            return await self._invoke(served, hidden, values, call, render)
        except (ToolError, Unanswered) as error:
            raise ProtocolError(Code.INTERNAL_ERROR, str(error)) from error

    async def _invoke(
        self, served: Served, hidden: Sequence[Hidden], values: dict[str, Any], call: Call, render: Callable[[Any], T]
    ) -> T:
        """Call a function, and render what it returns where it ran, as that may mean to read a file."""
        if hidden:
            values = {**values, **{each.name: self._hidden(each, call) for each in hidden}}
        if served.is_async:
            return render(await served.function(**values))
        return await self._threads.run(lambda: render(served.function(**values)))

    def _hidden(self, hidden: Hidden, call: Call) -> Any:
        return Context(call, self) if hidden.kind == "context" else self._dependency(hidden)

    def _dependency(self, hidden: Hidden) -> Any:
        """What the lifespan has for a parameter: itself if the type fits, else its entry or attribute of that name."""
        resources = self.resources
        if _is_instance(resources, hidden.type):
            return resources
        if isinstance(resources, Mapping):
            by_name = cast("Mapping[str, Any]", resources)
            if hidden.name in by_name:
                return by_name[hidden.name]
        elif hasattr(resources, hidden.name):
            return getattr(resources, hidden.name)
        raise RegistrationError(
            f"nothing to give for the parameter `{hidden.name}`: let the server's lifespan yield a "
            f"{getattr(hidden.type, '__name__', hidden.type)}, or a mapping with {hidden.name!r} in it"
        )

    def _check_dependencies(self) -> None:
        found = self._registry
        for items in (found.tools, found.resources, found.templates, found.prompts):
            for item in items.values():
                for hidden in item.hidden:
                    if hidden.kind == "injected":
                        self._dependency(hidden)

    def _seats_of(self, tool: str, limit: int) -> asyncio.Semaphore:
        known = self._seats.get(tool)
        if known is None or known[0] != limit:
            known = self._seats[tool] = (limit, asyncio.Semaphore(limit))
        return known[1]

    def _registry_changed(self, kind: registry.Kind) -> None:
        self._description = None
        self._pages.clear()
        self.publish(ListChanged(_KIND[kind]))


def _is_instance(value: Any, kind: Any) -> bool:
    try:
        return isinstance(value, kind)
    except TypeError:  # a generic type, or a protocol that cannot be asked
        return False
