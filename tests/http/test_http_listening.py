"""Where the server listens: both loopback addresses by default, because `localhost` may be either."""

from __future__ import annotations

import signal
import socket
from collections.abc import Generator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import httpx2
import pytest
from http_children import PATIENCE, SERVE, free_port, modern_call, started

from mcp_server.listening import LOOPBACK, CannotListen, bound, bound_to_any

NOT_OURS = ("203.0.113.1", "2001:db8::1")
"""Addresses that stand in documentation, and on no machine."""


def has(address: str) -> bool:
    """Whether this machine has an address."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True


OURS = [address for address in LOOPBACK if has(address)]


@contextmanager
def places(sockets: list[socket.socket]) -> Generator[list[str]]:
    """Where they are bound."""
    with ExitStack() as exits:
        yield [exits.enter_context(closing(each)).getsockname()[0] for each in sockets]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_whoever_takes_localhost_for_either_address_is_answered(tmp_path: Path, workers: str) -> None:
    with started(tmp_path, SERVE, WORKERS=workers) as child:
        sites = [f"http://{f'[{address}]' if ':' in address else address}:{child.port}" for address in OURS]
        for site in sites:
            body, headers = modern_call("add", {"a": 1, "b": 2})
            with httpx2.Client(base_url=site, trust_env=False) as http:
                answer = http.post("/mcp", content=body, headers={**headers, "origin": site})
            assert (answer.status_code, answer.json()["result"]["structuredContent"]) == (200, {"sum": 3}), site
        child.tell(signal.SIGTERM)
        assert child.leaves() == 0
    said = [line.partition("Uvicorn running on ")[2] for line in child.log().splitlines()]
    assert [line for line in said if line] == [f"{' and '.join(sites)} (Press CTRL+C to quit)"]


@pytest.mark.parametrize("limit", ["ulimit -n 64", "ulimit -Sn 64"])
def test_a_process_that_may_open_few_files_keeps_some_of_them_for_newcomers(tmp_path: Path, limit: str) -> None:
    port = str(free_port())
    with started(tmp_path, ["sh", "-c", f"{limit} && PORT={port} exec {SERVE[0]} main_http.py"], wait=False) as child:
        child.port, child.http.base_url = int(port), f"http://127.0.0.1:{port}"
        child.ready()
        with ExitStack() as held:
            for _ in range(100):
                held.enter_context(socket.create_connection(("127.0.0.1", child.port)))
            child.http.close()
            with httpx2.Client(base_url=child.http.base_url, trust_env=False, timeout=PATIENCE) as child.http:
                assert child.call("add", {"a": 1, "b": 2})["structuredContent"] == {"sum": 3}
        child.tell(signal.SIGTERM)
        assert child.leaves() == 0
    assert ("enough for 32 connections" in child.log()) == (limit == "ulimit -n 64")


def test_localhost_is_every_loopback_address_of_this_machine() -> None:
    with places(bound("localhost", free_port())) as found:
        assert found == OURS


@pytest.mark.parametrize("missing", NOT_OURS)
def test_an_address_that_this_machine_has_not_is_left_out(missing: str) -> None:
    with places(bound_to_any([missing, "127.0.0.1"], free_port())) as found:
        assert found == ["127.0.0.1"]


def test_with_none_of_them_there_is_nothing_to_listen_on() -> None:
    with pytest.raises(CannotListen, match=r"Cannot listen on 2001:db8::1 port \d+: "):
        bound_to_any(NOT_OURS, free_port())


def test_a_port_that_is_taken_on_one_of_them_is_taken_and_the_others_are_let_go() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.2", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CannotListen, match=f"Port {port} is in use on 127.0.0.2: "):
            bound_to_any(["127.0.0.1", "127.0.0.2"], port)
        with places(bound("127.0.0.1", port)) as found:
            assert found == ["127.0.0.1"]


def test_a_name_that_stands_for_nothing_is_one_clear_line() -> None:
    with pytest.raises(CannotListen, match=r"^Cannot listen on nowhere\.invalid port 8000: .+$"):
        bound("nowhere.invalid", 8000)


def test_every_address_of_ipv6_is_every_address_of_ipv4_too() -> None:
    (listener,) = bound("::" if has("::") else "0.0.0.0", free_port())
    with closing(listener):
        listener.listen()
        for address in OURS:
            socket.create_connection((address, listener.getsockname()[1])).close()
