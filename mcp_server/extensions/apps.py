"""Apps (`io.modelcontextprotocol/ui`): pages that a host shows beside the result of a tool.

An app is a resource at a `ui://` address that is HTML, with a note on what it may load and use; a tool names it. What
the tool returns is its result as ever, so that hosts without apps, and models, have something to read. Here an
author's words become the `_meta` of both, and both are held against each other before the server starts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, cast

from typing_extensions import Unpack

from mcp_server.context import Context
from mcp_server.registry import (
    RegistrationError,
    Registry,
    Resource,
    ResourceOptions,
    ToolOptions,
    fixed_resource,
    is_template,
    resource_from,
)
from mcp_server.registry.listing import without_none
from mcp_server.registry.signatures import read

UI: Final = "io.modelcontextprotocol/ui"
MIME_TYPE: Final = "text/html;profile=mcp-app"

Permission: TypeAlias = Literal["camera", "microphone", "geolocation", "clipboard-write"]
Visibility: TypeAlias = Literal["model", "app"]

_SCHEME: Final = "ui://"
_FLAT: Final = "ui/resourceUri"
"""Where the first hosts looked for the address of a page."""
_ORIGIN: Final = re.compile(r"(https?|wss?)://(\*\.)?[A-Za-z0-9.-]+(:[0-9]{1,5})?")
_ON_THE_WIRE: Final[Mapping[Permission, str]] = {
    "camera": "camera",
    "microphone": "microphone",
    "geolocation": "geolocation",
    "clipboard-write": "clipboardWrite",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Csp:
    """From where a page may load what, as origins such as `https://*.example.com`; nowhere, unless it is said here."""

    connect: Sequence[str] = ()
    """Whom its scripts may ask."""
    resource: Sequence[str] = ()
    """Whose images, scripts, styles and fonts it may use."""
    frame: Sequence[str] = ()
    """Whose pages it may show inside itself."""
    base_uri: Sequence[str] = ()
    """What its relative addresses may begin with."""

    def __post_init__(self) -> None:
        for origin in (*self.connect, *self.resource, *self.frame, *self.base_uri):
            if not _ORIGIN.fullmatch(origin):
                raise RegistrationError(f"{origin!r} is no origin: write https://example.com, without a path")

    def listing(self) -> dict[str, Any]:
        """The origins under the names of the wire."""
        domains = {
            "connectDomains": self.connect,
            "resourceDomains": self.resource,
            "frameDomains": self.frame,
            "baseUriDomains": self.base_uri,
        }
        return {name: list(origins) for name, origins in domains.items() if origins}


class AppOptions(ResourceOptions, total=False):
    """How an app may be described beyond its page."""

    csp: Csp
    permissions: Collection[Permission]
    domain: str | None
    prefers_border: bool | None


class AppToolOptions(ToolOptions, total=False):
    """How a tool may be described that an app belongs to."""

    ui: str | None
    ui_visibility: Sequence[Visibility]


def app_from(page: Callable[..., Any] | str | Path, uri: str, **options: Unpack[AppOptions]) -> Resource:
    """The resource of an app, from a function that returns its HTML, from the HTML itself, or from its file.

    Raises:
        RegistrationError: No host would open this address, or load what the page wants to load.
    """
    if not uri.startswith(_SCHEME) or is_template(uri):
        raise RegistrationError(f"an app is at one address that begins with ui://, as in ui://clock/face, not {uri!r}")
    own = AppOptions(**options)
    csp = own.pop("csp", Csp()).listing()
    permissions = own.pop("permissions", ())
    if unknown := set(permissions) - set(_ON_THE_WIRE):
        raise RegistrationError(f"app {uri}: {min(unknown)!r} is none of {', '.join(_ON_THE_WIRE)}")
    ui = without_none(
        {
            "csp": csp or None,
            "permissions": {_ON_THE_WIRE[each]: {} for each in permissions} or None,
            "domain": own.pop("domain", None),
            "prefersBorder": own.pop("prefers_border", None),
        }
    )
    resource = cast("ResourceOptions", own)
    if ui:
        resource["meta"] = {**(resource.get("meta") or {}), "ui": ui}
        # Hosts go by what comes with the page; the list is for those that ask before they open it.
        resource["contents_meta"] = {**resource.get("contents_meta", {}), "ui": ui}
    resource["mime_type"] = MIME_TYPE
    if isinstance(page, Path):
        return fixed_resource(uri, path=page, **resource)
    if isinstance(page, str):
        return fixed_resource(uri, text=page, **resource)
    return resource_from(page, uri, context_type=Context, **resource)


def as_tool(function: Callable[..., Any], options: AppToolOptions) -> ToolOptions:
    """What makes a tool that an app belongs to; raises `RegistrationError` if hosts without apps would see nothing."""
    own = AppToolOptions(**options)
    uri, visibility = own.pop("ui", None), own.pop("ui_visibility", None)
    tool = cast("ToolOptions", own)
    if uri is None and visibility is None:
        return tool
    ui = without_none({"resourceUri": uri, "visibility": None if visibility is None else list(visibility)})
    flat: dict[str, Any] = {}
    if uri is not None:
        if read(function, context_type=Context, schema_given=True).returns in {None, type(None)}:
            raise RegistrationError(
                "a tool with an app returns something all the same: models and hosts without apps read it"
            )
        flat[_FLAT] = uri
    tool["meta"] = {**(tool.get("meta") or {}), "ui": ui, **flat}
    return tool


def check_apps(registry: Registry) -> None:
    """Raise `RegistrationError` for a tool whose app is nowhere."""
    for tool in registry.tools.values():
        ui = tool.meta.get("ui")
        uri = cast("Mapping[str, Any]", ui).get("resourceUri") if isinstance(ui, Mapping) else None
        if uri is None:
            continue
        page = registry.resources.get(uri)
        if page is None:
            raise RegistrationError(f"tool {tool.name}: there is no app at {uri}: write @server.app({uri!r})")
        if page.mime_type != MIME_TYPE:
            raise RegistrationError(f"tool {tool.name}: {uri} is {page.mime_type}: write @server.app({uri!r})")
