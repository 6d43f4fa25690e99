"""What a quick call and a cold start may cost: counted, not timed, so that a busy machine changes nothing.

A budget that breaks says which one, and by how much. It may be raised, with a reason; `python -m benchmarks` then tells
what that costs in time.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from cold_paths import (
    imported_by_first_result_over_stdio,
    imported_by_lambda_handler,
    imported_by_package,
    packages,
    rooms,
)
from quick_calls import (
    KEY,
    Answered,
    Pipe,
    everything_off,
    everything_on,
    functions_called_by,
    opcodes_of,
    over_a_pipe,
    over_http,
    server,
    tasks_created_by,
    with_tokens,
)
from quick_calls import floor as the_floor

from mcp_server.engine.connection import Connection
from mcp_server.observe.writer import LineWriter

# What was counted with Python 3.11, and a tenth for what is still to come.
FUNCTIONS_OFF = 100
FUNCTIONS_ON = 133
FUNCTIONS_WITH_A_TOKEN = 179
FUNCTIONS_ON_A_PIPE = 48

# How many times the instructions of the same tool without MCP, counted in the same run; and a tenth.
OPCODES_OFF = 11.2
OPCODES_ON = 14.5

MODEL = {"annotated_types", "pydantic", "pydantic_core", "typing_extensions", "typing_inspection"}
"""What it takes to validate arguments."""
CORE = {
    *("asking", "context", "engine", "guards", "local", "offering", "protocol"),
    *("registry", "server", "stepping", "threads", "tool_limits"),
}
"""Our rooms without which there is no `Server`."""
WEB = {
    "anyio",
    "dotenv",
    "mangum",
    "opentelemetry",
    "pydantic_settings",
    "python_multipart",
    "sniffio",
    "starlette",
}
"""What it takes to answer HTTP requests."""
HTTP = {
    "app",
    "aws_lambda",
    "health",
    "http_server",
    "lifecycle",
    "observe",
    "pages",
    "sample",
    "serving",
    "settings",
    "transports",
    "watching",
}
"""Our rooms without which there is no HTTP."""


def test_a_quick_call_over_http_creates_no_task_with_everything_off() -> None:
    assert _of(_over_http_off, tasks_created_by) == 0


def test_a_quick_call_over_http_creates_no_task_with_everything_on(log: LineWriter) -> None:
    assert _of(lambda: _over_http_on(log), tasks_created_by) == 0


def test_a_quick_call_with_a_token_that_is_remembered_creates_no_task(log: LineWriter, tmp_path: Path) -> None:
    assert _of(lambda: with_tokens(log, f"sqlite:///{tmp_path}/store.db"), tasks_created_by) == 0


def test_a_quick_call_over_stdio_creates_no_task() -> None:
    assert _of(_over_a_pipe, tasks_created_by) == 0


def test_a_task_that_a_call_creates_would_be_seen() -> None:
    async def with_a_task() -> bytes:
        return await asyncio.create_task(over_a_pipe(Connection(server.engine(), Pipe())))

    assert _of(lambda: with_a_task, tasks_created_by) == 1


def test_a_quick_call_over_http_keeps_to_its_functions_with_everything_off() -> None:
    _within("a call over HTTP, everything off", _of(_over_http_off, functions_called_by), FUNCTIONS_OFF)


def test_a_quick_call_over_http_keeps_to_its_functions_with_everything_on(log: LineWriter) -> None:
    _within("a call over HTTP, everything on", _of(lambda: _over_http_on(log), functions_called_by), FUNCTIONS_ON)


def test_a_quick_call_with_a_token_keeps_to_its_functions(log: LineWriter, tmp_path: Path) -> None:
    found = _of(lambda: with_tokens(log, f"sqlite:///{tmp_path}/store.db"), functions_called_by)
    _within("a call with a token that is remembered", found, FUNCTIONS_WITH_A_TOKEN)


def test_a_quick_call_over_stdio_keeps_to_its_functions() -> None:
    _within("a call over stdio", _of(_over_a_pipe, functions_called_by), FUNCTIONS_ON_A_PIPE)


def test_a_quick_call_keeps_to_its_instructions_with_everything_off() -> None:
    _beside_the_floor("a call over HTTP, everything off", _of(_over_http_off, opcodes_of), OPCODES_OFF)


def test_a_quick_call_keeps_to_its_instructions_with_everything_on(log: LineWriter) -> None:
    _beside_the_floor("a call over HTTP, everything on", _of(lambda: _over_http_on(log), opcodes_of), OPCODES_ON)


def test_importing_the_package_loads_no_room_and_no_package(tmp_path: Path) -> None:
    modules = imported_by_package(tmp_path / "modules")
    _only("import mcp_server", packages(modules), set())
    _only("import mcp_server", rooms(modules), set())


def test_a_first_result_over_stdio_loads_what_it_needs(tmp_path: Path) -> None:
    modules = imported_by_first_result_over_stdio(tmp_path / "modules")
    _only("a first result over stdio", packages(modules), MODEL)
    _only("a first result over stdio", rooms(modules), CORE | {"transports"})


def test_a_lambda_handler_loads_what_it_needs(tmp_path: Path) -> None:
    modules = imported_by_lambda_handler(tmp_path / "modules")
    _only("import lambda_handler", packages(modules), MODEL | WEB)
    _only("import lambda_handler", rooms(modules), CORE | HTTP)


def _over_http_off() -> Answered:
    app = everything_off()
    return lambda: over_http(app)


def _over_http_on(log: LineWriter) -> Answered:
    app = everything_on(log)
    return lambda: over_http(app, KEY)


def _over_a_pipe() -> Answered:
    connection = Connection(server.engine(), Pipe())
    return lambda: over_a_pipe(connection)


def _of(make: Callable[[], Answered], count: Callable[[Answered], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        return await count(make())

    return asyncio.run(main())


def _within(what: str, found: Counter[str], budget: int) -> None:
    total = sum(found.values())
    most = ", ".join(f"{name} {times}" for name, times in found.most_common(12))
    assert total <= budget, (
        f"{what}: {total} functions, {total - budget} over its budget of {budget}; most of all {most}"
    )


def _beside_the_floor(what: str, found: Counter[str], budget: float) -> None:
    floor = sum(_of(lambda: lambda: over_http(the_floor), opcodes_of).values())
    total = sum(found.values())
    most = ", ".join(f"{name} {times}" for name, times in found.most_common(12))
    assert total <= budget * floor, (
        f"{what}: {total} instructions, {total / floor:.1f} times the floor's {floor} and "
        f"{total - round(budget * floor)} over its budget of {budget} times; most of all in {most}"
    )


def _only(what: str, found: set[str], allowed: set[str]) -> None:
    further = sorted(found - allowed)
    assert not further, f"{what}: {len(further)} more than its budget allows: {', '.join(further)}"
