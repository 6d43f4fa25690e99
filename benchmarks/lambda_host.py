"""A handler called as AWS Lambda calls it: `python -m benchmarks.lambda_host MODULE CALLS` prints what it has cost.

Nothing of the host is measured, only the handler: the time to import it, the first call, and the CPU of a later one.
"""

from __future__ import annotations

import time

_BEGAN = time.perf_counter()  # before anything else is imported

import contextlib  # noqa: E402
import importlib  # noqa: E402
import json  # noqa: E402
import sys  # noqa: E402
from typing import Any  # noqa: E402


def event(number: int) -> dict[str, Any]:
    """What a function URL makes of a small call."""
    meta: dict[str, Any] = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    params = {"name": "add", "arguments": {"a": number, "b": 1}, "_meta": meta}
    body = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}
    headers = {
        "host": "127.0.0.1:8000",
        "authorization": "Bearer a-key-for-benchmarks-of-more-than-32-characters",
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "tools/call",
        "mcp-name": "add",
    }
    context = {
        "http": {"method": "POST", "path": "/mcp", "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "x"},
        "accountId": "anonymous",
        "apiId": "x",
        "domainName": "127.0.0.1:8000",
        "requestId": "x",
        "stage": "$default",
        "timeEpoch": 0,
    }
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/mcp",
        "rawQueryString": "",
        "headers": headers,
        "requestContext": context,
        "body": json.dumps(body),
        "isBase64Encoded": False,
    }


class Context:
    aws_request_id = "x"

    def get_remaining_time_in_millis(self) -> int:
        return 30_000


def call(handler: Any, number: int) -> None:
    """One event; raises if the answer is not right."""
    answer = handler(event(number), Context())
    if answer["statusCode"] != 200 or json.loads(answer["body"])["result"]["structuredContent"] != {"sum": number + 1}:
        raise RuntimeError(f"not a result: {answer}")


def main() -> None:
    """Print the seconds of the import and of the first call, the CPU of a later one, and whether there was one."""
    module, calls = sys.argv[1], int(sys.argv[2])
    handler = importlib.import_module(f"benchmarks.servers.{module}").handler
    imported = time.perf_counter()
    call(handler, 0)
    first = time.perf_counter()
    found: dict[str, Any] = {"import_ms": (imported - _BEGAN) * 1e3, "first_ms": (first - imported) * 1e3}
    with contextlib.suppress(Exception):  # a handler that can be called once only has no second figure
        for number in range(10):
            call(handler, number)
        cpu = time.process_time()
        for number in range(calls):
            call(handler, number)
        found["warm_us"] = (time.process_time() - cpu) / calls * 1e6
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
