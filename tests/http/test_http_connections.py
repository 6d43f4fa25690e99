"""Strangers who hold connections, and nothing else: no key is needed for that, and nobody may notice it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
import uvicorn
import uvloop
from certificates import self_signed
from http_children import PATIENCE, SERVE, Wire, started
from starlette.types import Receive, Scope, Send

from mcp_server.connections import HEAD_BYTES, Connection

UVICORN = (sys.executable, "-m", "uvicorn", "main_http:app")
REQUEST = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"
HALF_A_HEAD = b"POST /mcp HTTP/1.1\r\nhost: local"

WAYS = [
    (SERVE, {"MAX_CONNECTIONS": "20"}),
    (UVICORN, {"UVICORN_HTTP": "mcp_server.connections:Connection", "UVICORN_LIMIT_CONCURRENCY": "20"}),
]


class Hasty(Connection):
    """Looks after its connections all the time, so that a test need not wait."""

    head_time = 0.0
    reading_time = 0.0
    look_after = 0.01


@asynccontextmanager
async def listening(kind: type[Connection] = Hasty, answer: bytes = b"here") -> AsyncGenerator[uvicorn.Server]:
    """A server that answers whatever it is asked with these bytes; without any, it never answers."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if not answer:
            await asyncio.Event().wait()
        headers = [(b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    options = uvicorn.Config(app, port=0, http=kind, lifespan="off", log_config=None, timeout_keep_alive=0)
    server = uvicorn.Server(options)
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(PATIENCE):
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0)
        try:
            yield server
        finally:
            server.should_exit = server.force_exit = True
            await serving


@asynccontextmanager
async def closing(writer: asyncio.StreamWriter) -> AsyncGenerator[None]:
    """Close our end afterwards."""
    try:
        yield
    finally:
        writer.transport.abort()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def connected(server: uvicorn.Server) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to it."""
    return await asyncio.open_connection("127.0.0.1", server.servers[0].sockets[0].getsockname()[1])


@pytest.mark.parametrize("said", [b"", HALF_A_HEAD])
@pytest.mark.parametrize(("way", "settings"), WAYS)
def test_hundreds_who_say_nothing_keep_nobody_out(
    tmp_path: Path, said: bytes, way: Sequence[str], settings: dict[str, Any]
) -> None:
    with started(tmp_path, way, **settings) as child, ExitStack() as strangers:
        for _ in range(200):
            strangers.enter_context(Wire(child.port)).send(said)
        assert child.call("say", {"text": "still here"})["content"][0]["text"] == "still here"


def test_who_is_being_served_keeps_the_place(tmp_path: Path) -> None:
    with started(tmp_path, MAX_CONNECTIONS="20") as child, Wire(child.port) as friend, ExitStack() as strangers:
        friend.call("wait", {"label": "friend"})
        child.sees("waitsfriend")
        for _ in range(100):
            strangers.enter_context(Wire(child.port)).send(HALF_A_HEAD)
        child.call("let_go", {"label": "friend"})
        friend.until(b"released")


def test_where_everybody_is_being_served_a_further_one_is_refused(tmp_path: Path) -> None:
    with started(tmp_path, MAX_CONNECTIONS="4") as child, ExitStack() as friends:
        child.http.close()
        for _ in range(3):
            friend = friends.enter_context(Wire(child.port))
            friend.call("wait", {"label": "friend", "steps": 1}, token="t").until(b"notifications/progress")
        with Wire(child.port) as late:
            assert late.request("GET", "/health", {}).status == 503


def test_a_head_that_does_not_end_is_refused(tmp_path: Path) -> None:
    with started(tmp_path) as child, Wire(child.port) as stranger:
        with contextlib.suppress(ConnectionError):
            stranger.send(b"GET /health HTTP/1.1\r\nhost: localhost\r\nx: ")
            for _ in range(4 * HEAD_BYTES // 4096):
                stranger.send(b"x" * 4096)
            stranger.rest()
        assert child.http.get("/health").status_code == 200


def test_whose_head_is_too_large_is_told_so() -> None:
    async def main() -> bytes:
        async with listening(Connection) as server:
            reader, writer = await connected(server)
            writer.write(b"GET / HTTP/1.1\r\nhost: localhost\r\nx: ")
            answer = asyncio.create_task(reader.readline())
            while not answer.done():
                writer.write(b"x" * 4096)
                await asyncio.sleep(0)
            writer.transport.abort()
            return await answer

    assert asyncio.run(main()) == b"HTTP/1.1 431 Request Header Fields Too Large\r\n"


def test_a_head_that_is_too_large_behind_a_request_ends_the_connection() -> None:
    """An answer may be half said there, so that nothing else can be."""

    async def main() -> bytes:
        async with listening(Connection, answer=b"") as server:
            reader, writer = await connected(server)
            writer.write(REQUEST + b"GET / HTTP/1.1\r\nx: ")
            heard = asyncio.create_task(reader.read())
            with contextlib.suppress(ConnectionError):
                while not heard.done():
                    writer.write(b"x" * 4096)
                    await asyncio.sleep(0)
                return await heard
            return b""

    assert asyncio.run(main()) == b""


@pytest.mark.parametrize("first", [b"", REQUEST])
def test_a_head_that_trickles_has_no_more_time_than_any_other(first: bytes) -> None:
    async def main() -> None:
        async with listening() as server:
            reader, writer = await connected(server)
            writer.write(first + HALF_A_HEAD)
            gone = asyncio.create_task(reader.read())
            while not gone.done():
                writer.write(b"x")
                await asyncio.sleep(0)
            writer.transport.abort()
            await asyncio.gather(gone, return_exceptions=True)

    asyncio.run(main())


class Patient(Hasty):
    """Gives heads all the time they want."""

    head_time = 3600.0


def test_a_connection_that_is_not_used_again_is_closed() -> None:
    async def main() -> bytes:
        async with listening(Patient) as server:
            reader, writer = await connected(server)
            writer.write(REQUEST)
            async with closing(writer), asyncio.timeout(PATIENCE):
                return await reader.read()  # until it is closed

    assert asyncio.run(main()).endswith(b"here")


def test_a_head_that_has_begun_is_waited_for_on_a_used_connection() -> None:
    async def main() -> bytes:
        async with listening(Patient) as server:
            reader, writer = await connected(server)
            async with closing(writer), asyncio.timeout(PATIENCE):
                writer.write(REQUEST + REQUEST[:10])
                await reader.readuntil(b"here")
                await asyncio.sleep(10 * Patient.look_after)
                writer.write(REQUEST[10:])
                return await reader.readuntil(b"here")

    assert asyncio.run(main()).endswith(b"here")


def test_requests_that_come_together_are_answered_in_turn() -> None:
    async def main() -> list[bytes]:
        async with listening(Connection) as server:
            reader, writer = await connected(server)
            async with closing(writer), asyncio.timeout(PATIENCE):
                writer.write(REQUEST * 50)
                return [await reader.readuntil(b"here") for _ in range(50)]

    assert len(asyncio.run(main())) == 50


def test_an_answer_that_nobody_reads_is_dropped() -> None:
    async def main() -> None:
        async with listening(answer=b"x" * 50_000_000) as server:
            _, writer = await connected(server)
            cast("asyncio.Transport", writer.transport).pause_reading()
            writer.write(REQUEST)
            while not server.server_state.total_requests or server.server_state.connections:  # noqa: ASYNC110
                await asyncio.sleep(0)
            writer.transport.abort()

    asyncio.run(main())


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
@pytest.mark.parametrize("asks_last", [False, True])
def test_a_client_that_does_not_answer_the_end_of_tls_does_not_hold_up_the_process(
    loop: Callable[[], asyncio.AbstractEventLoop], asks_last: bool, tmp_path: Path
) -> None:
    """As a browser does that keeps a connection for later. Event loops wait for 30 seconds by themselves."""
    certificate, key = self_signed(tmp_path, "127.0.0.1")

    class Short(Connection):
        goodbye_time = 0.01

    def connect(port: int) -> ssl.SSLSocket:
        trusted = ssl.create_default_context(cafile=str(certificate))
        found = trusted.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="127.0.0.1")
        found.sendall(REQUEST)
        assert found.recv(9) == b"HTTP/1.1 "
        return found

    async def main() -> None:
        answered, asked = asyncio.Event(), asyncio.Event()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            del receive
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
            if scope["path"] == "/slow":
                asked.set()
                await answered.wait()
            await send({"type": "http.response.body", "body": b""})

        server = uvicorn.Server(
            uvicorn.Config(
                app,
                port=0,
                http=Short,
                lifespan="off",
                log_config=None,
                ssl_certfile=certificate,
                ssl_keyfile=key,
            )
        )
        serving = asyncio.create_task(server.serve())
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
        with await asyncio.to_thread(connect, server.servers[0].sockets[0].getsockname()[1]) as client:
            if asks_last:
                client.sendall(REQUEST.replace(b"GET /", b"GET /slow"))
                await asked.wait()
            server.should_exit = True
            asyncio.get_running_loop().call_later(0.2, answered.set)
            async with asyncio.timeout(20):
                await serving

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(main())
