"""The stores of `tests/stores` are the stores here too."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

for room in ("stores", "http"):
    sys.path.append(str(Path(__file__).parents[1] / room))

from store_backends import ALL, SHARED, Backend, backend


@pytest.fixture(params=ALL)
def any_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    """Each kind of store."""
    with backend(request.param, tmp_path) as found:
        yield found


@pytest.fixture(params=SHARED)
def shared_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    """Each kind of store that processes can share."""
    with backend(request.param, tmp_path) as found:
        yield found
