"""The one seam of the house: the thing that answers.

A `Service` is whatever stands behind the engine. Today it is the registry of Python functions; a bridge to a child
process and a gateway to many servers are others. Nothing above this line may know which it is, so everything above it
(transports, guards, limits, logs) serves all of them unchanged.

A service is *not* concerned with versions, transports, JSON-RPC or deadlines: it is asked in the newest model and
answers in the newest model, and the `Call` it is given says who asks and is the way back to them meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from mcp_server.protocol.headers import Mirrored
from mcp_server.protocol.results import Prepared, Result

if TYPE_CHECKING:
    from mcp_server.engine.calls import Call, Principal


class Kind(Enum):
    """The four things that can be listed, by the method that lists them."""

    TOOLS = "tools/list"
    RESOURCES = "resources/list"
    TEMPLATES = "resources/templates/list"
    PROMPTS = "prompts/list"


@dataclass(frozen=True, slots=True)
class ListChanged:
    """A list is no longer what it was."""

    kind: Kind


@dataclass(frozen=True, slots=True)
class ResourceUpdated:
    """What is stored under a URI is no longer what it was."""

    uri: str


@dataclass(frozen=True, slots=True)
class TaskChanged:
    """A task is not as it was; who may know how it is now, may ask."""

    task_id: str


Change: TypeAlias = ListChanged | ResourceUpdated | TaskChanged
Method: TypeAlias = "Callable[[Call], Coroutine[Any, Any, Result | Prepared]]"
"""What answers a method that the protocol itself does not have."""


@dataclass(frozen=True, slots=True)
class Description:
    """What a service says of itself."""

    server_info: Mapping[str, Any]
    """`Implementation`: name and version, perhaps title, description, icons, websiteUrl."""
    capabilities: Mapping[str, Any]
    """Canonical `ServerCapabilities`; a method whose capability is absent does not exist."""
    instructions: str | None = None
    cache: Mapping[str, Any] = field(default_factory=lambda: {"ttlMs": 0, "cacheScope": "private"})
    """How long a client may keep the description."""
    methods: Mapping[str, Method] = field(default_factory=dict[str, "Method"])
    """What the service's extensions answer, by method; the same in every version."""


class TaskSource(Protocol):
    """Answers for work that goes on after its call has been answered.

    A service has one if it offers the extension `io.modelcontextprotocol/tasks`; `call_tool` then may answer with a
    task (`resultType` "task"), where `protocol.tasks.wish_of` says that the caller takes one. Each method raises
    `ProtocolError` for a task that is not there, and for one that is not the caller's just the same.
    """

    async def get(self, task_id: str, call: Call) -> Result:
        """The task as it is now, with its result, its error or its questions."""
        ...

    async def update(self, task_id: str, responses: Mapping[str, Any], call: Call) -> None:
        """Take answers to questions of a task, and ignore those to no question that is open."""
        ...

    async def cancel(self, task_id: str, call: Call) -> None:
        """End a task, if it has not ended."""
        ...

    async def list(self, cursor: str | None, call: Call) -> Result:
        """A page of the caller's tasks, which only 2025-11-25 asks for."""
        ...


class Service(Protocol):
    """Answers in the newest model.

    Every method that answers may raise `ProtocolError`, whose text reaches the caller. Whatever else it raises is
    logged and masked by the engine. `insufficient_scope` is how it says that the caller's token does not suffice:
    `call.principal` tells what it may do, and the transport makes of the error what its clients understand.
    """

    @property
    def tasks(self) -> TaskSource | None:
        """Who answers for tasks; None where there are none."""
        ...

    def describe(self) -> Description:
        """What this service is and can do, now; the same object until that changes."""
        ...

    def lifespan(self) -> AbstractAsyncContextManager[None]:
        """Entered before the first question and left after the last one."""
        ...

    def watch(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        """Call `listener` at each change, in whichever thread it happens, until the returned function is called."""
        ...

    async def list(self, kind: Kind, cursor: str | None, call: Call) -> Result | Prepared:
        """One page of a list."""
        ...

    def mirrored_arguments(self, tool: str) -> Sequence[Mirrored]:
        """The arguments of a tool that clients repeat in HTTP headers, so that these can be held against them."""
        ...

    async def call_tool(self, name: str, arguments: dict[str, Any], call: Call) -> Result:
        """A tool's result; a tool that fails has a result too, which says so."""
        ...

    async def read_resource(self, uri: str, call: Call) -> Result:
        """What is stored under a URI."""
        ...

    async def get_prompt(self, name: str, arguments: dict[str, str], call: Call) -> Result:
        """A prompt with its arguments filled in."""
        ...

    def check_reading(self, uri: str, principal: Principal | None) -> None:
        """Somebody wants to hear of the changes of a resource, which need not exist.

        Raises:
            ProtocolError: It exists, and they must not read it.
        """
        ...

    async def complete(
        self, reference: Mapping[str, Any], argument: str, value: str, context: Mapping[str, str], call: Call
    ) -> Result:
        """Proposals for an argument of a prompt or a variable of a resource template."""
        ...
