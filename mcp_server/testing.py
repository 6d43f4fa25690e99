"""A client in the same process, for the tests of a server: no socket, no subprocess, the real engine.

    async with server.test_client() as client:
        result = await client.call_tool("add", a=1, b=2)
        assert result.structured == 3

It sends and receives the same bytes as any other client, so what it sees is what they see.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self, TypeAlias

from pydantic_core import from_json, to_json

from mcp_server.engine.calls import Call, Principal
from mcp_server.engine.connection import Connection
from mcp_server.engine.engine import Engine
from mcp_server.protocol import modern
from mcp_server.protocol.messages import RequestId
from mcp_server.protocol.tasks import ENDED, TASKS
from mcp_server.protocol.versions import MODERN_VERSIONS, NEWEST

_EVERYTHING: Final[Mapping[str, Any]] = {"elicitation": {"form": {}, "url": {}}, "sampling": {}, "roots": {}}
_CLIENT: Final = {"name": "mcp-server-test", "version": "1"}


_LOOK_AGAIN: Final = 0.01
"""How long to wait between two looks at a task, in seconds."""

Answers: TypeAlias = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]
"""Plays the user: from what is asked (`elicitation/create`, ...) and its parameters to the answer."""


class ErrorResponse(Exception):  # noqa: N818 - it is what came back
    """The server answered with an error; `code`, `message` and `data` are as it sent them."""

    def __init__(self, error: Mapping[str, Any]) -> None:
        super().__init__(f"{error['message']} ({error['code']})")
        self.code: int = error["code"]
        self.message: str = error["message"]
        self.data: Any = error.get("data")


@dataclass(frozen=True, slots=True)
class CallResult:
    """What a tool answered."""

    content: list[dict[str, Any]]
    structured: Any
    is_error: bool
    raw: dict[str, Any]

    @property
    def text(self) -> str:
        """The text of all text blocks."""
        return "\n".join(block["text"] for block in self.content if block["type"] == "text")


class TestClient:
    """Speaks one version of MCP with a server in the same process; `notifications` holds what it has heard."""

    __test__ = False  # not a test, whatever pytest makes of the name

    def __init__(
        self,
        engine: Engine,
        version: str | None = None,
        *,
        capabilities: Mapping[str, Any] | None = None,
        principal: Principal | None = None,
        answers: Answers | None = None,
        tasks: bool = False,
    ) -> None:
        self.version = version or NEWEST
        self.notifications: list[dict[str, Any]] = []
        self._engine = engine
        self._answers = answers
        if capabilities is None:
            capabilities = _EVERYTHING if answers else {}
        self._capabilities: dict[str, Any] = dict(capabilities)
        if tasks:
            self._capabilities["extensions"] = {TASKS: {}}
        self._connection = Connection(engine, self, principal=principal, transport="memory")
        self._ids = itertools.count(1)
        self._late: dict[RequestId, asyncio.Future[bytes]] = {}
        self._answering: list[asyncio.Future[None]] = []
        self._exits = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._exits.enter_async_context(self._engine.lifespan())
        if self.version not in MODERN_VERSIONS:
            introduction = {"protocolVersion": self.version, "capabilities": self._capabilities, "clientInfo": _CLIENT}
            await self.request("initialize", introduction)
            await self.notify("notifications/initialized")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()
        await self._exits.aclose()

    async def request(self, method: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Any request; returns its result, or raises `ErrorResponse`. Questions go to `answers`, if it is given."""
        result = await self.request_once(method, params)
        while self._answers is not None and result.get("resultType") == "input_required":
            responses = {key: self._answer(asked) for key, asked in result["inputRequests"].items()}
            retry = {**(params or {}), "inputResponses": responses, "requestState": result["requestState"]}
            result = await self.request_once(method, retry)
        return result

    async def result_of(self, result: dict[str, Any]) -> dict[str, Any]:
        """The result that a task comes to, or this one if it is none.

        Raises:
            ErrorResponse: The task has come to an error, or was cancelled.
        """
        if result.get("resultType") != "task":
            return result
        task = await self.finished(result["taskId"])
        if task["status"] == "completed":
            return task["result"]
        raise ErrorResponse(task.get("error") or {"code": 0, "message": "the task was cancelled"})

    async def finished(self, task_id: str) -> dict[str, Any]:
        """A task once it has ended, as `tasks/get` tells it; its questions go to `answers`."""
        while (task := await self.request_once("tasks/get", {"taskId": task_id}))["status"] not in ENDED:
            questions = task.get("inputRequests")
            if questions is not None:
                responses = {key: self._answer(asked) for key, asked in questions.items()}
                await self.request_once("tasks/update", {"taskId": task_id, "inputResponses": responses})
            await asyncio.sleep(_LOOK_AGAIN)
        return task

    async def request_once(self, method: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Any request, and its result, which may be that input is required."""
        request_id = next(self._ids)
        body = {"jsonrpc": "2.0", "id": request_id, "method": method, "params": self._with_metadata(params or {})}
        answer = self._late[request_id] = asyncio.get_running_loop().create_future()
        receiving = asyncio.ensure_future(self._connection.receive(to_json(body)))
        try:
            await asyncio.wait([answer, receiving], return_when=asyncio.FIRST_COMPLETED)
            data = answer.result() if answer.done() else receiving.result()
        except asyncio.CancelledError:
            await self.notify("notifications/cancelled", {"requestId": request_id})
            raise
        finally:
            del self._late[request_id]
        response = from_json(data or b'{"error":{"code":0,"message":"the call was cancelled"}}')
        if "error" in response:
            raise ErrorResponse(response["error"])
        return response["result"]

    async def notify(self, method: str, params: Mapping[str, Any] | None = None) -> None:
        """Any notification."""
        await self._connection.receive(to_json({"jsonrpc": "2.0", "method": method, "params": params or {}}))

    async def list_tools(self) -> list[dict[str, Any]]:
        """Every tool, over all pages."""
        return await self._list("tools/list", "tools")

    async def list_resources(self) -> list[dict[str, Any]]:
        """Every resource, over all pages."""
        return await self._list("resources/list", "resources")

    async def list_resource_templates(self) -> list[dict[str, Any]]:
        """Every resource template, over all pages."""
        return await self._list("resources/templates/list", "resourceTemplates")

    async def list_prompts(self) -> list[dict[str, Any]]:
        """Every prompt, over all pages."""
        return await self._list("prompts/list", "prompts")

    async def call_tool(self, name: str, /, **arguments: Any) -> CallResult:
        """Call a tool; an error in the tool is a result whose `is_error` is true.

        A task, which a client gets that has been made with `tasks=True`, is waited for.
        """
        result = await self.request("tools/call", {"name": name, "arguments": arguments})
        result = await self.result_of(result)
        return CallResult(result["content"], result.get("structuredContent"), result.get("isError", False), result)

    async def read_resource(self, uri: str) -> list[dict[str, Any]]:
        """The contents of a resource."""
        return (await self.request("resources/read", {"uri": uri}))["contents"]

    async def get_prompt(self, name: str, /, **arguments: str) -> list[dict[str, Any]]:
        """The messages of a prompt."""
        return (await self.request("prompts/get", {"name": name, "arguments": arguments}))["messages"]

    async def send(self, message: bytes) -> None:
        """Part of the pipe: a notification from the server, or a question in versions before 2026-07-28."""
        body = from_json(message)
        if "id" in body:
            self._answering.append(asyncio.ensure_future(self._respond(body)))
        else:
            self.notifications.append(body)

    async def _respond(self, question: Mapping[str, Any]) -> None:
        response: dict[str, Any] = {"jsonrpc": "2.0", "id": question["id"], "result": self._answer(question)}
        await self._connection.receive(to_json(response))

    def _answer(self, question: Mapping[str, Any]) -> Mapping[str, Any]:
        if self._answers is None:
            raise ValueError(f"the server asks {question['method']}: give the client `answers`")
        return self._answers(question["method"], question.get("params", {}))

    def deliver(self, message: bytes) -> None:
        """Part of the pipe: an answer whose call is still winding down."""
        answer = self._late.get(from_json(message).get("id"))
        if answer is not None and not answer.done():
            answer.set_result(message)

    def outlasts(self, call: Call) -> None:
        """Part of the pipe: each request has a task of its own here, so there is nothing to do."""

    async def _list(self, method: str, key: str) -> list[dict[str, Any]]:
        page = await self.request(method)
        entries: list[dict[str, Any]] = page[key]
        while (cursor := page.get("nextCursor")) is not None:
            page = await self.request(method, {"cursor": cursor})
            entries += page[key]
        return entries

    def _with_metadata(self, params: Mapping[str, Any]) -> dict[str, Any]:
        if self.version not in MODERN_VERSIONS:
            return dict(params)
        metadata = {
            modern.PROTOCOL_VERSION: self.version,
            modern.CLIENT_CAPABILITIES: self._capabilities,
            modern.CLIENT_INFO: _CLIENT,
        }
        return {**params, "_meta": {**metadata, **params.get("_meta", {})}}
