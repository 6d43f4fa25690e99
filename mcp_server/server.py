"""The public face: a `Server`, its decorators, and the ways to run it.

A server is a registry with a name. What it takes to answer, and over which wire, is decided when it is run, so that one
server object serves any number of transports, and none of them is imported before it is used.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Collection, Container, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path
from types import EllipsisType
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypeVar, overload

from typing_extensions import Unpack

from mcp_server.context import Context
from mcp_server.engine.engine import DEFAULT_TIMEOUT, METHODS, Engine, Observer
from mcp_server.engine.scopes import Hierarchy
from mcp_server.engine.sealing import Seal
from mcp_server.engine.service import ResourceUpdated
from mcp_server.engine.task_terms import TaskTerms
from mcp_server.local import LocalService
from mcp_server.registry import (
    Icon,
    Lint,
    Prompt,
    PromptOptions,
    RegistrationError,
    Registry,
    Resource,
    ResourceOptions,
    ResourceTemplate,
    Tool,
    fixed_resource,
    is_template,
    prompt_from,
    resource_from,
    template_from,
    tool_from,
)
from mcp_server.registry.listing import without_none
from mcp_server.tool_limits import checked_rates

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

    from mcp_server.aws_lambda import LambdaHandler
    from mcp_server.engine.neighbours import Neighbours
    from mcp_server.extensions.apps import AppOptions, AppToolOptions
    from mcp_server.extensions.contract import Extension
    from mcp_server.extensions.skills import Skills
    from mcp_server.guards.windows import Windows
    from mcp_server.oauth.approvals import Person
    from mcp_server.settings import Settings
    from mcp_server.stores import Store
    from mcp_server.testing import Answers, TestClient

SignIn: TypeAlias = "Callable[[Request], Awaitable[Person | Response | None]]"
F = TypeVar("F", bound=Callable[..., Any])
Lifespan: TypeAlias = "Callable[[Server], AbstractAsyncContextManager[Any]]"
Decorator: TypeAlias = Callable[[F], F]

DEFAULT_THREADS: Final = 32


class Server:
    """A named set of tools, resources and prompts, to be served to any MCP client.

    Args:
        name: What the server calls itself, such as `catalog`.
        version: The version of your code, not of the protocol.
        title: The name that people see.
        instructions: What a model should know before it uses any tool.
        description: What the server is, in a sentence, for people.
        website_url: Where to read more.
        icons: Pictures for lists of servers.
        lifespan: A function from this server to an async context manager, entered before the first call. What it
            yields is `ctx.lifespan`, and is where parameters marked `Inject[...]` come from.
        timeout: How long a call may take, in seconds, unless its tool says otherwise; None for ever. If it is not
            given, the operator says (`TOOL_TIMEOUT`, 10 s), or over stdio it is 60 s.
        max_threads: How many plain `def` functions may run at once.
        ignored_arguments: Arguments that some clients add to every call, to be dropped rather than refused.
        lint: What happens to a tool that lets callers send any amount, and to a misleading URI: it is reported
            (`warn`), refused (`error`), or neither (`off`).
        page_size: How many entries a list shows at once. Several clients read only the first page.
        ttl_ms: How long clients may keep lists and resources, in milliseconds.
        cache_scope: Whether what they keep may be shared between users (`public`) or not (`private`).
        extensions: Extensions of the protocol that your tools and resources implement, by identifier, with their
            settings: `{"io.modelcontextprotocol/ui": {}}`. Clients of every version are told.
        scope_hierarchy: Which scopes imply which, for callers with tokens: `{"admin": ["write"], "write": ["read"]}`.
        redact: What has the last word on every message to a client, such as `blot_out_keys`, or a function of yours
            that knows what must not leave. It gets JSON, and gives JSON back; what it cannot clean does not go out.
    """

    def __init__(
        self,
        name: str,
        *,
        version: str = "0.0.0",
        title: str | None = None,
        instructions: str | None = None,
        description: str | None = None,
        website_url: str | None = None,
        icons: Iterable[Icon] = (),
        lifespan: Lifespan | None = None,
        timeout: float | EllipsisType | None = ...,
        max_threads: int = DEFAULT_THREADS,
        ignored_arguments: Collection[str] = (),
        lint: Lint = "warn",
        page_size: int = 1000,
        ttl_ms: int = 0,
        cache_scope: Literal["public", "private"] = "private",
        extensions: Mapping[str, Mapping[str, Any]] | None = None,
        scope_hierarchy: Mapping[str, Collection[str]] | None = None,
        redact: Callable[[str], str] | None = None,
    ) -> None:
        if not name:
            raise RegistrationError("a server needs a name: write Server('catalog')")
        if extensions:
            from mcp_server.extensions.contract import check_identifier  # noqa: PLC0415 - most servers have none

            for identifier in extensions:
                check_identifier(identifier)
        self.name = name
        self.title = title or name
        self.version = version
        self.registry = Registry(ignored_arguments=frozenset(ignored_arguments), lint=lint, page_size=page_size)
        self._timeout = timeout
        self._redact = redact
        self._checks_apps = False
        self._ready_checks: list[Callable[[], Awaitable[None]]] = []
        self.signing_in: SignIn | None = None
        """The author's own way of knowing who signs in, where this server issues tokens; see `sign_in`."""
        self._service = LocalService(
            self.registry,
            server_info=without_none(
                {
                    "name": name,
                    "version": version,
                    "title": title,
                    "description": description,
                    "websiteUrl": website_url,
                    "icons": [icon.listing() for icon in icons] or None,
                }
            ),
            instructions=instructions,
            lifespan=nullcontext if lifespan is None else lambda: lifespan(self),
            max_threads=max_threads,
            cache={"ttlMs": ttl_ms, "cacheScope": cache_scope},
            extensions=extensions,
            hierarchy=_hierarchy(scope_hierarchy),
        )

    @property
    def known_methods(self) -> Container[str]:
        """The methods that exist in some version or in an extension, as they are at any moment."""
        return _KnownMethods(self._service)

    @property
    def known_names(self) -> Container[str]:
        """The names of tools and prompts, as they are at any moment; for labels, which strangers must not invent."""
        return _KnownNames(self.registry)

    @property
    def hierarchy(self) -> Hierarchy:
        """Which scopes imply which."""
        return self._service.hierarchy

    # -- tools ---------------------------------------------------------------------------------------------------

    @overload
    def tool(self, function: F, /) -> F: ...
    @overload
    def tool(self, /, **options: Unpack[AppToolOptions]) -> Decorator[Any]: ...
    def tool(self, function: F | None = None, /, **options: Unpack[AppToolOptions]) -> F | Decorator[Any]:
        """Register a function as a tool, as `@server.tool` or `@server.tool(read_only=True)`.

        The function is returned as it is, so it can still be called and tested. Raises `RegistrationError`, which says
        what to write instead.
        """
        if function is not None:
            self.add_tool(function)
            return function

        def decorate(function: F) -> F:
            self.add_tool(function, **options)
            return function

        return decorate

    def add_tool(self, function: Callable[..., Any], **options: Unpack[AppToolOptions]) -> Tool:
        """Register a tool, at any time; clients that listen are told."""
        if "ui" in options or "ui_visibility" in options:
            from mcp_server.extensions.apps import as_tool  # noqa: PLC0415 - most servers have no apps

            tool = tool_from(function, context_type=Context, **as_tool(function, options))
            self._has_apps()
        else:
            tool = tool_from(function, context_type=Context, **options)
        if tool.rate_limit is not None:
            checked_rates(tool)
        self.registry.add(tool)
        return tool

    def remove_tool(self, name: str) -> None:
        """Take a tool away; raises `KeyError` if there is none of this name."""
        self.registry.remove("tools", name)

    # -- resources -----------------------------------------------------------------------------------------------

    def resource(self, uri: str, **options: Unpack[ResourceOptions]) -> Decorator[Any]:
        """Register a function as the resource at a URI, or at every URI of a template such as `item://{id}`."""

        def decorate(function: F) -> F:
            self.add_resource(function, uri, **options)
            return function

        return decorate

    def add_resource(
        self, content: Callable[..., Any] | str | bytes, uri: str, **options: Unpack[ResourceOptions]
    ) -> Resource | ResourceTemplate:
        """Register a resource, at any time: a function, or the text or bytes themselves."""
        item: Resource | ResourceTemplate
        if isinstance(content, str):
            item = fixed_resource(uri, text=content, **options)
        elif isinstance(content, bytes):
            item = fixed_resource(uri, data=content, **options)
        elif is_template(uri):
            item = template_from(content, uri, context_type=Context, **options)
        else:
            item = resource_from(content, uri, context_type=Context, **options)
        self.registry.add(item)
        return item

    def remove_resource(self, uri: str) -> None:
        """Take a resource or a template away; raises `KeyError` if there is none."""
        self.registry.remove("templates" if is_template(uri) else "resources", uri)

    def resource_updated(self, uri: str) -> None:
        """Tell the clients that watch this resource that it has changed; may be called from any thread."""
        self._service.publish(ResourceUpdated(uri))

    # -- extensions ----------------------------------------------------------------------------------------------

    def extend(self, extension: Extension) -> None:
        """Add an extension of the protocol: clients of every version are told of it, and may call its methods."""
        from mcp_server.extensions.contract import check_identifier, check_methods  # noqa: PLC0415 - most have none

        check_identifier(extension.identifier)
        if extension.identifier in self._service.extensions:
            raise RegistrationError(f"the extension {extension.identifier} is there already")
        check_methods(extension.methods, self._service.methods)
        self._service.extend(extension.identifier, extension.settings, extension.methods)

    def app(self, uri: str, **options: Unpack[AppOptions]) -> Decorator[Any]:
        """Register a function as an app: it returns the HTML that hosts show beside the result of a tool.

        A tool names it: `@server.tool(ui="ui://clock/face")`.
        """

        def decorate(function: F) -> F:
            self.add_app(function, uri, **options)
            return function

        return decorate

    def add_app(self, page: Callable[..., Any] | str | Path, uri: str, **options: Unpack[AppOptions]) -> Resource:
        """Register an app: a function that returns its HTML, the HTML itself, or the file that has it."""
        from mcp_server.extensions.apps import app_from  # noqa: PLC0415 - most servers have no apps

        resource = app_from(page, uri, **options)
        self.registry.add(resource)
        self._has_apps()
        return resource

    def add_skills(
        self, folder: str | Path, *, ttl_ms: int = 0, cache_scope: Literal["public", "private"] = "private"
    ) -> Skills:
        """Serve a folder of skills, each a folder in it with a `SKILL.md`; experimental, as hosts differ yet.

        The files are read now. `reload` of what this returns reads them again.
        """
        from mcp_server.extensions.skills import Skills  # noqa: PLC0415 - it brings a parser that others do not need

        skills = Skills(self.registry, folder, ttl_ms=ttl_ms, cache_scope=cache_scope)
        self.extend(skills)
        return skills

    def _has_apps(self) -> None:
        from mcp_server.extensions.apps import UI, check_apps  # noqa: PLC0415 - most servers have no apps

        if self._checks_apps:
            return
        self._checks_apps = True
        self._service.before_start(lambda: check_apps(self.registry))
        if UI not in self._service.extensions:
            self._service.extend(UI, {}, {})

    # -- prompts -------------------------------------------------------------------------------------------------

    @overload
    def prompt(self, function: F, /) -> F: ...
    @overload
    def prompt(self, /, **options: Unpack[PromptOptions]) -> Decorator[Any]: ...
    def prompt(self, function: F | None = None, /, **options: Unpack[PromptOptions]) -> F | Decorator[Any]:
        """Register a function as a prompt, as `@server.prompt` or `@server.prompt(title="Review")`."""
        if function is not None:
            self.add_prompt(function)
            return function

        def decorate(function: F) -> F:
            self.add_prompt(function, **options)
            return function

        return decorate

    def add_prompt(self, function: Callable[..., Any], **options: Unpack[PromptOptions]) -> Prompt:
        """Register a prompt, at any time; clients that listen are told."""
        prompt = prompt_from(function, context_type=Context, **options)
        self.registry.add(prompt)
        return prompt

    def remove_prompt(self, name: str) -> None:
        """Take a prompt away; raises `KeyError` if there is none of this name."""
        self.registry.remove("prompts", name)

    # -- completions ---------------------------------------------------------------------------------------------

    def completion(self, of: str, argument: str) -> Decorator[Any]:
        """Register a function that proposes values, for an argument of a prompt or a variable of a template.

        `of` is the name of the prompt or the URI template. The function takes the text so far, and optionally the
        other arguments as a dictionary, and returns a list of strings or a `Completion`.
        """

        def decorate(function: F) -> F:
            self.add_completion(of, argument, function)
            return function

        return decorate

    def add_completion(self, of: str, argument: str, function: Callable[..., Any]) -> None:
        """Register a completer, at any time."""
        kind = "prompts" if of in self.registry.prompts else "templates"
        self.registry.complete(kind, of, argument, function)

    # -- running -------------------------------------------------------------------------------------------------

    def engine(
        self,
        *,
        timeout: float | None = DEFAULT_TIMEOUT,
        observer: Observer | None = None,
        redact: Callable[[bytes], bytes] | None = None,
        listen_for: float | None = None,
        windows: Windows | None = None,
        seal: Seal | None = None,
        news: bool = True,
        neighbours: Neighbours | None = None,
        tasks: TaskTerms | None = None,
    ) -> Engine:
        """The engine that answers for this server, for transports of your own; `timeout` yields to the server's.

        Without `tasks`, tasks are kept in memory, and end with this process.
        """
        own = self._timeout
        if windows is not None:
            self._service.limits.count_in(windows)
        self._service.keep_tasks(tasks or TaskTerms(), observer, neighbours)
        return Engine(
            self._service,
            timeout=timeout if isinstance(own, EllipsisType) else own,
            observer=observer,
            redact=redact if self._redact is None else _in_turn(redact, self._redact),
            listen_for=listen_for,
            seal=seal,
            news=news,
            neighbours=neighbours,
        )

    def http_app(self, settings: Settings | None = None) -> Starlette:
        """The server as a Starlette application; without settings, they come from the environment."""
        from mcp_server.http_server import http_app  # noqa: PLC0415 - a server on stdio never needs it
        from mcp_server.settings import load_settings  # noqa: PLC0415

        return http_app(self, settings or load_settings())

    def lambda_handler(self, settings: Settings | None = None) -> LambdaHandler:
        """The server as the handler of an AWS Lambda function; without settings, they come from the environment."""
        from mcp_server.aws_lambda import LambdaHandler  # noqa: PLC0415 - a server anywhere else never needs it

        return LambdaHandler(self.http_app(settings))

    def ready_check(self, function: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        """Register a coroutine function that raises while something that the server needs is not there.

        `/ready` answers 503 then, and names the function.
        """
        self._ready_checks.append(function)
        return function

    def sign_in(self, function: SignIn) -> SignIn:
        """Register a coroutine function that tells who has sent a request, for the pages on which people sign in.

        It returns a `Person`, or an answer such as a redirect to a page of your own, or None for nobody. It is asked
        instead of what `OAUTH_LOGIN` says.
        """
        self.signing_in = function
        return function

    def drain(self) -> None:
        """Take no more tasks, as the server is about to stop; what runs may go on for as long as its terms say."""
        self._service.drain()

    async def failed_checks(self, *more: Callable[[], Awaitable[None]]) -> list[str]:
        """The names of the checks that fail, of these and of those that are registered."""
        checks = (*self._ready_checks, *more)
        outcomes = await asyncio.gather(*[check() for check in checks], return_exceptions=True)
        return [
            check.__name__
            for check, outcome in zip(checks, outcomes, strict=True)
            if isinstance(outcome, BaseException)
        ]

    def run(self) -> None:
        """Serve the client that started this process, over standard input and output, until it is gone.

        With a `SESSION_SECRET` in the environment, what the client carries between the rounds of a call that asks
        questions outlasts this process.
        """
        from mcp_server.transports import stdio  # noqa: PLC0415 - a server behind HTTP never needs it

        # The one setting that matters here: all of them would take longer to read than the rest of the start.
        given = os.environ.get("SESSION_SECRET") or os.environ.get("SESSION_SECRETS") or ""
        secrets = [secret.strip().encode() for secret in given.split(",") if secret.strip()]
        stdio.run(self.engine(seal=Seal(secrets), tasks=TaskTerms(open_store=_store_of_the_environment)))

    def test_client(
        self,
        version: str | None = None,
        *,
        answers: Answers | None = None,
        capabilities: Mapping[str, Any] | None = None,
        tasks: bool = False,
    ) -> TestClient:
        """A client in the same process, for tests: `async with server.test_client() as client`.

        `answers` plays the user: from what is asked, and its parameters, to the answer. `capabilities` is what the
        client declares; whatever `answers` needs, if it is not given. With `tasks`, the client of 2026-07-28 takes
        tasks for an answer, and `call_tool` waits for their end.
        """
        from mcp_server.testing import TestClient  # noqa: PLC0415 - only tests need it

        return TestClient(self.engine(), version, answers=answers, capabilities=capabilities, tasks=tasks)


class _KnownMethods:
    def __init__(self, service: LocalService) -> None:
        self._service = service

    def __contains__(self, name: object) -> bool:
        return name in METHODS or name in self._service.methods


def _store_of_the_environment() -> Store:
    """The store that the environment names, for a server that is a child of its client."""
    from mcp_server.settings import SettingsError, load_settings  # noqa: PLC0415 - only servers with tasks need them
    from mcp_server.stores import StoreUnavailable, open_store  # noqa: PLC0415

    try:
        return open_store(load_settings(listening=False).store)
    except (SettingsError, ValueError) as error:
        raise StoreUnavailable(str(error)) from None


def _hierarchy(implied: Mapping[str, Collection[str]] | None) -> Hierarchy:
    try:
        return Hierarchy(implied)
    except ValueError as error:
        raise RegistrationError(f"scope_hierarchy: {error}") from error


class _KnownNames:
    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def __contains__(self, name: object) -> bool:
        return name in self._registry.tools or name in self._registry.prompts


def _in_turn(operators: Callable[[bytes], bytes] | None, authors: Callable[[str], str]) -> Callable[[bytes], bytes]:
    """Both redactions, the operator's first."""

    def cleaned(message: bytes) -> bytes:
        return authors((message if operators is None else operators(message)).decode()).encode()

    return cleaned
