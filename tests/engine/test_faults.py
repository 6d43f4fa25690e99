"""Whatever a service raises or returns: the caller gets an answer that tells it nothing of the inside."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from asking_once import ask, code, with_tool
from clients import Client
from fakes import FakeService

from mcp_server.engine.calls import Call
from mcp_server.protocol.errors import ProtocolError
from mcp_server.protocol.results import Result
from mcp_server.protocol.versions import V2025_11_25, V2026_07_28


def raising(error: BaseException) -> FakeService:
    async def tool(arguments: dict[str, Any], call: Call) -> Result:
        raise error

    return with_tool(tool)


class Panic(BaseException):
    """What a library written in Rust raises: no `Exception`."""


@pytest.mark.parametrize(
    "error",
    [
        ValueError("postgres://user:secret@db"),
        KeyError("secret"),
        SystemExit("secret"),
        Panic("secret"),
        BaseExceptionGroup("secret", [Panic("secret")]),
        asyncio.CancelledError("secret"),
        StopAsyncIteration("secret"),
        RecursionError("secret"),
        TimeoutError("secret"),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("version", [V2025_11_25, V2026_07_28])
def test_whatever_a_service_raises_is_masked_and_logged(
    version: str, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    response = ask("tools/call", {"name": "tool"}, version=version, service=raising(error))
    assert code(response) == -32603
    assert "secret" not in json.dumps(response)
    reference = response["error"]["message"].removeprefix("Internal error [").removesuffix("]")
    assert caplog.messages == [f"tools/call failed [{reference}]"]
    assert caplog.records[0].exc_info


@pytest.mark.parametrize("error", [KeyboardInterrupt(), GeneratorExit()], ids=repr)
def test_what_ends_the_process_or_a_coroutine_is_not_held_up(error: BaseException) -> None:
    async def main() -> None:
        with pytest.raises(type(error)):
            await Client(raising(error)).call("tool")

    asyncio.run(main())


def test_an_error_that_is_meant_for_the_caller_reaches_it() -> None:
    error = ask("tools/call", {"name": "tool"}, service=raising(ProtocolError(-32602, "Said so", {"a": 1})))["error"]
    assert error == {"code": -32602, "message": "Said so", "data": {"a": 1}}


@pytest.mark.parametrize("result", [{"content": [{"a": object()}]}, {"content": [{"a": "\ud800"}]}])
@pytest.mark.parametrize("version", [V2025_11_25, V2026_07_28])
def test_a_result_that_cannot_be_told_is_an_internal_error(
    version: str, result: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def tool(arguments: dict[str, Any], call: Call) -> Result:
        return result

    assert code(ask("tools/call", {"name": "tool"}, version=version, service=with_tool(tool))) == -32603
    assert len(caplog.records) == 1


@pytest.mark.parametrize("result", [{}, {"content": 5}])
def test_a_result_that_lacks_what_an_old_version_needs_is_an_internal_error(result: Any) -> None:
    async def tool(arguments: dict[str, Any], call: Call) -> Result:
        return result

    assert code(ask("tools/call", {"name": "tool"}, version=V2025_11_25, service=with_tool(tool))) == -32603
