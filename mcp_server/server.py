"""The public face: a `Server`, which is what it offers (`offering`) with a name, and the ways to run it.

A server is a registry with a name. What it takes to answer, and over which wire, is decided when it is run, so that one
server object serves any number of transports, and none of them is imported before it is used.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Collection, Container, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from types import EllipsisType
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from mcp_server.engine.engine import DEFAULT_TIMEOUT, METHODS, Engine, Observer
from mcp_server.engine.scopes import Hierarchy
from mcp_server.engine.sealing import Seal
from mcp_server.engine.task_terms import TaskTerms
from mcp_server.local import LocalService
from mcp_server.offering import Offering
from mcp_server.registry import (
    Icon,
    Lint,
    RegistrationError,
    Registry,
)
from mcp_server.registry.listing import without_none

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

    from mcp_server.aws_lambda import LambdaHandler
    from mcp_server.engine.neighbours import Neighbours
    from mcp_server.guards.windows import Windows
    from mcp_server.oauth.approvals import Person
    from mcp_server.settings import Settings
    from mcp_server.stores import Store
    from mcp_server.testing import Answers, TestClient

SignIn: TypeAlias = "Callable[[Request], Awaitable[Person | Response | None]]"
Lifespan: TypeAlias = "Callable[[Server], AbstractAsyncContextManager[Any]]"

DEFAULT_THREADS: Final = 32


class Server(Offering):
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
        registry = Registry(ignored_arguments=frozenset(ignored_arguments), lint=lint, page_size=page_size)
        self._timeout = timeout
        self._redact = redact
        self._ready_checks: list[Callable[[], Awaitable[None]]] = []
        self.signing_in: SignIn | None = None
        """The author's own way of knowing who signs in, where this server issues tokens; see `sign_in`."""
        service = LocalService(
            registry,
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
        super().__init__(registry, service)

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
