"""The settings of a test are those that it names: the environment of whoever runs the tests has none."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from quick_calls import silent_log

from mcp_server.observe.writer import LineWriter
from mcp_server.settings import Settings
from mcp_server.settings.variables import variables

_NAMES = {name for variable in variables(Settings) for name in variable.names} | {"MCP_SERVER_DOTENV"}


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in _NAMES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def log() -> Iterator[LineWriter]:
    writer = silent_log()
    yield writer
    writer.close()
