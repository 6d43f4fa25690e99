"""What must outlive a process: small records under a kind and a key, each perhaps with an expiry and an owner.

`store.Store` is the whole interface. Memory, SQLite, Redis and PostgreSQL stand behind it; `open_store` chooses by URL.
"""

from __future__ import annotations

from mcp_server.stores.opening import open_store
from mcp_server.stores.store import Record, Store, StoreUnavailable
from mcp_server.stores.sweeping import Sweeper

__all__ = ["Record", "Store", "StoreUnavailable", "Sweeper", "open_store"]
