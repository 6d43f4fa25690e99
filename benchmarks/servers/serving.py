"""How every server over HTTP is started here: the same uvicorn, the same options, one process.

python -m benchmarks.servers.http_NAME PORT MODE TOOLS
"""

import sys
from dataclasses import dataclass
from typing import Any

import uvicorn


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the benchmark has asked for."""

    port: int
    mode: str
    tools: int


def wanted() -> Wanted:
    port, mode, tools = sys.argv[1:]
    return Wanted(int(port), mode, int(tools))


def serve(app: Any, options: Wanted) -> None:
    uvicorn.run(app, port=options.port, log_level="warning", access_log=False, timeout_graceful_shutdown=1)
