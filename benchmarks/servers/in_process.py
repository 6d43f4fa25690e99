"""One server and one connection in a process without a socket: python -m benchmarks.servers.in_process WHO WHAT CALLS.

The bytes of a request are put into uvicorn's own protocol, and its answer is taken from a transport that goes nowhere.
What is left are the instructions of Python, uvicorn and the server, the same at each run; nothing is timed.
"""

import asyncio
import sys
from typing import Any

from uvicorn.config import Config
from uvicorn.lifespan.on import LifespanOn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from benchmarks import questions
from benchmarks.load import Ask, WrongAnswer, run
from mcp_server.connections import Connection

KEY = "a-key-for-benchmarks-of-more-than-32-characters"
TOOLS = 10
WARM_UP = 50
_PEERS = {"peername": ("127.0.0.1", 4711), "sockname": ("127.0.0.1", 8000)}


class Nowhere(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return _PEERS.get(name, default)

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        return False

    def resume_reading(self) -> None: ...
    def pause_reading(self) -> None: ...


def app_of(who: str) -> Any:
    """The application of a subject."""
    # Each is imported in a process of its own, without the others.
    if who == "floor":
        from benchmarks.servers.http_floor import raw  # noqa: PLC0415

        return raw
    if who == "official":
        from benchmarks.servers.http_official import server_with as official  # noqa: PLC0415

        return official(TOOLS).streamable_http_app(json_response=True, stateless_http=True, max_sessions=None)
    from benchmarks.servers.http_ours import app_of as ours  # noqa: PLC0415
    from benchmarks.servers.http_ours import server_with  # noqa: PLC0415

    return ours(server_with(TOOLS), who)


def ask_of(what: str, key: str | None) -> Ask:
    """The request of a scenario."""
    addition, right = questions.addition(1), questions.sum_is(2)
    if what == questions.MODERN:
        return questions.modern(1, "tools/call", addition, right, key)
    if what == questions.HANDSHAKE:
        return questions.older(1, "tools/call", addition, right, key)
    return questions.ask({"action": "call_tool", **addition}, right, authorization=questions.bearer(key))


async def main(who: str, what: str, calls: int) -> None:
    """Answer so many requests; raises `WrongAnswer`."""
    ask = ask_of(what, KEY if who == "everything" else None)
    ours = who in {"bare", "everything"}
    # Ours as `mcp-server run` serves it, the others as uvicorn does by itself.
    kind = Connection if ours else HttpToolsProtocol
    config = Config(
        app_of(who),
        http=kind,
        log_level="warning",
        access_log=False,
        proxy_headers=not ours,
        lifespan="off" if who == "floor" else "on",
    )
    config.load()
    state: dict[str, Any] = {}
    if who != "floor":
        lifespan = LifespanOn(config)
        await lifespan.startup()
        state = lifespan.state
    protocol, transport = kind(config, ServerState(), state), Nowhere()
    protocol.connection_made(transport)
    for number in range(WARM_UP + calls):
        transport.written.clear()
        protocol.data_received(ask.data)
        while not protocol.cycle.response_complete:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0)
        if number == 0 and not ask.is_right(b"".join(transport.written).partition(b"\r\n\r\n")[2]):
            raise WrongAnswer(repr(transport.written))


if __name__ == "__main__":
    run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
