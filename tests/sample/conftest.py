from __future__ import annotations

from collections.abc import Iterator

import pytest
from catalog_service import CatalogService, serving


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[CatalogService]:
    """A catalogue service on loopback, past any proxy that the machine may have."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving() as state:
        yield state
