"""A tiny ASGI driver: builds scopes, feeds bodies, collects answers. No socket, no thread."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

Headers = Iterable[tuple[str, str]]


@dataclass
class Seen:
    """An innermost application that answers 200 and remembers what reached it."""

    scopes: list[MutableMapping[str, Any]] = field(default_factory=list[MutableMapping[str, Any]])
    bodies: list[bytes] = field(default_factory=list[bytes])
    reads_body: bool = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)
        if self.reads_body:
            message = await receive()
            self.bodies.append(message.get("body", b"") if message["type"] == "http.request" else b"<gone>")
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": b"ok"})


@dataclass(frozen=True)
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        return ", ".join(value for key, value in self.headers if key == name) or None

    def json(self) -> Any:
        return json.loads(self.body)


def http_scope(
    *,
    method: str = "POST",
    path: str = "/mcp",
    headers: Headers = (),
    client: tuple[str, int] | None = ("203.0.113.9", 4711),
    scheme: str = "http",
    root_path: str = "",
) -> MutableMapping[str, Any]:
    return {
        "type": "http",
        "method": method,
        "path": path,
        "root_path": root_path,
        "scheme": scheme,
        "client": client,
        "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers],
    }


def body_of(*chunks: bytes) -> Receive:
    """A client that sends these chunks, then stays."""
    messages: list[Message] = [
        {"type": "http.request", "body": chunk, "more_body": position < len(chunks)}
        for position, chunk in enumerate(chunks, start=1)
    ]

    async def receive() -> Message:
        if messages:
            return messages.pop(0)
        return {"type": "http.disconnect"}

    return receive


async def ask(app: ASGIApp, scope: MutableMapping[str, Any], receive: Receive | None = None) -> Answer:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive or body_of(b""), send)
    starts = [message for message in sent if message["type"] == "http.response.start"]
    assert len(starts) == 1, sent
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in starts[0]["headers"]]
    return Answer(starts[0]["status"], headers, b"".join(message.get("body", b"") for message in sent))


def get(app: ASGIApp, receive: Receive | None = None, **scope: Any) -> Answer:
    """One request, answered."""
    return asyncio.run(ask(app, http_scope(**scope), receive))


def passes_lifespan(build: Callable[[ASGIApp], ASGIApp]) -> bool:
    """Whether a guard hands a scope that is no HTTP request to its application, untouched."""
    seen: list[MutableMapping[str, Any]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)

    async def silence(message: Message) -> None:
        raise AssertionError(message)

    scope: MutableMapping[str, Any] = {"type": "lifespan"}

    async def main() -> None:
        await build(app)(scope, body_of(), silence)

    asyncio.run(main())
    return seen == [scope] and scope == {"type": "lifespan"}
