"""The settings of a test are those that it names: the environment of whoever runs the tests has none."""

from __future__ import annotations

import pytest

from mcp_server.settings import Settings
from mcp_server.settings.variables import variables

_NAMES = {name for variable in variables(Settings) for name in variable.names}


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in _NAMES:
        monkeypatch.delenv(name, raising=False)
