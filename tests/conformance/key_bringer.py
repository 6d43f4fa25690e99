"""Puts a key on every request that passes, for a client that cannot send one: the official suite has no option for it.

It stands between two sockets and looks at nothing but where a request begins; the answers pass as they are.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Generator
from contextlib import contextmanager

_PATIENCE = 30.0


@contextmanager
def bringing(key: str, port: int) -> Generator[int]:
    """A port of this machine on which the server at another port is reached with this key."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    header = f"Authorization: Bearer {key}\r\n".encode()
    server = asyncio.run_coroutine_threadsafe(_listen(header, port), loop).result(_PATIENCE)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        asyncio.run_coroutine_threadsafe(_stop(server), loop).result(_PATIENCE)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_PATIENCE)
        loop.close()


async def _listen(header: bytes, port: int) -> asyncio.Server:
    passing = set[asyncio.Task[None]]()  # the loop itself would let them be collected in the middle of their work

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        back = asyncio.create_task(_pour(far_reader, writer))
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                while True:
                    await _one_request(reader, far_writer, header)
        finally:
            far_writer.close()
            await back

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(pass_on(reader, writer))
        passing.add(task)
        task.add_done_callback(passing.discard)

    return await asyncio.start_server(begin, "127.0.0.1", 0)


async def _one_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, header: bytes) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    line, rest = head.split(b"\r\n", 1)
    length = 0
    for each in rest.lower().split(b"\r\n"):
        if each.startswith(b"content-length:"):
            length = int(each.partition(b":")[2])
        assert not each.startswith((b"transfer-encoding:", b"authorization:")), each
    writer.write(line + b"\r\n" + header + rest + await reader.readexactly(length))
    await writer.drain()


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
    finally:
        writer.close()


async def _stop(server: asyncio.Server) -> None:
    server.close()
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
