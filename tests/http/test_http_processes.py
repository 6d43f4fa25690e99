"""The server as a process, under both parsers of uvicorn: bytes on real connections, hang-ups, signals, exit codes."""

from __future__ import annotations

import json
import signal
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from certificates import self_signed
from fakes import meta
from http_children import BY_UVICORN, PATIENCE, WAYS, Child, Wire, modern_call, started
from http_driver import rpc

from mcp_server.protocol.versions import V2025_11_25, V2026_07_28

KEY = "k1-" + "a1b2c3d4" * 4
JSON = {"content-type": "application/json", "accept": "application/json, text/event-stream"}


@pytest.fixture(scope="module", params=list(WAYS))
def child(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Child]:
    with started(tmp_path_factory.mktemp("http"), WAYS[request.param]) as child:
        yield child


def session_of(child: Child, version: str = V2025_11_25) -> dict[str, str]:
    """The headers of an old client that has shaken hands."""
    hello = rpc("initialize", {"protocolVersion": version, "capabilities": {}}, 0)
    answer = child.http.post("/mcp", json=hello, headers=JSON)
    headers = {**JSON, "mcp-session-id": answer.headers["mcp-session-id"], "mcp-protocol-version": version}
    assert child.http.post("/mcp", json=rpc("notifications/initialized"), headers=headers).status_code == 202
    return headers


# -- bytes -----------------------------------------------------------------------------------------------------------


def test_several_requests_share_a_connection(child: Child) -> None:
    with Wire(child.port) as wire:
        for number in range(3):
            wire.received = b""
            wire.call("say", {"text": f"<{number}>"}).until(f"<{number}>".encode())
            assert wire.status == 200


def test_requests_in_a_row_are_answered_in_their_order(child: Child) -> None:
    with Wire(child.port) as wire:
        for number in range(3):
            wire.call("say", {"text": f"<{number}>"})
        answers = wire.until(b"<2>")
        assert answers.index(b"<0>") < answers.index(b"<1>") < answers.index(b"<2>")


def test_a_name_with_blanks_behind_it_is_the_name(child: Child) -> None:
    """Peers' failure 13: `Mcp-Name` with trailing spaces is refused, because uvicorn's httptools parser keeps them."""
    body, headers = modern_call("add", {"a": 1, "b": 2})
    with Wire(child.port) as wire:
        assert wire.request("POST", "/mcp", {**headers, "mcp-name": "add  \t "}, body).status == 200


def test_a_notification_is_answered_with_nothing(child: Child) -> None:
    with Wire(child.port) as wire:
        wire.request("POST", "/mcp", JSON, json.dumps(rpc("notifications/initialized")).encode())
        assert wire.status == 202
        assert wire.received.endswith(b"\r\n\r\n")
        assert b"content-length: 0" in wire.received
        assert b"transfer-encoding" not in wire.received


def test_events_come_as_they_happen(child: Child) -> None:
    label = f"events{child.port}"
    with Wire(child.port) as wire:
        wire.call("wait", {"steps": 1, "label": label}, token="t").until(b"notifications/progress")
        assert b"X-Accel-Buffering: no".lower() in wire.received.lower()
        child.call("let_go", {"label": label})
        wire.until(b"released")
        wire.until(b"0\r\n\r\n")
        assert len(wire.events) == 2


def test_a_large_answer_comes_whole(child: Child) -> None:
    text = "x" * 100_000
    assert child.call("say", {"text": text, "times": 30})["content"][0]["text"] == text * 30


@pytest.mark.parametrize(
    "garbage",
    [b"\x00\xff" * 50 + b"\r\n\r\n", b"GET\r\n\r\n", b"POST /mcp HTTP/1.1\r\nhost: a\r\ncontent-length: x\r\n\r\n"],
)
def test_what_is_no_http_is_a_400_and_harms_nobody(child: Child, garbage: bytes) -> None:
    with Wire(child.port) as wire:
        wire.send(garbage)
        assert wire.status == 400
    assert child.http.get("/health").status_code == 200


def test_a_client_that_goes_while_it_sends_harms_nobody(child: Child) -> None:
    for end in (b"", b"{", b'{"jsonrpc"'):
        with Wire(child.port) as wire:
            wire.send(b"POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n")
            wire.send(b"content-length: 1000\r\n\r\n" + end)
    assert child.call("add", {"a": 1, "b": 2})["structuredContent"] == {"sum": 3}
    assert "Exception in ASGI" not in child.log()


def test_a_body_without_end_is_refused(child: Child) -> None:
    with Wire(child.port) as wire:
        wire.send(b"POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n")
        wire.send(b"transfer-encoding: chunked\r\n\r\n")
        chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
        try:
            for _ in range(80):
                wire.send(chunk)
        except OSError:
            pass  # it has closed the connection before we were done, which is what it is meant to do
        assert wire.status == 413


# -- hanging up ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [0, 1])
def test_a_hang_up_cancels_a_modern_call(child: Child, steps: int) -> None:
    """Peers' failure 4: in JSON mode the client goes away, and the handler runs on."""
    label = f"gone{steps}{child.port}"
    with Wire(child.port) as wire:
        wire.call("wait", {"steps": steps, "label": label}, token="t")
        child.sees("waits" + label)
    child.sees("cancelled" + label)


def test_a_slow_reader_stalls_nobody_and_is_let_go_when_it_leaves(child: Child) -> None:
    """Peers' failure 2: one slow reader stalls every other request."""
    label = f"slow{child.port}"
    with Wire(child.port, receive_buffer=4096) as wire:
        wire.call("wait", {"steps": 100, "width": 1_000_000, "label": label}, token="t")
        child.sees("began" + label)
        for _ in range(20):
            assert child.call("add", {"a": 1, "b": 2})["structuredContent"] == {"sum": 3}
    child.sees("cancelled" + label)


def test_an_old_client_that_lost_its_connection_fetches_the_rest(child: Child) -> None:
    label, headers = f"old{child.port}", session_of(child)
    params: dict[str, Any] = {"name": "wait", "arguments": {"steps": 2, "label": label}}
    body = json.dumps(rpc("tools/call", {**params, "_meta": {"progressToken": "t"}}, 7)).encode()
    with Wire(child.port) as wire:
        wire.request("POST", "/mcp", headers, body).until(b'"progress":2')
        first = wire.events[0]
    child.sees("waits" + label)
    child.call("let_go", {"label": label})
    child.sees("ended" + label)
    with Wire(child.port) as wire:
        wire.request("GET", "/mcp", {**headers, "last-event-id": first["id"]})
        wire.until(b"released")
        messages = [json.loads(event["data"]) for event in wire.events if event.get("data")]
        assert [each.get("id", each.get("method")) for each in messages] == [*["notifications/progress"] * 2, 7]


def test_the_old_transport_works_over_real_connections(child: Child) -> None:
    with Wire(child.port) as wire:
        wire.request("GET", "/mcp/sse", {"accept": "text/event-stream"}).until(b"session_id=")
        wire.until(b"\n\n")
        address = wire.events[0]["data"]
        answer = child.http.post(address, json=rpc("tools/call", {"name": "add", "arguments": {"a": 1, "b": 2}}, 3))
        assert answer.status_code == 202
        wire.until(b'"id":3')


# -- signals ---------------------------------------------------------------------------------------------------------


def listen(wire: Wire) -> Wire:
    """Subscribe to changes of the tools."""
    body = rpc("subscriptions/listen", {"notifications": {"toolsListChanged": True}, "_meta": meta()}, "sub")
    headers = {**JSON, "mcp-protocol-version": V2026_07_28, "mcp-method": "subscriptions/listen"}
    wire.request("POST", "/mcp", headers, json.dumps(body).encode()).until(b"acknowledged")
    return wire


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_streams_properly_and_lets_calls_finish(tmp_path: Path, number: signal.Signals) -> None:
    """Peers' failure 16: SIGTERM with an open plain event stream, and the process still runs six seconds later."""
    with (
        started(tmp_path, GRACE_SECONDS="50") as child,
        Wire(child.port) as subscription,
        Wire(child.port) as news,
        Wire(child.port) as old,
        Wire(child.port) as call,
        Wire(child.port) as silent,
    ):
        listen(subscription)
        news.request("GET", "/mcp", {**session_of(child), "accept": "text/event-stream"}).until(b"\r\n\r\n")
        old.request("GET", "/mcp/sse", {"accept": "text/event-stream"}).until(b"session_id=")
        call.call("wait", {"steps": 1, "label": "c"}, token="t").until(b"notifications/progress")
        silent.call("slow_exit")
        child.sees("waits for a signal")
        child.tell(number)
        assert b'"id":"sub","result"' in subscription.rest()
        for stream in (subscription, news, old):
            assert stream.rest().endswith(b"0\r\n\r\n")
        assert b"finished after all" in silent.rest()
        assert b"released" in call.rest()
        assert child.leaves() == 0
    assert "Traceback" not in child.log()
    assert "ASGI callable returned" not in child.log()


def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    with started(tmp_path, GRACE_SECONDS="50") as child, Wire(child.port) as call:
        call.call("wait", {"label": "never"})
        child.sees("waitsnever")
        child.tell(signal.SIGTERM)
        _until_closed(child.port)
        began = time.monotonic()
        child.tell(signal.SIGTERM)
        assert child.leaves() == -signal.SIGTERM
        assert time.monotonic() - began < 25


def test_a_call_that_does_not_end_is_given_up_after_the_grace(tmp_path: Path) -> None:
    with started(tmp_path, GRACE_SECONDS="1") as child, Wire(child.port) as call:
        call.call("wait", {"label": "never"})
        child.sees("waitsnever")
        child.tell(signal.SIGTERM)
        assert child.leaves() == 0


def test_under_the_command_of_uvicorn_streams_end_properly_too(tmp_path: Path) -> None:
    with started(tmp_path, BY_UVICORN) as child, Wire(child.port) as subscription:
        listen(subscription)
        child.tell(signal.SIGTERM)
        assert b'"id":"sub","result"' in subscription.rest()
        assert child.leaves() in (0, -signal.SIGTERM)


def _until_closed(port: int) -> None:
    """Wait until nobody listens any more."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=PATIENCE).close()
        except OSError:
            return
    raise AssertionError("it still listens")


# -- starting --------------------------------------------------------------------------------------------------------


def test_a_port_in_use_is_one_clear_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with started(tmp_path, ["sh", "-c", f"PORT={port} exec {WAYS['httptools'][0]} main_http.py"], wait=False) as c:
            assert c.leaves() == 1
            assert c.log().strip().splitlines() == [
                f"Port {port} is in use on 127.0.0.1: stop what is listening there, or set PORT to another one"
            ]


def test_an_address_that_is_not_ours_is_one_clear_line(tmp_path: Path) -> None:
    with started(tmp_path, HOST="203.0.113.1", wait=False) as child:
        assert child.leaves() == 1
        assert child.log().startswith("Cannot listen on 203.0.113.1 port ")
        assert len(child.log().strip().splitlines()) == 1


def test_a_server_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    with started(tmp_path, MCP_APP="nowhere.at_all:server", wait=False) as child:
        assert child.leaves() == 1
        assert "nowhere.at_all" in child.log()
        assert "Traceback" not in child.log()


@pytest.mark.parametrize("way", list(WAYS))
def test_production_without_a_key_does_not_start_and_names_every_problem(tmp_path: Path, way: str) -> None:
    settings: dict[str, Any] = {"ENVIRONMENT": "production", "RATE_LIMIT": "often", "SSE_MAX_CONNECTIONS": "-1"}
    with started(tmp_path, WAYS[way], wait=False, **settings) as child:
        assert child.leaves() == 78
        for name in ("MCP_API_KEY", "RATE_LIMIT", "SSE_MAX_CONNECTIONS"):
            assert f"  {name} " in child.log()
        assert "Traceback" not in child.log()


@pytest.mark.parametrize("key", ["your_test_token", "your_secure_token", "short"])
def test_production_with_a_bad_key_does_not_start_and_does_not_show_it(tmp_path: Path, key: str) -> None:
    with started(tmp_path, wait=False, ENVIRONMENT="production", MCP_API_KEY=key) as child:
        assert child.leaves() == 78
        assert "MCP_API_KEY" in child.log()
        assert key not in child.log()


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize(
    ("environment", "who"), [("development", "who can reach this server"), ("", "on this machine")]
)
def test_without_a_key_the_log_says_once_who_may_call(tmp_path: Path, workers: str, environment: str, who: str) -> None:
    with started(tmp_path, WORKERS=workers, ENVIRONMENT=environment) as child:
        child.tell(signal.SIGTERM)
        assert child.leaves() == 0
    [warning] = [line for line in child.log().splitlines() if "MCP_API_KEY" in line]
    assert f"| WARNING | MCP_API_KEY is not set: anybody {who} may call it" in warning


def test_several_workers_serve_the_same_session_and_count_together(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"WORKERS": "2", "MCP_API_KEY": KEY, "METRICS_ENABLED": "true", "METRICS_KEY": KEY[::-1]}
    with started(tmp_path, **settings) as child:
        child.http.headers["authorization"] = f"Bearer {KEY}"
        headers = {**session_of(child), "connection": "close"}
        for number in range(20):
            answer = child.http.post("/mcp", json=rpc("ping", {}, number), headers=headers)
            assert (answer.status_code, answer.json()["result"]) == (200, {})
        metrics = child.http.get("/metrics", headers={"authorization": f"Bearer {KEY[::-1]}"})
        assert 'mcp_calls_total{method="ping",outcome="ok",target=""} 20.0' in metrics.text
        child.tell(signal.SIGTERM)
        assert child.leaves() == 0


def test_workers_without_any_secret_agree_on_one(tmp_path: Path) -> None:
    with started(tmp_path, WORKERS="2") as child:
        headers = {**session_of(child), "connection": "close"}
        for number in range(20):
            assert child.http.post("/mcp", json=rpc("ping", {}, number), headers=headers).status_code == 200
        child.tell(signal.SIGINT)
        assert child.leaves() == 0


def test_the_proxy_settings_of_uvicorn_let_nobody_choose_an_address(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"FORWARDED_ALLOW_IPS": "*", "RATE_LIMIT": "5/minute", "MCP_API_KEY": KEY}
    with started(tmp_path, BY_UVICORN, **settings) as child:
        statuses = [
            child.http.post("/mcp", json={}, headers={"x-forwarded-for": f"198.51.100.{number}, 203.0.113.9"})
            for number in range(7)
        ]
        assert [answer.status_code for answer in statuses] == [401] * 5 + [429] * 2


def test_it_speaks_https_itself_if_it_is_given_a_certificate(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path, "127.0.0.1")
    with started(tmp_path, wait=False, SSL_CERT_PATH=str(certificate), SSL_KEY_PATH=str(key), USE_SSL="true") as child:
        trusted = ssl.create_default_context(cafile=str(certificate))
        with httpx2.Client(base_url=f"https://127.0.0.1:{child.port}", verify=trusted, trust_env=False) as http:
            child.http.close()
            child.http = http
            child.ready()
            assert child.call("add", {"a": 1, "b": 2})["structuredContent"] == {"sum": 3}


def test_a_configured_secret_is_not_in_the_log(tmp_path: Path) -> None:
    with started(tmp_path, API_KEY="hunter2@db.internal", LOG_FORMAT="json") as child:
        assert child.call("fail")["isError"] is True
        child.tell(signal.SIGTERM)
        assert child.leaves() == 0
    assert "[redacted]" in child.log()
    assert "hunter2" not in child.log()
    lines = [json.loads(line) for line in child.log().splitlines()]
    (call,) = [line for line in lines if line["message"] == "call"]
    assert (call["target"], call["outcome"], call["argument_bytes"]) == ("fail", "tool_error", 0)
    assert call["ms"] > 0
