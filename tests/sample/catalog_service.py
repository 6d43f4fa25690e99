"""A real HTTP server on loopback that plays the catalogue service, well or badly."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

ITEM: dict[str, Any] = {
    "id": "kettle",
    "name": "Kettle",
    "category": "kitchen",
    "summary": "Boils water.",
    "description": "A kettle that boils water and nothing else.",
    "priceCents": 2500,
    "currency": "EUR",
    "inStock": True,
    "tags": ["tea"],
}
SUMMARY: dict[str, Any] = {key: value for key, value in ITEM.items() if key not in {"description", "tags"}}
PAGE: dict[str, Any] = {"items": [SUMMARY], "nextCursor": "c2", "total": 2}

Answer = Callable[[BaseHTTPRequestHandler], None]


def answer(
    body: object = b"", status: int = 200, *, headers: dict[str, str] | None = None, length: bool = True
) -> Answer:
    """An answer with this body: bytes as they are, anything else as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()

    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in (headers or {}).items():
            handler.send_header(name, value)
        if length:
            handler.send_header("Content-Length", str(len(data)))
        else:
            handler.close_connection = True
        handler.end_headers()
        handler.wfile.write(data)

    return send


@dataclass
class CatalogService:
    """The service as a test sees it: set `answers` (the last one repeats), read `requests` and `connections`."""

    url: str
    over: Event
    answers: list[Answer] = field(default_factory=lambda: [answer(PAGE)])
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list[tuple[str, dict[str, str]]])
    connections: int = 0

    def next_answer(self) -> Answer:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.requests]


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up on a bad answer is what these tests are about."""


@contextmanager
def serving() -> Generator[CatalogService]:
    """The service, listening until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # head and body are two writes, 40 ms apart otherwise

        def setup(self) -> None:
            super().setup()
            state.connections += 1

        def do_GET(self) -> None:
            state.requests.append((self.path, dict(self.headers.items())))
            state.next_answer()(self)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
            """Say nothing."""

    with _QuietServer(("127.0.0.1", 0), Handler) as server:
        state = CatalogService(url=f"http://127.0.0.1:{server.server_port}", over=Event())
        thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield state
        state.over.set()
        server.shutdown()
        thread.join(timeout=60)
