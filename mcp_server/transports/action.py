"""The small face, for people with curl and for programs that want a tool and not a protocol.

    {"action": "list_tools"}                                          → {"tools": [...]}
    {"action": "call_tool", "name": "search_items", "arguments": {}}  → {"output": "..."}

It is the same engine behind it, asked in the newest version. Only the answers are different: HTTP statuses say what
went wrong, and an error is a word and a sentence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic_core import to_json

from mcp_server.engine.calls import Principal
from mcp_server.engine.engine import Engine
from mcp_server.engine.in_flight import InFlight
from mcp_server.protocol.errors import Failure, Reason
from mcp_server.protocol.messages import Peer, Request, is_object
from mcp_server.protocol.results import REASON, Answer, Prepared, Result, encode_object
from mcp_server.protocol.versions import NEWEST
from mcp_server.transports.exchange import HTTP_OK, Exchange

_ONLY_TEXT: Final = b'[{"type":"text","text":'
_STATUS_OF_REASON: Final = {
    Reason.INVALID_ARGUMENTS: 400,
    Reason.TOOL_FAILED: 500,
    Reason.TIMED_OUT: 504,
    Reason.RATE_LIMITED: 429,
}
_STATUS_OF_FAILURE: Final = {Reason.UNKNOWN_TOOL: 404, Reason.INSUFFICIENT_SCOPE: 403}
_HTTP_BAD_REQUEST: Final = 400
_HTTP_SERVER_ERROR: Final = 500
_PEER: Final = Peer(NEWEST)


class ActionFace:
    """Answers `{"action": …}` bodies."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def answer(self, body: Mapping[str, Any], exchange: Exchange, principal: Principal | None) -> None:
        """Answer one body on one exchange."""
        exchange.speaks_mcp = False
        action = body["action"]
        if action == "list_tools":
            await self._list_tools(exchange, principal)
        elif action == "call_tool":
            await self._call_tool(body, exchange, principal)
        else:
            await exchange.finish(_error("unknown_action", "action must be list_tools or call_tool"), _HTTP_BAD_REQUEST)

    async def _list_tools(self, exchange: Exchange, principal: Principal | None) -> None:
        tools: list[bytes] = []
        cursor: dict[str, Any] = {}
        while True:
            request = Request(0, "tools/list", cursor, _PEER)
            answer = await exchange.ask(request, InFlight(), principal=principal)
            if not isinstance(answer, Prepared | Mapping):
                await exchange.conclude(request, answer)
                return
            page = answer.result if isinstance(answer, Prepared) else answer
            tools.append(answer.rendered("action", _entries) if isinstance(answer, Prepared) else _entries(page))
            if "nextCursor" not in page:
                break
            cursor = {"cursor": page["nextCursor"]}
        await exchange.finish(self._engine.redacted(b'{"tools":[' + b",".join(tools) + b"]}"), HTTP_OK)

    async def _call_tool(self, body: Mapping[str, Any], exchange: Exchange, principal: Principal | None) -> None:
        name, arguments = body.get("name"), body.get("arguments", {})
        if not isinstance(name, str) or not is_object(arguments):
            await exchange.finish(_error("bad_request", "call_tool needs name, and arguments as an object"), 400)
            return
        request = Request(0, "tools/call", {"name": name, "arguments": arguments}, _PEER)
        await exchange.conclude(request, await exchange.ask(request, InFlight(), principal=principal))

    def tell(self, _: Request, answer: Answer) -> tuple[bytes, int]:
        """An answer as this face has it, and its HTTP status."""
        if isinstance(answer, Failure):
            body, status = rendered_failure(answer)
        else:
            body, status = rendered(answer.result if isinstance(answer, Prepared) else answer)
        return self._engine.redacted(body), status


def rendered(result: Result) -> tuple[bytes, int]:
    """A tool's result, and the HTTP status that goes with it."""
    reason = result.get("_meta", {}).get(REASON)
    if reason in _STATUS_OF_REASON:
        return _error(reason, _text(result["content"])), _STATUS_OF_REASON[reason]
    fields: dict[str, Any] = {"output": _output(result["content"])}
    if "structuredContent" in result:
        fields["structuredContent"] = result["structuredContent"]
    fields["isError"] = result.get("isError", False)
    return encode_object(fields), HTTP_OK


def rendered_failure(failure: Failure) -> tuple[bytes, int]:
    """An error of the protocol, and the HTTP status that goes with it."""
    reason = failure.reason or "error"
    default = _HTTP_BAD_REQUEST if failure.data else _HTTP_SERVER_ERROR
    return _error(reason, failure.message), _STATUS_OF_FAILURE.get(reason, default)


def _output(content: Any) -> bytes:
    """The text of a result, as a JSON string."""
    if isinstance(content, bytes) and content.startswith(_ONLY_TEXT):
        return content[len(_ONLY_TEXT) : -2]
    return to_json(_text(content))


def _text(content: Any) -> str:
    return "\n".join(block["text"] for block in content if block.get("type") == "text")


def _entries(result: Result) -> bytes:
    return b",".join([to_json(_entry(tool)) for tool in result["tools"]])


def _entry(tool: Mapping[str, Any]) -> dict[str, Any]:
    """A tool as both kinds of client expect it: the schema has had two spellings."""
    schema = tool["inputSchema"]
    return {**tool, "description": tool.get("description", ""), "input_schema": schema}


def _error(word: str, sentence: str) -> bytes:
    return to_json({"error": word, "detail": sentence})
