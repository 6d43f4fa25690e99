from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.store_backends import ALL, SHARED, Backend, backend


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
