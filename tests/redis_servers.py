"""Redis for tests: the one that is running on this machine, or one of our own that can be stopped and started."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.programs import needed

RUNNING = "redis://127.0.0.1:6379/0"


def require_running_redis() -> None:
    """Skip the test where no Redis can be reached."""
    try:
        _client().ping()
    except redis.ConnectionError:
        if os.environ.get("MCP_REQUIRE_SERVICES"):
            pytest.fail("no Redis at 127.0.0.1:6379")
        pytest.skip("no Redis at 127.0.0.1:6379")


def forget(prefix: str) -> None:
    """Delete what a test has left behind."""
    with _client() as client:
        for key in client.scan_iter(match=f"*{prefix}*"):
            client.delete(key)


def _client() -> Any:
    return redis.Redis(socket_connect_timeout=5)


class OwnRedis:
    """A Redis on a free port, without files."""

    def __init__(self, directory: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen(command, cwd=self._directory, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            time.sleep(0.01)
        raise TimeoutError

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=60)
            self._process = None


@contextlib.contextmanager
def own_redis(directory: Path) -> Generator[OwnRedis]:
    """A Redis of our own, stopped at the end whatever happens."""
    needed("redis-server")
    server = OwnRedis(directory)
    server.start()
    try:
        yield server
    finally:
        server.stop()
