"""One registry of tools, resources and prompts, served to every MCP client.

    from mcp_server import Server

    server = Server("catalog")

    @server.tool(read_only=True)
    def add(a: int, b: int) -> int:
        "Add two numbers."
        return a + b

    server.run()

Everything a server's author needs stands here, and each name is loaded when it is first asked for: naming the package
costs nothing, and a command that needs no server does not wait for one.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from mcp_server.asking import Elicited, Sampled
    from mcp_server.context import Context
    from mcp_server.engine.asking import Unanswered
    from mcp_server.engine.calls import Principal
    from mcp_server.extensions import Extension
    from mcp_server.extensions.apps import Csp
    from mcp_server.guards.redact import blot_out_keys
    from mcp_server.local import ToolError
    from mcp_server.protocol.errors import ProtocolError
    from mcp_server.registry import (
        AssistantMessage,
        Audio,
        Completion,
        EmbeddedResource,
        File,
        Header,
        Icon,
        Image,
        Inject,
        RegistrationError,
        ResourceLink,
        ToolResult,
        UserMessage,
    )
    from mcp_server.server import Server

__version__ = "0.1.0"

__all__ = [
    "AssistantMessage",
    "Audio",
    "Completion",
    "Context",
    "Csp",
    "Elicited",
    "EmbeddedResource",
    "Extension",
    "File",
    "Header",
    "Icon",
    "Image",
    "Inject",
    "Principal",
    "ProtocolError",
    "RegistrationError",
    "ResourceLink",
    "Sampled",
    "Server",
    "ToolError",
    "ToolResult",
    "Unanswered",
    "UserMessage",
    "blot_out_keys",
]

_HOMES: Final = {
    "Context": "mcp_server.context",
    "Csp": "mcp_server.extensions.apps",
    "Elicited": "mcp_server.asking",
    "Extension": "mcp_server.extensions.contract",
    "Principal": "mcp_server.engine.calls",
    "ProtocolError": "mcp_server.protocol.errors",
    "Sampled": "mcp_server.asking",
    "Server": "mcp_server.server",
    "ToolError": "mcp_server.local",
    "Unanswered": "mcp_server.engine.asking",
    "blot_out_keys": "mcp_server.guards.redact",
}
"""Where a name lives; those that are not here live in the registry."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES.get(name, "mcp_server.registry")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
