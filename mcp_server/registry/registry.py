"""The registry: four ordered catalogues that may change while they are read.

Readers never wait. Each catalogue is an immutable snapshot that a change replaces as a whole, so that a call in flight
keeps what it found, and worker threads may add and remove. What is derived, such as pages, is derived once a snapshot.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace as changed
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias, cast

from mcp_server.registry import hosts
from mcp_server.registry.errors import RegistrationError
from mcp_server.registry.pages import Page, Pages
from mcp_server.registry.prompts import Prompt
from mcp_server.registry.resources import Resource, ResourceTemplate
from mcp_server.registry.tools import Tool

Kind: TypeAlias = Literal["tools", "resources", "templates", "prompts"]
Lint: TypeAlias = Literal["off", "warn", "error"]
Entry: TypeAlias = Tool | Resource | ResourceTemplate | Prompt

_KINDS: Final[dict[type, Kind]] = {
    Tool: "tools",
    Resource: "resources",
    ResourceTemplate: "templates",
    Prompt: "prompts",
}
_MOST_FILTERED: Final = 64
"""How many filtered lists are kept at once; there are as many as callers have combinations of scopes."""
_log: Final = logging.getLogger("mcp_server.registry")


class Registry:
    """Everything a server offers.

    `ignored_arguments` names arguments that some clients add by themselves: they are dropped before a tool's own are
    validated. `lint` says what becomes of unbounded or undescribed arguments, and of misleading URIs. Clients that read
    one page only are common, hence the large pages.
    """

    def __init__(
        self, *, ignored_arguments: frozenset[str] = frozenset(), lint: Lint = "warn", page_size: int = 1000
    ) -> None:
        if page_size < 1:
            raise ValueError("`page_size` must be at least 1")
        self._ignored = ignored_arguments
        self._lint = lint
        self._page_size = page_size
        self._writing = threading.Lock()
        self._entries: dict[Kind, Mapping[str, Entry]] = {kind: MappingProxyType({}) for kind in _KINDS.values()}
        self.tools: Mapping[str, Tool] = MappingProxyType({})
        """The tools by name, in the order of registration."""
        self._pages: dict[Kind, _Lists] = {}
        self._listeners: tuple[Callable[[Kind], None], ...] = ()

    @property
    def resources(self) -> Mapping[str, Resource]:
        """The fixed resources by URI, in the order of registration."""
        return cast("Mapping[str, Resource]", self._entries["resources"])

    @property
    def templates(self) -> Mapping[str, ResourceTemplate]:
        """The resource templates by their text, in the order of registration."""
        return cast("Mapping[str, ResourceTemplate]", self._entries["templates"])

    @property
    def prompts(self) -> Mapping[str, Prompt]:
        """The prompts by name, in the order of registration."""
        return cast("Mapping[str, Prompt]", self._entries["prompts"])

    def add(self, entry: Entry, *, replace: bool = False) -> None:
        """Offer something; raises `RegistrationError` for a second of the same key, unless it is to `replace` it.

        A replacement keeps the place in the order.
        """
        kind = _KINDS[type(entry)]
        if isinstance(entry, Tool):
            entry = self._admitted(entry)
        key = key_of(entry)
        if isinstance(entry, Resource | ResourceTemplate):
            self._advise(f"resource {key}", hosts.lint_uri(key))
        with self._writing:
            entries = self._entries[kind]
            if key in entries and not replace:
                raise RegistrationError(f"{key!r} is in the {kind} already: choose another name, or say `replace=True`")
            self._put(kind, {**entries, key: entry})
        self._changed(kind)

    def remove(self, kind: Kind, key: str) -> None:
        """Take something back, by name, URI or template; raises `KeyError` if it is not there."""
        with self._writing:
            entries = dict(self._entries[kind])
            del entries[key]
            self._put(kind, entries)
        self._changed(kind)

    def complete(
        self, kind: Literal["prompts", "templates"], key: str, argument: str, function: Callable[..., Any]
    ) -> None:
        """Let a function complete an argument; raises `RegistrationError` where there is no such argument."""
        with self._writing:
            entries = self._entries[kind]
            if key not in entries:
                raise RegistrationError(f"{key!r} is not in the {kind}: register it before its completion")
            entry = cast("Prompt | ResourceTemplate", entries[key]).with_completer(argument, function)
            self._put(kind, {**entries, key: entry})
        self._changed(kind)  # with the first of them, completing becomes something that is offered

    def find_resource(self, uri: str) -> tuple[Resource | ResourceTemplate, dict[str, str]] | None:
        """What answers for a URI, with the values of its variables: fixed resources first, then templates in order."""
        resource = self.resources.get(uri)
        if resource:
            return resource, {}
        for template in self.templates.values():
            values = template.template.match(uri)
            if values is not None:
                return template, values
        return None

    def scopes(self, kind: Kind) -> frozenset[str]:
        """Every scope that something in this list asks for."""
        return self._lists(kind).scopes

    def page(self, kind: Kind, cursor: str | None = None, held: frozenset[str] | None = None) -> Page:
        """A page of a list, the same object until that list changes; raises `BadCursor`.

        With `held`, it is the list of what these scopes suffice for.
        """
        return self._lists(kind).pages(held).page(cursor)

    def on_change(self, listener: Callable[[Kind], None]) -> Callable[[], None]:
        """Have a function called after each change of a list, on the thread that made it; gives the way to stop it."""
        with self._writing:
            self._listeners = (*self._listeners, listener)

        def stop() -> None:
            with self._writing:
                self._listeners = tuple(each for each in self._listeners if each is not listener)

        return stop

    def _lists(self, kind: Kind) -> _Lists:
        entries = self._entries[kind]
        lists = self._pages.get(kind)
        if lists is None or lists.entries is not entries:
            lists = self._pages[kind] = _Lists(kind, entries, self._page_size)
        return lists

    def _put(self, kind: Kind, entries: dict[str, Entry]) -> None:
        self._entries[kind] = MappingProxyType(entries)
        if kind == "tools":
            self.tools = cast("Mapping[str, Tool]", self._entries[kind])

    def _changed(self, kind: Kind) -> None:
        for listener in self._listeners:
            listener(kind)

    def _admitted(self, tool: Tool) -> Tool:
        """A tool as this registry serves it."""
        if self._lint != "off":
            self._advise(f"tool {tool.name}", hosts.lint(tool.input_schema))
        own = tool.input_schema.get("properties", {})
        return changed(tool, ignored=frozenset(name for name in self._ignored if name not in own))

    def _advise(self, what: str, advice: list[str]) -> None:
        if advice and self._lint == "error":
            raise RegistrationError(f"{what}: {'; '.join(advice)}")
        if advice and self._lint != "off":
            _log.warning("%s: %s", what, "; ".join(advice))


class _Lists:
    """One catalogue as those see it who hold different scopes, derived once each."""

    def __init__(self, kind: Kind, entries: Mapping[str, Entry], page_size: int) -> None:
        self.entries = entries
        self.scopes = frozenset(scope for entry in entries.values() for scope in entry.scopes)
        self._kind = kind
        self._page_size = page_size
        self._whole = Pages(kind, entries, page_size)
        self._filtered: dict[frozenset[str], Pages] = {}

    def pages(self, held: frozenset[str] | None) -> Pages:
        """The list for whoever has these scopes; what nothing asks for makes no difference."""
        if held is None or self.scopes <= held:
            return self._whole
        relevant = self.scopes & held
        found = self._filtered.get(relevant)
        if found is None:
            if len(self._filtered) >= _MOST_FILTERED:
                self._filtered.clear()
            allowed = {key: entry for key, entry in self.entries.items() if entry.scopes <= relevant}
            found = self._filtered[relevant] = Pages(self._kind, allowed, self._page_size)
        return found


def key_of(entry: Entry) -> str:
    """What an entry is found by."""
    if isinstance(entry, Resource):
        return entry.uri
    return entry.uri_template if isinstance(entry, ResourceTemplate) else entry.name
