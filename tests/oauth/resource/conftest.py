"""One issuer serves the tests of a file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from token_office import Office, opened


@pytest.fixture(scope="module")
def house() -> Iterator[Office]:
    with opened() as office:
        yield office


@pytest.fixture
def office(house: Office) -> Office:
    house.start_anew()
    return house
