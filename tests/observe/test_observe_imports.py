from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import sys
from mcp_server.observe import formats, lines, logs, metrics, records, traces, writer
logs.NoCallLog(), metrics.NoMetrics(), traces.NoTracer()
print(*sorted({each.partition(".")[0] for each in sys.modules}))
"""


def test_naming_the_room_imports_nothing_that_is_not_enabled() -> None:
    # Isolated from whatever the tests themselves have added to the start of an interpreter.
    command = [sys.executable, "-S", "-c", f"import sys; sys.path[:] = {sys.path!r}\n{SCRIPT}"]
    loaded = subprocess.run(command, check=True, text=True, timeout=60, stdout=subprocess.PIPE).stdout.split()
    assert "pydantic_core" in loaded
    unwanted = {"prometheus_client", "opentelemetry", "uvicorn", "starlette", "mcp", "anyio", "sqlite3"}
    assert unwanted.isdisjoint(loaded)
