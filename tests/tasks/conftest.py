"""The stores of `tests/stores` are the stores here too."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.store_backends import ALL, SHARED, Backend, backend


@pytest.fixture(params=ALL)
def any_store(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Backend]:
    """Each kind of store."""
    with backend(request.param, tmp_path) as found:
        yield found


@pytest.fixture(params=SHARED)
def shared_store(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Backend]:
    """Each kind of store that processes can share."""
    with backend(request.param, tmp_path) as found:
        yield found
