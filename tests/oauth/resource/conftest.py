"""The settings of a test are those that it names; one issuer serves the tests of a file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from token_office import Office, opened

from mcp_server.settings import Settings
from mcp_server.settings.variables import variables

_NAMES = {name for variable in variables(Settings) for name in variable.names}


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in _NAMES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def house() -> Iterator[Office]:
    with opened() as office:
        yield office


@pytest.fixture
def office(house: Office) -> Office:
    house.start_anew()
    return house
