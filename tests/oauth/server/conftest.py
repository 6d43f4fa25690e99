from __future__ import annotations

from collections.abc import Generator

import pytest
from issuing import Flow, House, flow, house

from tests.store_backends import any_store, shared_store

__all__ = ["any_store", "claude", "home", "shared_store"]


@pytest.fixture
def home() -> Generator[House]:
    """A server with the usual options."""
    with house() as found:
        yield found


@pytest.fixture
def claude(home: House) -> Generator[Flow]:
    """A public client that has registered there."""
    with flow(home) as found:
        yield found
