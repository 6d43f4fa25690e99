"""Functions become tools, resources and prompts.

    a function ── signatures.read ── Signature ─┬─ arguments   what a caller may send     ── strictness, publishing
                  docstrings.parse ── texts ────┤  given_schema (a ready-made schema)
                                                ├─ strings     prompts and templates, whose arguments are strings
                                                └─ outputs     what comes back            ── content, media

    tools, resources, prompts ── registry.Registry ── pages of entries; a look-up by name or URI

Everything that can be decided is decided when something is registered. A call then validates, and renders what came
back; whoever uses this room runs the function in between. Nothing here does I/O (but for reading a file that an author
named), looks at a clock, or knows of requests, transports and versions: entries and results have the newest form.

`schema_walk`, `hosts` and `headers` hold what schemas may look like, `problems` says what is wrong with arguments,
`completions` and `templates` are what their names say, and `errors` what may be raised.
"""

from __future__ import annotations

from mcp_server.registry.completions import Completer, Completion, completer_from
from mcp_server.registry.errors import BadCursor, InvalidArguments, OutputMismatch, RegistrationError
from mcp_server.registry.headers import Header, MirroredArgument
from mcp_server.registry.listing import TAGS_KEY, Icon
from mcp_server.registry.media import Audio, EmbeddedResource, File, Image, ResourceLink, ToolResult
from mcp_server.registry.pages import Page
from mcp_server.registry.prompts import (
    AssistantMessage,
    Prompt,
    PromptArgument,
    PromptOptions,
    UserMessage,
    prompt_from,
)
from mcp_server.registry.registry import Entry, Kind, Lint, Registry
from mcp_server.registry.resources import (
    Resource,
    ResourceOptions,
    ResourceTemplate,
    fixed_resource,
    resource_from,
    template_from,
)
from mcp_server.registry.signatures import Hidden, Inject, Injected
from mcp_server.registry.templates import Template, is_template
from mcp_server.registry.tools import Hints, Tool, ToolOptions, tool_from

__all__ = [
    "TAGS_KEY",
    "AssistantMessage",
    "Audio",
    "BadCursor",
    "Completer",
    "Completion",
    "EmbeddedResource",
    "Entry",
    "File",
    "Header",
    "Hidden",
    "Hints",
    "Icon",
    "Image",
    "Inject",
    "Injected",
    "InvalidArguments",
    "Kind",
    "Lint",
    "MirroredArgument",
    "OutputMismatch",
    "Page",
    "Prompt",
    "PromptArgument",
    "PromptOptions",
    "RegistrationError",
    "Registry",
    "Resource",
    "ResourceLink",
    "ResourceOptions",
    "ResourceTemplate",
    "Template",
    "Tool",
    "ToolOptions",
    "ToolResult",
    "UserMessage",
    "completer_from",
    "fixed_resource",
    "is_template",
    "prompt_from",
    "resource_from",
    "template_from",
    "tool_from",
]
