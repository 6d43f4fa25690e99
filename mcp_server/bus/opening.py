"""Which bus is meant by a URL."""

from __future__ import annotations

from mcp_server.bus.bus import Bus


def open_bus(url: str, name: str = "") -> Bus:
    """The bus that a URL means, not connected yet: `open` it.

    Args:
        url: `memory://`, `redis://` or `rediss://`.
        name: Whose bus it is; servers of other names can share the same Redis and do not hear it.

    Raises:
        ValueError: Nothing can be done with the URL, or the library for it is not installed; the words say what to
            do, and do not quote the URL, which may hold a password.
    """
    if url == "memory://":
        from mcp_server.bus.memory import MemoryBus  # noqa: PLC0415 - each is imported when it is asked for

        return MemoryBus()
    if not url.startswith(("redis://", "rediss://")):
        msg = "The URL of the event bus must be memory://, or have the form redis://host:6379/0."
        raise ValueError(msg)
    try:
        from mcp_server.bus.redis import RedisBus  # noqa: PLC0415 - its library is an extra
    except ModuleNotFoundError as error:
        msg = f"This event bus needs a library that is not installed ({error}): pip install 'redis>=6'"
        raise ValueError(msg) from None
    return RedisBus(url, channel=f"mcp-server:news:{name}")
