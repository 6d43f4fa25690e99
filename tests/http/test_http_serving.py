"""From the environment to an application, in this process; what takes a process of its own is tested there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from http_children import SHOP
from http_driver import Web
from starlette.types import Message

from mcp_server.serving import configured_app, worker_app
from mcp_server.transports.bodies import ClientGone, read_body


@pytest.fixture(autouse=True)
def logging_restored() -> Iterator[None]:
    """Puts back what taking over the process's log changes."""
    root = logging.getLogger()
    names = ["", "uvicorn", "uvicorn.error", "uvicorn.asgi", "uvicorn.access", "httpx2", "sse_starlette", "mcp"]
    loggers = [(logging.getLogger(name), logging.getLogger(name).level) for name in names]
    handlers = root.handlers[:]
    root.handlers = []
    yield
    logging.captureWarnings(capture=False)
    for handler in root.handlers:
        handler.close()
    root.handlers = handlers
    for logger, level in loggers:
        logger.setLevel(level)
        logger.propagate = True


def test_the_file_beside_the_entry_point_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCP_APP", "")
    dotenv = tmp_path / ".env"
    dotenv.write_text(f"MCP_APP={SHOP}:server\nMETRICS_ENABLED=true\nDOMAIN=\n", encoding="utf-8")
    monkeypatch.delenv("MCP_APP")

    async def main() -> None:
        web = Web(configured_app(dotenv=dotenv))
        assert (await web.get("/", headers={"accept": "*/*"})).json["name"] == "shop"
        assert (await web.get("/metrics")).status == 200
        await web.app.state.lifecycle.stop()

    asyncio.run(main())


def test_a_worker_reads_the_file_that_its_parent_was_started_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("METRICS_ENABLED=true\n", encoding="utf-8")

    async def metrics() -> int:
        web = Web(worker_app())
        status = (await web.get("/metrics")).status
        await web.app.state.lifecycle.stop()
        return status

    monkeypatch.setenv("METRICS_ENABLED", "")
    monkeypatch.delenv("METRICS_ENABLED")
    assert asyncio.run(metrics()) == 404
    monkeypatch.setenv("MCP_SERVER_DOTENV", str(dotenv))
    assert asyncio.run(metrics()) == 200


def test_wrong_settings_end_the_process_with_78(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ENVIRONMENT", "production")
    monkeypatch.setenv("PORT", "many")
    with pytest.raises(SystemExit) as ended:
        configured_app()
    assert ended.value.code == 78
    said = capsys.readouterr().err
    assert "MCP_API_KEY" in said
    assert "PORT" in said


def test_a_server_that_is_not_there_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCP_APP", "nowhere.at_all:server")
    with pytest.raises(SystemExit, match=r"nowhere\.at_all"):
        configured_app()


@pytest.mark.parametrize(
    ("parts", "whole"),
    [
        ([(b"", False)], b""),
        ([(b"abc", False)], b"abc"),
        ([(b"a", True), (b"", True), (b"bc", False)], b"abc"),
    ],
)
def test_a_body_in_parts_is_read_whole(parts: list[tuple[bytes, bool]], whole: bytes) -> None:
    messages = [{"type": "http.request", "body": data, "more_body": more} for data, more in parts]

    async def receive() -> Message:
        return messages.pop(0)

    assert asyncio.run(read_body(receive)) == whole


@pytest.mark.parametrize("before", [[], [{"type": "http.request", "body": b"a", "more_body": True}]])
def test_a_body_that_breaks_off_is_none(before: list[Message]) -> None:
    messages = [*before, {"type": "http.disconnect"}]

    async def receive() -> Message:
        return messages.pop(0)

    with pytest.raises(ClientGone):
        asyncio.run(read_body(receive))
