"""The HTTP server as a process of its own, started as people start it, and raw connections to it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import httpx2
from fakes import meta
from http_driver import BOTH, parsed, rpc

import mcp_server
from mcp_server.protocol.versions import V2026_07_28
from mcp_server.settings import Settings
from mcp_server.settings.variables import variables

ROOT = Path(mcp_server.__file__).parents[1]
SHOP = Path(__file__).with_name("http_shop.py")
PATIENCE = 60.0
"""How long a process may take on a busy machine, in seconds, before it counts as hanging."""

_SETTINGS = {name for variable in variables(Settings) for name in variable.names}

SERVE = (sys.executable, "main_http.py")
BY_UVICORN = (sys.executable, "-m", "uvicorn", "main_http:app", "--http", "h11", "--loop", "asyncio")
WAYS = {"httptools": SERVE, "h11": BY_UVICORN}
"""The two parsers of uvicorn, and with them the two ways to start."""


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def environment(**settings: str) -> dict[str, str]:
    """The environment of a child: ours without any settings, and these."""
    inherited = {name: value for name, value in os.environ.items() if name not in _SETTINGS}
    return {**inherited, "PYTHONPATH": str(ROOT), **settings}


class Child:
    """A server in a process of its own."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.process = process
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self._log = log
        self.http = httpx2.Client(base_url=self.url, timeout=PATIENCE, trust_env=False)

    def log(self) -> str:
        """What it has written to its standard error."""
        return self._log.read_text(encoding="utf-8")

    def ready(self) -> Self:
        """Wait until it answers."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            assert self.process.poll() is None, f"it ended with {self.process.returncode}:\n{self.log()}"
            try:
                if self.http.get("/health").status_code == 200:
                    return self
            except httpx2.TransportError:
                time.sleep(0.05)  # between attempts to reach a process that is not there yet
        raise AssertionError(f"it never answered:\n{self.log()}")

    def call(self, tool: str, arguments: Mapping[str, Any] | None = None, **headers: str) -> Any:
        """The result of a tool call of 2026-07-28."""
        body, said = modern_call(tool, arguments)
        answer = self.http.post("/mcp", content=body, headers={**said, **headers})
        assert answer.status_code == 200, answer.text
        return answer.json()["result"]

    def sees(self, word: str) -> None:
        """Wait until this has happened in a tool."""
        assert self.call("sees", {"word": word})["content"][0]["text"] == "seen"

    def tell(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def leaves(self) -> int:
        """The exit code, once it has left by itself."""
        return self.process.wait(PATIENCE)


def modern_call(
    tool: str,
    arguments: Mapping[str, Any] | None = None,
    *,
    id: int | str = 1,  # noqa: A002 - as on the wire
    token: str | None = None,
) -> tuple[bytes, dict[str, str]]:
    """The body and the headers of a tool call of 2026-07-28."""
    said = meta(**({} if token is None else {"progressToken": token}))
    body = rpc("tools/call", {"name": tool, "arguments": dict(arguments or {}), "_meta": said}, id)
    headers = {"mcp-protocol-version": V2026_07_28, "mcp-method": "tools/call", "mcp-name": tool}
    return json.dumps(body).encode(), {"content-type": "application/json", "accept": BOTH, **headers}


@contextmanager
def started(
    directory: Path, command: Sequence[str] = SERVE, *, shop: bool = True, wait: bool = True, **settings: str
) -> Generator[Child]:
    """A server in this directory, with these settings; it is killed at the end if it still runs."""
    shutil.copy(ROOT / "main_http.py", directory)
    port = free_port()
    if command == SERVE:
        settings["PORT"] = str(port)
    else:
        command = [*command, "--port", str(port)]
    if shop:
        settings.setdefault("MCP_APP", f"{SHOP}:server")
    settings = {"RATE_LIMIT": "1000000/minute", **settings}
    log = directory / f"{port}.log"
    env = environment(**settings)
    env["PYTHONPATH"] = os.pathsep.join([str(SHOP.parent), str(SHOP.parents[1]), env["PYTHONPATH"]])
    with log.open("wb") as errors:
        process = subprocess.Popen(command, cwd=directory, env=env, stderr=errors, stdout=errors)
    child = Child(process, port, log)
    try:
        yield child.ready() if wait else child
    finally:
        process.kill()
        process.wait()
        child.http.close()


class Wire:
    """A connection on which every byte is ours."""

    def __init__(self, port: int, *, receive_buffer: int | None = None) -> None:
        self._socket = socket.socket()
        if receive_buffer is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._socket.settimeout(PATIENCE)
        self._socket.connect(("127.0.0.1", port))
        self.received = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Send these bytes."""
        self._socket.sendall(data)

    def request(self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> Self:
        """Send a whole request."""
        lines = [f"{method} {path} HTTP/1.1", "host: localhost", f"content-length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        return self

    def call(self, tool: str, arguments: Mapping[str, Any] | None = None, **how: Any) -> Self:
        """Send a tool call of 2026-07-28."""
        path = how.pop("path", "/mcp")
        body, headers = modern_call(tool, arguments, **how)
        return self.request("POST", path, headers, body)

    def until(self, text: bytes) -> bytes:
        """Everything that has come, once this is in it."""
        while text not in self.received:
            data = self._socket.recv(65536)
            assert data, f"{text!r} never came, but {self.received!r}"
            self.received += data
        return self.received

    def rest(self) -> bytes:
        """Everything, once the server has closed its end."""
        while data := self._socket.recv(65536):
            self.received += data
        return self.received

    @property
    def status(self) -> int:
        """The status of the answer."""
        return int(self.until(b"\r\n\r\n").split(b" ", 2)[1])

    @property
    def events(self) -> list[dict[str, str]]:
        """The events that have come, once the marks of the chunks they came in are taken away."""
        _, _, body = self.received.partition(b"\r\n\r\n")
        return parsed(dechunked(body))

    def shut(self) -> None:
        """Hang up."""
        self._socket.close()


def dechunked(body: bytes) -> bytes:
    """What stands in the whole chunks of a body."""
    data = b""
    while b"\r\n" in body:
        size, _, body = body.partition(b"\r\n")
        length = int(size, 16)
        if len(body) < length + 2 or length == 0:
            break
        data += body[:length]
        body = body[length + 2 :]
    return data
