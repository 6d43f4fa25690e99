from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any

import lambda_tools
import pytest
from lambda_events import KEY, Caller, Deploy
from starlette.applications import Starlette

from mcp_server.aws_lambda import LambdaHandler
from mcp_server.http_server import http_app
from mcp_server.settings import Settings, load_settings
from mcp_server.settings.variables import variables


@pytest.fixture(autouse=True)
def _on_lambda(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the environment of a function is, and nothing of the machine on which the tests run."""
    for variable in variables(Settings):
        for name in variable.names:
            monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "mcp")
    monkeypatch.setenv("MCP_API_KEY", KEY)
    monkeypatch.setenv("RATE_LIMIT", "100000/minute")
    lambda_tools.lifespans.clear()


@pytest.fixture
def app() -> Starlette:
    return http_app(lambda_tools.server, load_settings())


@pytest.fixture
def deploy() -> Iterator[Deploy]:
    """Makes handlers, and closes them in the end."""
    with ExitStack() as handlers:

        def make(app: Any, **options: Any) -> LambdaHandler:
            return handlers.enter_context(closing(LambdaHandler(app, **options)))

        yield make


@pytest.fixture
def handler(app: Starlette, deploy: Deploy) -> LambdaHandler:
    return deploy(app)


@pytest.fixture
def caller(handler: LambdaHandler) -> Caller:
    return Caller(handler)
