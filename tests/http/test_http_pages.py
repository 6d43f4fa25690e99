"""The pages beside MCP: health, readiness, metrics and the front page."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from http_driver import Visit, serving
from http_shop import shop

from mcp_server import Server
from mcp_server.protocol.versions import NEWEST

KEY, METRICS_KEY = "k1-" + "a1b2c3d4" * 4, "m1-" + "e5f6a7b8" * 4
STRANGER = ("203.0.113.9", 4711)


def get(path: str, *, server: Server | None = None, settings: dict[str, Any] | None = None, **how: Any) -> Visit:
    """One GET to a server of its own."""

    async def main() -> Visit:
        async with serving(server or shop()[0], **(settings or {})) as web:
            return await web.get(path, **how)

    return asyncio.run(main())


def test_health_has_these_bytes() -> None:
    answer = get("/health", client=STRANGER, settings={"mcp_api_key": KEY})
    assert (answer.status, answer.body) == (200, b'{"status": "healthy", "transport": "http"}')
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"


def test_health_can_be_asked_for_its_head() -> None:
    async def main() -> None:
        async with serving(shop()[0]) as web:
            answer = await web.ask(method="HEAD", path="/health")
            assert (answer.status, answer.headers["content-length"]) == (200, "42")
            assert (await web.ask(path="/health")).status == 405

    asyncio.run(main())


def test_a_server_that_runs_is_ready() -> None:
    answer = get("/ready", client=STRANGER, settings={"mcp_api_key": KEY})
    assert (answer.status, answer.json) == (200, {"status": "ready"})


def test_a_server_whose_check_fails_is_not_and_says_which() -> None:
    server, _ = shop()

    @server.ready_check
    async def database() -> None:
        raise ConnectionError("postgres://user:hunter2@db")

    @server.ready_check
    async def cache() -> None: ...

    answer = get("/ready", server=server)
    assert (answer.status, answer.json) == (503, {"status": "waiting", "waiting_for": ["database"]})
    assert get("/health", server=server).status == 200


def test_a_server_that_drains_is_not_ready_and_still_healthy() -> None:
    async def main() -> None:
        async with serving(shop()[0]) as web:
            web.app.state.lifecycle.drain()
            answer = await web.get("/ready")
            assert (answer.status, answer.json) == (503, {"status": "draining"})
            assert (await web.get("/health")).status == 200
            assert (await web.call("add", {"a": 1, "b": 1})).status == 200

    asyncio.run(main())


def test_without_being_enabled_there_are_no_metrics() -> None:
    assert get("/metrics").status == 404


def test_metrics_know_calls_by_tool_and_outcome() -> None:
    async def main() -> None:
        async with serving(shop()[0], metrics_enabled=True) as web:
            await web.call("add", {"a": 1, "b": 1})
            await web.call("add", {"a": 1})
            await web.call("a-name-that-a-stranger-made-up")
            answer = await web.get("/metrics")
            assert answer.headers["content-type"].startswith("text/plain")
            text = answer.body.decode()
            assert 'mcp_calls_total{method="tools/call",outcome="ok",target="add"} 1.0' in text
            assert 'mcp_calls_total{method="tools/call",outcome="tool_error",target="add"} 1.0' in text
            assert "stranger" not in text

    asyncio.run(main())


@pytest.mark.parametrize(
    ("sent", "status"), [(METRICS_KEY, 200), (KEY, 401), (None, 401), ("wrong", 401), (METRICS_KEY + "x", 401)]
)
def test_metrics_have_a_key_of_their_own(sent: str | None, status: int) -> None:
    settings = {"metrics_enabled": True, "metrics_key": METRICS_KEY, "mcp_api_key": KEY}
    headers = {"authorization": None if sent is None else f"Bearer {sent}"}
    assert get("/metrics", settings=settings, headers=headers, client=STRANGER).status == status


def test_the_key_of_the_metrics_opens_nothing_else() -> None:
    settings = {"metrics_enabled": True, "metrics_key": METRICS_KEY, "mcp_api_key": KEY}
    assert get("/mcp", settings=settings, headers={"authorization": f"Bearer {METRICS_KEY}"}).status == 401


def test_a_program_is_told_where_everything_is() -> None:
    answer = get("/", settings={"public_url": "https://api.example.com"}, headers={"accept": "*/*"})
    assert answer.json["name"] == "shop"
    assert answer.json["versions"][0] == NEWEST
    assert answer.json["endpoints"]["mcp"] == "https://api.example.com/mcp"


def test_a_person_gets_a_page_in_which_nothing_runs() -> None:
    answer = get("/", headers={"accept": "text/html,*/*"})
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    page = answer.body.decode()
    assert "<script" not in page
    assert "Sells &lt;things&gt;" in page
    assert "http://localhost:8000/mcp" in page
    for word in ("title", "table", "/mcp/sse", "/health", NEWEST):
        assert word in page


def test_the_front_page_escapes_the_name_under_which_it_is_asked() -> None:
    answer = get("/", headers={"accept": "text/html", "host": 'localhost"><script>'})
    assert b"<script>" not in answer.body


def test_the_front_page_is_open_and_only_to_be_read() -> None:
    async def main() -> None:
        async with serving(shop()[0], mcp_api_key=KEY) as web:
            assert (await web.get("/", client=STRANGER)).status == 200
            assert (await web.ask(method="HEAD", path="/", client=STRANGER)).status == 200
            assert (await web.ask(path="/", client=STRANGER)).status == 405

    asyncio.run(main())
