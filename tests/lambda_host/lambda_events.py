"""Events as AWS sends them, made of recorded ones, and answers as it reads them."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from fakes import meta

from mcp_server.aws_lambda import LambdaHandler
from mcp_server.protocol.versions import V2025_11_25, V2026_07_28

Event: TypeAlias = "dict[str, Any]"
Handler: TypeAlias = "Callable[[Any, Any], Any]"
Deploy: TypeAlias = "Callable[..., LambdaHandler]"

KEY = "k3y-for-tests-only-0123456789abcdefghij"
CLIENT = "203.0.113.9"
_RECORDED: dict[str, Event] = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))
    for path in Path(__file__).with_name("events").glob("*.json")
}
NOT_HTTP: dict[str, Any] = _RECORDED.pop("not_http")
KINDS = sorted(_RECORDED)

_JSON = {
    "authorization": f"Bearer {KEY}",
    "content-type": "application/json",
    "accept": "application/json, text/event-stream",
}


def event(
    kind: str,
    method: str = "GET",
    path: str = "/",
    body: object = None,
    headers: Mapping[str, str] | None = None,
    *,
    encoded: bool = False,
) -> Event:
    """An event of one kind; headers are added to those that AWS sends."""
    made = copy.deepcopy(_RECORDED[kind])
    if body is not None:
        text = body if isinstance(body, str) else json.dumps(body)
        made["body"] = base64.b64encode(text.encode()).decode() if encoded else text
        made["isBase64Encoded"] = encoded
    for name, value in (headers or {}).items():
        if "headers" in made:
            made["headers"][name] = value
        if "multiValueHeaders" in made:
            made["multiValueHeaders"][name] = [value]
    if kind in ("function_url", "http_api_v2"):
        made["rawPath"] = path
        made["requestContext"]["http"] |= {"method": method, "path": path}
    else:
        made |= {"httpMethod": method, "path": path}
    if kind == "rest_v1":
        made["requestContext"] |= {"httpMethod": method, "path": f"/prod{path}"}
    if "pathParameters" in made:
        made["pathParameters"] = {"proxy": path.removeprefix("/")} if path != "/" else None
    return made


@dataclass(frozen=True)
class Answer:
    """What a client would get."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def messages(self) -> list[Any]:
        """The messages in the answer, be it one or a stream of them."""
        if not self.headers["content-type"].startswith("text/event-stream"):
            return [self.json]
        lines = self.body.decode().splitlines()
        return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: {")]


def answered(response: Any) -> Answer:
    """An answer as AWS reads it; it must be one that can be told in JSON."""
    response = json.loads(json.dumps(response))
    headers = {name: ", ".join(values) for name, values in response.get("multiValueHeaders", {}).items()}
    headers |= response.get("headers", {})
    body: str = response["body"]
    data = base64.b64decode(body) if response["isBase64Encoded"] else body.encode()
    return Answer(response["statusCode"], headers, data)


class Context:
    """What Lambda says of an invocation."""

    aws_request_id = "0a1b2c3d-0000-4000-8000-000000000000"

    def __init__(self, seconds: float = 30.0) -> None:
        self._seconds = seconds

    def get_remaining_time_in_millis(self) -> int:
        return int(self._seconds * 1000)


class Caller:
    """A client of one function, through one kind of event."""

    def __init__(self, handler: Handler, kind: str = "function_url") -> None:
        self._handler = handler
        self._kind = kind

    def send(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        *,
        within: float = 30.0,
        encoded: bool = False,
    ) -> Answer:
        made = event(self._kind, method, path, body, headers, encoded=encoded)
        return answered(self._handler(made, Context(within)))

    def get(self, path: str, **headers: str) -> Answer:
        return self.send("GET", path, None, {"authorization": _JSON["authorization"], **headers})

    def post(self, body: object, path: str = "/mcp", *, within: float = 30.0, **headers: str) -> Answer:
        sent = {**_JSON, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return self.send("POST", path, body, sent, within=within)

    def modern(self, method: str, path: str = "/mcp", *, within: float = 30.0, **params: Any) -> Answer:
        body = {"jsonrpc": "2.0", "id": 7, "method": method, "params": {**params, "_meta": meta(**params.pop("_", {}))}}
        headers = {"mcp_protocol_version": V2026_07_28, "mcp_method": method}
        if "name" in params:
            headers["mcp_name"] = params["name"]
        return self.post(body, path, within=within, **headers)

    def legacy(
        self, method: str, path: str = "/mcp", *, within: float = 30.0, session: str = "", **params: Any
    ) -> Answer:
        headers = {"mcp_protocol_version": V2025_11_25, **({"mcp_session_id": session} if session else {})}
        body = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}
        return self.post(body, path, within=within, **headers)

    def initialize(self, **capabilities: Any) -> Answer:
        client = {"name": "test", "version": "1"}
        body = {
            "jsonrpc": "2.0",
            "id": 0,
            "method": "initialize",
            "params": {"protocolVersion": V2025_11_25, "capabilities": capabilities, "clientInfo": client},
        }
        return self.post(body)

    def call(self, tool: str, *, within: float = 30.0, **arguments: Any) -> Any:
        """The result of a tool, called by a client of the newest version."""
        return self.modern("tools/call", name=tool, arguments=arguments, within=within).messages[-1]["result"]

    def action(self, tool: str, *, within: float = 30.0, **arguments: Any) -> Answer:
        return self.post({"action": "call_tool", "name": tool, "arguments": arguments}, within=within)
