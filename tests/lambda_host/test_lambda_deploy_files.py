"""The files that deploy the function, and the page that explains them."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import lambda_tools
import pytest
import yaml
from lambda_events import KEY
from lambda_runtime import PATIENCE, ROOT
from starlette.testclient import TestClient

from mcp_server.http_server import http_app
from mcp_server.settings import load_settings

FILES = ROOT / "deploy" / "lambda"
TEMPLATES = sorted(FILES.glob("template*.yaml"))
PAGE = (ROOT / "docs" / "lambda.md").read_text(encoding="utf-8")
LINT = shutil.which("cfn-lint", path=str(Path(sys.executable).parent))


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's own tags as the text that they stand before."""


def _text(loader: _Loader, _: str, node: yaml.ScalarNode) -> Any:
    return loader.construct_scalar(node)


_Loader.add_multi_constructor("!", _text)  # pyright: ignore[reportUnknownMemberType]


def _function(template: str) -> dict[str, Any]:
    return yaml.load((FILES / template).read_text(encoding="utf-8"), _Loader)["Resources"]["Server"]["Properties"]


@pytest.mark.skipif(LINT is None, reason="cfn-lint is not installed")
@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_cloudformation_has_nothing_to_say_against_a_template(template: Path) -> None:
    assert LINT is not None
    command = [LINT, "--regions", "eu-central-1", "--", str(template)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_there_are_two_templates() -> None:
    assert [path.name for path in TEMPLATES] == ["template.web-adapter.yaml", "template.yaml"]


@pytest.mark.parametrize("template", ["template.yaml", "template.web-adapter.yaml"])
def test_a_template_makes_its_own_key_and_holds_none(template: str) -> None:
    assert _function(template)["Environment"]["Variables"]["MCP_API_KEY"] == "{{resolve:secretsmanager:${Key}}}"


def test_the_function_ends_before_a_gateway_would_give_up() -> None:
    assert _function("template.yaml")["Timeout"] <= 29


def test_a_stream_ends_before_the_function_does() -> None:
    function = _function("template.web-adapter.yaml")
    assert float(function["Environment"]["Variables"]["SSE_STREAM_TIMEOUT"]) < function["Timeout"]
    assert function["FunctionUrlConfig"]["InvokeMode"] == "RESPONSE_STREAM"


def test_the_handler_of_the_template_is_in_the_repository() -> None:
    module, _, name = _function("template.yaml")["Handler"].partition(".")
    assert re.search(rf"^{name} = ", (ROOT / f"{module}.py").read_text(encoding="utf-8"), re.MULTILINE)


def test_the_image_has_a_pinned_adapter_that_streams() -> None:
    lines = (FILES / "Dockerfile.web-adapter").read_text(encoding="utf-8")
    assert re.search(r"awsguru/aws-lambda-adapter:\d+\.\d+\.\d+ /lambda-adapter /opt/extensions/", lines)
    assert "AWS_LWA_INVOKE_MODE=response_stream" in lines
    assert 'CMD ["python", "main_http.py"]' in lines


def test_the_page_shows_the_handler_as_it_is() -> None:
    code = (ROOT / "lambda_handler.py").read_text(encoding="utf-8").split('"""')[2].strip()
    assert code in PAGE


@pytest.mark.parametrize("path", sorted(set(re.findall(r"deploy/lambda/[\w.-]*\w", PAGE))))
def test_a_file_that_the_page_names_exists(path: str) -> None:
    assert (ROOT / path).is_file()


def test_a_server_that_knows_that_it_can_stream_does_so_on_lambda_too() -> None:
    app = http_app(lambda_tools.server, load_settings(), streaming=True)
    with TestClient(app, headers={"authorization": f"Bearer {KEY}"}) as client:
        params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
        body = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
        told = client.post("/mcp", json=body).json()["result"]["capabilities"]
    assert told["tools"] == {"listChanged": True}
    assert lambda_tools.lifespans == ["begun", "ended"]


def test_what_the_image_runs_streams() -> None:
    """What the adapter asks: `python main_http.py`, in the environment of a function."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME", "COVERAGE_PROCESS_START") if name in os.environ},
        "AWS_LAMBDA_FUNCTION_NAME": "mcp",
        "MCP_API_KEY": KEY,
        "PORT": str(port),
    }
    child = subprocess.Popen(
        [sys.executable, "main_http.py"], cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True
    )
    try:
        assert child.stderr is not None
        assert any("running on" in line for line in child.stderr)
        stream = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        stream.request("GET", "/mcp/sse", headers={"Authorization": f"Bearer {KEY}", "Accept": "text/event-stream"})
        response = stream.getresponse()
        assert (response.status, response.readline().strip()) == (200, b"event: endpoint")
        stream.close()
        response.close()
    finally:
        child.kill()
        child.communicate(timeout=PATIENCE)
