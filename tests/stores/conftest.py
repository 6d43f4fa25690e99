from __future__ import annotations

from tests.store_backends import any_store, shared_store

__all__ = ["any_store", "shared_store"]
