"""What a server offers, and the decorators with which its author says so.

Everything may be said at any time, also while the server runs: clients that listen are told. Nothing here knows how a
server is run.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, overload

from typing_extensions import Unpack

from mcp_server.context import Context
from mcp_server.engine.service import ResourceUpdated
from mcp_server.registry import (
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
from mcp_server.tool_limits import checked_rates

if TYPE_CHECKING:
    from mcp_server.extensions.apps import AppOptions, AppToolOptions
    from mcp_server.extensions.contract import Extension
    from mcp_server.extensions.skills import Skills
    from mcp_server.local import LocalService

F = TypeVar("F", bound=Callable[..., Any])
Decorator: TypeAlias = Callable[[F], F]


class Offering:
    """Tools, resources, prompts, completions and extensions; `Server` is one of these."""

    def __init__(self, registry: Registry, service: LocalService) -> None:
        self.registry = registry
        self._service = service
        self._checks_apps = False

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
