from __future__ import annotations

import uuid
from collections.abc import Generator

import pytest
from redis_servers import forget, require_running_redis


@pytest.fixture
def prefix() -> Generator[str]:
    """What the names in Redis begin with that one test makes; they are deleted after it."""
    require_running_redis()
    prefix = f"mcp-server-test-{uuid.uuid4().hex}"
    yield prefix
    forget(prefix)
