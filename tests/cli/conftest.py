from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_running import HERE, Run
from click.testing import CliRunner, Result

from mcp_server.cli import main


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Run]:
    """The command, in a process that forgets afterwards which servers it has loaded."""
    monkeypatch.delenv("MCP_APP", raising=False)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)

    def run(*args: str, stdin: str | None = None) -> Result:
        result = CliRunner().invoke(main, args, input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    yield run
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None)
        if file is not None and {tmp_path, HERE} & set(Path(file).parents):
            del sys.modules[name]


@pytest.fixture
def fixture() -> str:
    """The server that the tests ask, as a TARGET."""
    return str(HERE / "cli_fixture_server.py")
