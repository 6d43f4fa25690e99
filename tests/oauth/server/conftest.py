from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest
from issuing import Flow, House, flow, house

from tests.store_backends import ALL, SHARED, Backend, backend


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


@pytest.fixture(params=ALL)
def any_store(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Backend]:
    """Each of the four stores."""
    with backend(request.param, tmp_path) as found:
        yield found


@pytest.fixture(params=SHARED)
def shared_store(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Backend]:
    """Each of the stores that several processes can have together."""
    with backend(request.param, tmp_path) as found:
        yield found
