"""A server as a child process, whose tools do what tools should not do."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
from typing import Any

from fakes import FakeService

from mcp_server.engine.calls import Call
from mcp_server.engine.engine import Engine
from mcp_server.protocol.results import Result, text_content
from mcp_server.threads import Threads
from mcp_server.transports import stdio

THREADS = Threads(1)


def said(text: str) -> Result:
    return {"content": [text_content(text)]}


async def prints(arguments: dict[str, Any], call: Call) -> Result:
    print("noise", flush=True)
    return said("printed")


async def writes_to_the_descriptor(arguments: dict[str, Any], call: Call) -> Result:
    os.write(1, b"noise\n")
    return said("written")


async def writes_to_standard_error(arguments: dict[str, Any], call: Call) -> Result:
    return said(str(os.write(2, b"noise\n")))


async def starts_a_program(arguments: dict[str, Any], call: Call) -> Result:
    program = "import sys; print('noise' + sys.stdin.read())"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program)
    return said(str(await process.wait()))


async def reads_its_input(arguments: dict[str, Any], call: Call) -> Result:
    return said(repr(os.read(0, 10)))


async def waits(arguments: dict[str, Any], call: Call) -> Result:
    await asyncio.Event().wait()
    return said("never")


async def is_stubborn(arguments: dict[str, Any], call: Call) -> Result:
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            print("not yet", flush=True)


async def hangs_in_a_thread_of_ours(arguments: dict[str, Any], call: Call) -> Result:
    await THREADS.run(threading.Event().wait)
    return said("never")


async def hangs_in_a_thread_of_the_loop(arguments: dict[str, Any], call: Call) -> Result:
    await asyncio.to_thread(threading.Event().wait)
    return said("never")


async def exits(arguments: dict[str, Any], call: Call) -> Result:
    sys.exit(3)


async def says_much(arguments: dict[str, Any], call: Call) -> Result:
    return said("x" * arguments["size"])


async def says_something_foreign(arguments: dict[str, Any], call: Call) -> Result:
    return said("größe \u65e5\u672c \U0001f600")


async def cleans_up(arguments: dict[str, Any], call: Call) -> Result:
    try:
        await asyncio.Event().wait()
    finally:
        print("cleaned up", flush=True)
    return said("never")


TOOLS = (
    prints,
    writes_to_the_descriptor,
    writes_to_standard_error,
    starts_a_program,
    reads_its_input,
    waits,
    is_stubborn,
    hangs_in_a_thread_of_ours,
    hangs_in_a_thread_of_the_loop,
    exits,
    says_much,
    says_something_foreign,
    cleans_up,
)

if __name__ == "__main__":
    logging.basicConfig(stream=sys.stderr, level=logging.INFO)
    stdio.run(Engine(FakeService({tool.__name__: tool for tool in TOOLS})))
