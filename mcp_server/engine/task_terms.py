"""On which terms tasks are kept: where, for how long, how many, how large.

Nothing here imports a store; it is opened when the first tool asks for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mcp_server.stores import Store


def _in_memory() -> Store:
    from mcp_server.stores import open_store  # noqa: PLC0415 - only servers that have tasks need a store

    return open_store("memory://")


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskTerms:
    """What the operator, or whoever runs a server, has decided about tasks; times are in seconds."""

    open_store: Callable[[], Store] = _in_memory
    """Gives the store in which tasks are kept, not connected yet."""
    offered: bool = True
    """Whether there are tasks at all; a host that is frozen between calls could not go on with them."""
    ttl: float = 3600.0
    """How long a task may take, and how long it is kept from its end."""
    most: int = 1000
    """How many may run in this process at once."""
    most_per_caller: int = 200
    """How many of one caller may run at once, in all processes."""
    most_bytes: int = 4 * 1024 * 1024
    """How large a result may be."""
    grace: float = 0.0
    """How long tasks may go on once the server has been told to stop."""
    lease: float = 20.0
    """How long a process may give no sign of life before the others take its tasks for lost."""
    poll: float = 1.0
    """How often a process looks whether others have something for its tasks, if no bus tells it sooner."""
