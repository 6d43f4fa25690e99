from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from stderr_pipe import Pipe

from mcp_server.observe.records import CallRecord


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.close()


@pytest.fixture
def logging_restored() -> Iterator[None]:
    """Puts everything back that `configure` changes."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    names = ["uvicorn", "uvicorn.error", "uvicorn.asgi", "uvicorn.access", "httpx2", "sse_starlette", "mangum", "mcp"]
    names += ["httpcore", "httpcore2", "httpx", "python_multipart", "opentelemetry.baggage", "opentelemetry.trace"]
    before = {
        name: (logger.level, logger.propagate, logger.handlers[:])
        for name in names
        for logger in (logging.getLogger(name),)
    }
    root.handlers = []
    yield
    logging.captureWarnings(capture=False)
    for handler in root.handlers:
        handler.close()
    root.handlers, root.level = handlers, level
    for name, (old_level, propagate, old_handlers) in before.items():
        logger = logging.getLogger(name)
        logger.setLevel(old_level)
        logger.propagate, logger.handlers = propagate, old_handlers
    root.setLevel(level)


@pytest.fixture
def record() -> CallRecord:
    return CallRecord(
        method="tools/call",
        target="search_items",
        argument_bytes=12,
        result_bytes=345,
        milliseconds=1.23456,
        outcome="ok",
        transport="http",
        version="2026-07-28",
        client="claude-ai/0.1.0",
        request_id=1,
        reference="abcd1234",
        key="1a2b3c4d",
    )
