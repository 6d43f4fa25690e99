"""Several processes and one Redis, as `compose.scaled.yaml` puts them together."""

from __future__ import annotations

import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from programs import needed
from served import PATIENCE, free_port, several


@contextmanager
def redis(directory: Path, password: str) -> Generator[int]:
    """A Redis with a password, on a free port."""
    program, port = needed("redis-server"), free_port()
    options = {
        "--port": str(port),
        "--bind": "127.0.0.1",
        "--save": "",
        "--appendonly": "no",
        "--requirepass": password,
    }
    command = [program, *(word for option in options.items() for word in option)]
    child = subprocess.Popen(command, cwd=directory, stdout=subprocess.PIPE)
    assert child.stdout is not None
    try:
        assert any(b"Ready to accept connections" in line for line in child.stdout)
        yield port
    finally:
        child.terminate()
        child.stdout.read()
        child.stdout.close()
        child.wait(PATIENCE)


def test_several_processes_count_together(tmp_path: Path) -> None:
    with redis(tmp_path, "p@ss/word") as port:
        shared = {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(port), "REDIS_PASSWORD": "p@ss/word"}
        with several(3, RATE_LIMIT_PER_KEY="4/hour", **shared) as servers:
            in_turn = [servers[number % 3] for number in range(6)]
            statuses = [each.ask("POST", "/mcp", {"action": "list_tools"}).status for each in in_turn]
    assert statuses == [200, 200, 200, 200, 429, 429]
