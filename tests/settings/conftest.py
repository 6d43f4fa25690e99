from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mcp_server.settings import Settings
from mcp_server.settings.variables import variables


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the machine on which the tests run."""
    for variable in variables(Settings):
        for name in variable.names:
            monkeypatch.delenv(name, raising=False)


@pytest.fixture
def dotenv(tmp_path: Path) -> Callable[..., Path]:
    """Writes a `.env` of these lines."""

    def write(*lines: str) -> Path:
        path = tmp_path / ".env"
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return path

    return write
