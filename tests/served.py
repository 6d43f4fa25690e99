"""A server behind HTTP in a process of its own, as the entry points start it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PATIENCE = 60.0
"""How long a process may take on a busy machine before it counts as hanging."""
KEY = "a-key-for-the-tests-with-more-than-32-characters"

_BIN = str(Path(sys.executable).parent)
_READY = ("Uvicorn running on", "Application startup complete")
"""What one process says once it listens, and what a worker says, for which its parent listens already."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for one request."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Site:
    """Something that listens on a port of this machine."""

    port: int
    source: str = "127.0.0.1"
    """The address from which it is asked; all of 127.0.0.0/8 is this machine."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def open(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, PATIENCE, (self.source, 0))

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """One request on a connection of its own; `mcp_session_id` becomes `mcp-session-id`."""
        connection = self.open()
        try:
            connection.request(method, path, *encoded(body, headers))
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, found, response.read())
        finally:
            connection.close()


def encoded(body: Any, headers: Mapping[str, str]) -> tuple[bytes | None, dict[str, str]]:
    """The body and the headers of a request with our key."""
    sent = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    return (None if body is None else json.dumps(body).encode()), sent


def rpc(method: str, identity: int = 1, **params: Any) -> dict[str, Any]:
    """A request as versions before 2026-07-28 have it."""
    return {"jsonrpc": "2.0", "id": identity, "method": method, "params": params}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def served(command: Sequence[str] = (sys.executable, "main_http.py"), **environment: str) -> Generator[Site]:
    """A server that listens, on a free port unless it is given `PORT`, until the context ends."""
    site = Site(int(environment.get("PORT") or free_port()))
    variables = {"PATH": f"{_BIN}{os.pathsep}{os.defpath}", "PORT": str(site.port), "MCP_API_KEY": KEY, **environment}
    ready = _READY["WORKERS" in environment]
    variables.setdefault("XDG_STATE_HOME", os.environ["XDG_STATE_HOME"])
    child = subprocess.Popen(command, cwd=ROOT, env=variables, stderr=subprocess.PIPE, start_new_session=True)
    listening, said = threading.Event(), list[str]()
    reader = threading.Thread(target=_read, args=(child, ready, listening, said), daemon=True)
    reader.start()
    try:
        listening.wait(PATIENCE)
        assert any(ready in line for line in said), "".join(said)
        yield site
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGTERM)
        child.wait(PATIENCE)
        reader.join(PATIENCE)
        assert child.stderr is not None
        child.stderr.close()


@contextmanager
def several(number: int, **environment: str) -> Generator[list[Site]]:
    """Several servers side by side."""
    with ExitStack() as exits:
        yield [exits.enter_context(served(**environment)) for _ in range(number)]


def _read(child: subprocess.Popen[bytes], ready: str, listening: threading.Event, said: list[str]) -> None:
    assert child.stderr is not None
    for line in child.stderr:
        said.append(line.decode(errors="replace"))
        if ready in said[-1]:
            listening.set()
    listening.set()  # it has ended: there is nothing more to wait for
