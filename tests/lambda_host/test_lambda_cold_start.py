"""What a cold start costs: only what the function needs."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from lambda_events import KEY
from lambda_runtime import ROOT

_LOADED = "import json, sys, lambda_handler; json.dump(sorted(sys.modules), sys.stdout)"


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        "AWS_LAMBDA_FUNCTION_NAME": "mcp",
        "MCP_API_KEY": KEY,
        "PYTHONPATH": str(ROOT),
    }
    child = subprocess.run([sys.executable, "-c", _LOADED], env=environment, capture_output=True, text=True, check=True)
    assert "Traceback" not in child.stderr
    return set(json.loads(child.stdout))


@pytest.mark.parametrize(
    "module",
    ["mcp", "mcp_types", "jsonschema", "cryptography", "httpx2", "sqlite3", "redis", "mcp_server.oauth",
     "mcp_server.cli", "mcp_server.testing", "mcp_server.transports.stdio"],
)  # fmt: skip
def test_a_cold_start_does_not_load(loaded: set[str], module: str) -> None:
    assert module not in loaded


def test_a_cold_start_does_load_what_answers(loaded: set[str]) -> None:
    assert {"mangum", "starlette.applications", "mcp_server.transports.http"} <= loaded
