"""A web server whose every answer a test decides; or one that is an MCP server, a request at a time."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias

from mcp_server import Server
from mcp_server.testing import ErrorResponse, TestClient

Answer: TypeAlias = tuple[int, Mapping[str, str], bytes]
JSON = {"Content-Type": "application/json"}


@dataclass
class Peer:
    """What a web server has answered with, and which headers it was sent."""

    url: str
    headers: list[dict[str, str]] = field(default_factory=list[dict[str, str]])


@contextmanager
def answering(answer: Callable[[dict[str, Any]], Answer]) -> Generator[Peer]:
    """A web server on loopback for as long as the context lasts."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            peer.headers.append(dict(self.headers.items()))
            status, headers, text = answer(body)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002 - so it is called

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    peer = Peer(f"http://127.0.0.1:{server.server_port}/mcp")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield peer
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def mcp(server: Server) -> Callable[[dict[str, Any]], Answer]:
    """The answers of an MCP server of the newest version."""

    async def answer(body: dict[str, Any]) -> dict[str, Any]:
        async with TestClient(server.engine()) as client:
            try:
                return {"result": await client.request(body["method"], body.get("params"))}
            except ErrorResponse as error:
                return {"error": {"code": error.code, "message": error.message}}

    return lambda body: told(body, asyncio.run(answer(body)))


def told(body: dict[str, Any], answer: dict[str, Any], status: int = 200) -> Answer:
    """An answer to a request, with its `result` or its `error`."""
    return status, JSON, json.dumps({"jsonrpc": "2.0", "id": body["id"], **answer}).encode()


def always(status: int, kind: str, text: bytes) -> Callable[[dict[str, Any]], Answer]:
    """The same answer to whatever is asked."""
    return lambda _: (status, {"Content-Type": kind}, text)
