"""Two processes of one server behind a balancer that takes each connection to the other one, and Redis between them."""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import threading
import time
import uuid
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx2
import pytest
import redis
from http_children import BY_UVICORN, PATIENCE, Child, Wire, started
from http_driver import BOTH, rpc
from redis_servers import RUNNING, require_running_redis

from mcp_server.protocol.versions import V2025_11_25

TOWN = Path(__file__).with_name("http_town.py")
URI = "shop://shelf"


class Balancer:
    """Takes each connection to the next of some ports."""

    def __init__(self, ports: list[int]) -> None:
        self._next = itertools.cycle(ports)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(PATIENCE)
        self._listener.close()
        for each in self._open:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", next(self._next)), timeout=PATIENCE)
            far.settimeout(None)
            self._open += [near, far]
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=_pour, args=(source, target), daemon=True).start()


def _pour(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@dataclass
class Town:
    """The two processes, and the balancer in front of them."""

    processes: list[Child]
    balancer: Balancer
    http: httpx2.Client

    def session(self) -> dict[str, str]:
        """The headers of an old client that has shaken hands."""
        hello = rpc("initialize", {"protocolVersion": V2025_11_25, "capabilities": {"elicitation": {}}}, 0)
        answer = self.http.post("/mcp", json=hello, headers={"accept": BOTH})
        own = {"mcp-session-id": answer.headers["mcp-session-id"], "mcp-protocol-version": V2025_11_25}
        headers = {"content-type": "application/json", "accept": BOTH, **own}
        self.ask("ping", {}, headers)
        self.ask("ping", {}, headers)  # both have seen the session now
        return headers

    def ask(self, method: str, params: dict[str, Any], headers: dict[str, str], **how: Any) -> httpx2.Response:
        """One request, which the next process takes."""
        return self.http.post("/mcp", json=rpc(method, params, 1), headers=headers, **how)

    def open(self, method: str, headers: dict[str, str], body: object = None) -> Wire:
        """A connection that stays open, to the next process."""
        wire = Wire(self.balancer.port)
        return wire.request(method, "/mcp", headers, b"" if body is None else json.dumps(body).encode())


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    name = f"town-{uuid.uuid4().hex}"
    require_running_redis()
    client: Any = redis.Redis(socket_connect_timeout=5)
    settings: dict[str, Any] = {
        "MCP_APP": f"{TOWN}:server",
        "TOWN_NAME": name,
        "EVENT_BUS_URL": RUNNING,
        "SESSION_SECRET": "a secret that both processes have",
    }
    with ExitStack() as stack:
        stack.callback(client.close)
        processes = [
            stack.enter_context(started(tmp_path_factory.mktemp("town"), BY_UVICORN, shop=False, **settings))
            for _ in range(2)
        ]
        _until_joined(client, f"mcp-server:news:{name}", len(processes))
        balancer = stack.enter_context(Balancer([child.port for child in processes]))
        http = httpx2.Client(
            base_url=f"http://127.0.0.1:{balancer.port}",
            timeout=PATIENCE,
            trust_env=False,
            headers={"connection": "close"},
        )
        yield Town(processes, balancer, stack.enter_context(http))


def _until_joined(client: Any, channel: str, count: int) -> None:
    """Wait until all of them hear each other."""
    deadline = time.monotonic() + PATIENCE
    while client.pubsub_numsub(channel)[0][1] < count:
        assert time.monotonic() < deadline, "they do not hear each other"
        time.sleep(0.02)


@contextlib.contextmanager
def streams(town: Town, headers: dict[str, str]) -> Generator[list[Wire]]:
    """A stream of news from each process."""
    with town.open("GET", headers) as one, town.open("GET", headers) as other:
        for wire in (one, other):
            wire.until(b"\r\n\r\n")
        yield [one, other]


def test_the_balancer_takes_each_connection_to_the_other_process(town: Town) -> None:
    headers = town.session()
    pids = [town.ask("tools/call", {"name": "who"}, headers).json()["result"]["content"][0]["text"] for _ in range(4)]
    assert pids[0] == pids[2] != pids[1] == pids[3]


def test_a_change_reaches_the_streams_of_both_processes(town: Town) -> None:
    headers = town.session()
    assert town.ask("resources/subscribe", {"uri": URI}, headers).status_code == 200
    with streams(town, headers) as wires:
        for _ in range(2):  # once in each process
            for wire in wires:
                wire.received = b""
            town.ask("tools/call", {"name": "restock"}, headers)
            town.ask("ping", {}, headers)
            town.ask("tools/call", {"name": "rebuild"}, headers)
            for wire in wires:
                wire.until(b"notifications/resources/updated")
                wire.until(b"notifications/tools/list_changed")
            town.ask("ping", {}, headers)
            town.ask("ping", {}, headers)


def test_a_modern_subscription_hears_of_changes_in_the_other_process(town: Town) -> None:
    from fakes import meta

    from mcp_server.protocol.versions import V2026_07_28

    params = {"notifications": {"toolsListChanged": True}, "_meta": meta()}
    headers = {"content-type": "application/json", "accept": BOTH, "mcp-protocol-version": V2026_07_28}
    with town.open(
        "POST", {**headers, "mcp-method": "subscriptions/listen"}, rpc("subscriptions/listen", params, "s")
    ) as wire:
        wire.until(b"acknowledged")
        old = town.session()
        for child in town.processes:
            wire.received = b""
            child.http.post("/mcp", json=rpc("tools/call", {"name": "rebuild"}, 1), headers=old)
            wire.until(b"notifications/tools/list_changed")


def test_a_log_level_holds_in_both_processes(town: Town) -> None:
    headers = town.session()
    assert town.ask("logging/setLevel", {"level": "debug"}, headers).status_code == 200
    deadline = time.monotonic() + PATIENCE
    for child in town.processes:
        while (
            b"quietly"
            not in child.http.post("/mcp", json=rpc("tools/call", {"name": "grumble"}, 1), headers=headers).content
        ):
            assert time.monotonic() < deadline, "the level never arrived"


@pytest.mark.parametrize("first", [0, 1])
def test_an_answer_that_goes_to_the_other_process_arrives(town: Town, first: int) -> None:
    headers = town.session()
    for _ in range(first):
        town.ask("ping", {}, headers)
    with town.open("POST", headers, rpc("tools/call", {"name": "ask"}, 7)) as call:
        call.until(b"elicitation/create")
        call.until(b"\n\n")
        question = next(
            message
            for message in (json.loads(event["data"]) for event in call.events if event.get("data"))
            if message.get("method") == "elicitation/create"
        )
        answer = {"jsonrpc": "2.0", "id": question["id"], "result": {"action": "accept", "content": {"size": 42}}}
        assert town.http.post("/mcp", json=answer, headers=headers).status_code == 202
        assert b"42" in call.until(b'"id":7')


def test_a_call_that_is_cancelled_through_the_other_process_ends(town: Town) -> None:
    headers = town.session()
    with town.open("POST", headers, rpc("tools/call", {"name": "wait"}, 9)) as call:
        call.until(b"began")
        body = rpc("notifications/cancelled", {"requestId": 9})
        assert town.http.post("/mcp", json=body, headers=headers).status_code == 202
        assert b'"id":9' not in call.until(b"0\r\n\r\n")


def test_a_session_that_has_ended_has_ended_in_both(town: Town) -> None:
    headers = town.session()
    with streams(town, headers) as wires:
        assert town.http.delete("/mcp", headers=headers).status_code == 200
        for wire in wires:
            assert wire.until(b"0\r\n\r\n")
        for _ in range(2):
            assert town.ask("ping", {}, headers).status_code == 404
