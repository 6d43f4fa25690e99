"""A stand-in for the runtime API of Lambda, and the real runtime client that asks it for events."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from lambda_events import KEY

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0
"""How long anything may take on a busy machine before it counts as hanging."""

_API = "/2018-06-01/runtime"


class RuntimeApi:
    """What Lambda is to a function: somebody who has events, and takes answers and complaints."""

    def __init__(self) -> None:
        self.waiting: queue.Queue[tuple[bytes, float] | None] = queue.Queue()
        self.said: queue.Queue[tuple[str, Any]] = queue.Queue()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._requests())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.waiting.put(None)
        self._server.shutdown()
        self._thread.join(PATIENCE)
        self._server.server_close()

    def invoke(self, event: object, *, seconds: float = 30.0) -> Any:
        """What the function answers to an event; an error of its own is none."""
        self.waiting.put((json.dumps(event).encode(), seconds))
        what, said = self.hear()
        assert what == "response", said
        return said

    def hear(self) -> tuple[str, Any]:
        """The next thing that the function has to say: `response`, `error`, or `init error`."""
        return self.said.get(timeout=PATIENCE)

    def _requests(self) -> type[BaseHTTPRequestHandler]:
        api = self

        class Requests(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *args: Any) -> None: ...  # noqa: A002 - the name is the library's

            def do_GET(self) -> None:
                assert self.path == f"{_API}/invocation/next"
                given = api.waiting.get()
                if given is None:
                    self.close_connection = True
                    return
                body, seconds = given
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Lambda-Runtime-Aws-Request-Id", "0a1b2c3d-0000-4000-8000-000000000000")
                self.send_header("Lambda-Runtime-Deadline-Ms", str(int((time.time() + seconds) * 1000)))
                self.send_header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-central-1:1:function:mcp")
                self.send_header("Lambda-Runtime-Trace-Id", "Root=1-6920a0c1-0123456789abcdef01234567;Sampled=0")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                body = self._body()
                what = self.path.removeprefix(f"{_API}/").rpartition("/")
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()
                told = "init error" if what[0] == "init" else what[2]
                api.said.put((told, json.loads(body)))

            def _body(self) -> bytes:
                if self.headers.get("Transfer-Encoding", "") != "chunked":
                    return self.rfile.read(int(self.headers["Content-Length"]))
                parts: list[bytes] = []
                while size := int(self.rfile.readline(), 16):
                    parts.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                return b"".join(parts)

        return Requests


class Function:
    """A function that has been deployed: its process, and the API that it asks."""

    def __init__(self, api: RuntimeApi, process: subprocess.Popen[str]) -> None:
        self.invoke = api.invoke
        self.hear = api.hear
        self.process = process

    def leaves(self) -> tuple[int, str]:
        """The exit code of the process, and what it has written."""
        out, err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, out + err


@contextmanager
def function(handler: str = "lambda_handler.handler", **environment: str) -> Generator[Function]:
    """A function, from the start of its process to its end."""
    api = RuntimeApi()
    api.start()
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "COVERAGE_PROCESS_START") if name in os.environ}
    given = {
        "AWS_LAMBDA_FUNCTION_NAME": "mcp",
        "AWS_LAMBDA_RUNTIME_API": api.address,
        "MCP_API_KEY": KEY,
        "MCP_APP": str(Path(__file__).with_name("lambda_tools.py")) + ":server",
        "PYTHONPATH": str(ROOT),
        **environment,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "awslambdaric", handler],
        env={**inherited, **{name: value for name, value in given.items() if value}},
        cwd=Path(__file__).parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield Function(api, process)
    finally:
        process.kill()
        with contextlib.suppress(ValueError):  # it has been read to its end
            process.communicate(timeout=PATIENCE)
        api.stop()
