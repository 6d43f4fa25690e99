"""News between the processes of one server: what one has noticed, all of them hear.

`bus.Bus` is the whole interface. Memory and Redis stand behind it; `open_bus` chooses by URL.
"""

from __future__ import annotations

from mcp_server.bus.bus import Bus, Listener
from mcp_server.bus.opening import open_bus

__all__ = ["Bus", "Listener", "open_bus"]
