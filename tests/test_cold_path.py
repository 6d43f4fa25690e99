"""What is not needed is not imported: neither by `import mcp_server`, nor on the way to a first result over stdio."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
EXCLUDED = {
    "anyio",
    "click",
    "cryptography",
    "httpx2",
    "jsonschema",
    "limits",
    "mangum",
    "mcp",
    "mcp_types",
    "prometheus_client",
    "psycopg",
    "pydantic_settings",
    "redis",
    "slowapi",
    "sse_starlette",
    "starlette",
    "uvicorn",
    "yaml",
}
ONLY_FOR_THE_SAMPLE = {"sqlite3"}
CALL: dict[str, Any] = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {
        "name": "search_items",
        "arguments": {"query": "tea"},
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        },
    },
}
SERVE_AND_REPORT = """
import atexit, runpy, sys
atexit.register(lambda: print(*sys.modules, file=sys.stderr))
runpy.run_path("main.py", run_name="__main__")
"""


def test_importing_the_package_imports_nothing_that_is_excluded() -> None:
    loaded = _python("import sys, mcp_server; print(*sys.modules, file=sys.stderr)").stderr
    assert _loaded(loaded) & (EXCLUDED | ONLY_FOR_THE_SAMPLE) == set()


def test_a_start_over_stdio_imports_nothing_that_is_excluded() -> None:
    process = _python(SERVE_AND_REPORT, json.dumps(CALL) + "\n")
    assert json.loads(process.stdout)["result"]["structuredContent"]["items"]
    assert _loaded(process.stderr) & EXCLUDED == set()


def test_a_server_for_callers_with_keys_imports_nothing_of_oauth() -> None:
    assert _rooms_of_http({"mcp_api_key": "k" + "0123456789abcdef" * 3}) == set()


def test_a_server_for_callers_with_tokens_does() -> None:
    loaded = _rooms_of_http({"oauth_issuers": "https://issuer.example.com", "public_url": "https://api.example.com"})
    assert loaded == {"cryptography", "jwt", "mcp_server.oauth"}


def test_an_import_that_is_excluded_would_be_seen() -> None:
    assert _loaded(_python("import sys, click.core; print(*sys.modules, file=sys.stderr)").stderr) & EXCLUDED == {
        "click"
    }


def _rooms_of_http(settings: dict[str, str]) -> set[str]:
    """What an application with these settings has loaded for the sake of tokens."""
    program = f"""
import sys
from mcp_server import Server
from mcp_server.settings import Settings
Server("x").http_app(Settings(**{settings!r}))
print(*[name for name in ("cryptography", "jwt", "mcp_server.oauth") if name in sys.modules], file=sys.stderr)
"""
    lines = _python(program).stderr.splitlines()
    return set(lines[-1].split()) if lines else set()


def _python(program: str, sent: str = "") -> subprocess.CompletedProcess[str]:
    """What a Python of its own, which measures no coverage, makes of a program."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("COVERAGE_", "COV_"))}
    return subprocess.run(
        [sys.executable, "-c", program],
        input=sent,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
        cwd=ROOT,
        env=environment,
    )


def _loaded(modules: str) -> set[str]:
    """The packages that these modules belong to."""
    return {name.partition(".")[0] for name in modules.split()}
