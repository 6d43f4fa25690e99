from __future__ import annotations

import asyncio

import pytest
from asgi_driver import Answer, ask, http_scope

from mcp_server.guards.caller import caller_of
from mcp_server.guards.paths import Paths
from mcp_server.guards.refusals import (
    BAD_HOST,
    BAD_ORIGIN,
    PLAIN_HTTP,
    TOO_LARGE,
    TOO_MANY,
    TOO_SLOW,
    Refusal,
    unauthorized,
)

ALL = [unauthorized(), BAD_HOST, BAD_ORIGIN, PLAIN_HTTP, TOO_SLOW, TOO_LARGE, TOO_MANY]


def answer(refusal: Refusal, headers: dict[str, str]) -> Answer:
    return asyncio.run(ask(lambda scope, _, send: refusal(scope, send), http_scope(headers=headers.items())))


@pytest.mark.parametrize("refusal", ALL)
@pytest.mark.parametrize(
    "headers",
    [{"accept": "application/json, text/event-stream"}, {"mcp-protocol-version": "2025-11-25"}, {"mcp-method": "ping"}],
)
def test_a_client_of_mcp_reads_a_json_rpc_error(refusal: Refusal, headers: dict[str, str]) -> None:
    body = answer(refusal, headers).json()
    assert body.keys() == {"jsonrpc", "id", "error"}
    assert body["id"] is None
    assert body["error"].keys() == {"code", "message"}


@pytest.mark.parametrize("refusal", ALL)
@pytest.mark.parametrize("headers", [{}, {"accept": "*/*"}])
def test_anybody_else_reads_an_error_and_its_detail(refusal: Refusal, headers: dict[str, str]) -> None:
    assert answer(refusal, headers).json().keys() == {"error", "detail"}


@pytest.mark.parametrize("refusal", ALL)
def test_no_code_lies_in_a_reserved_range_unless_json_rpc_defines_it(refusal: Refusal) -> None:
    code = answer(refusal, {"mcp-name": "x"}).json()["error"]["code"]
    assert code in (-32600, refusal.status)


@pytest.mark.parametrize("refusal", ALL)
def test_a_refusal_is_complete_and_never_stored(refusal: Refusal) -> None:
    refused = answer(refusal, {})
    assert refused.header("content-length") == str(len(refused.body))
    assert refused.header("content-type") == "application/json"
    assert refused.header("cache-control") == "no-store"


def test_a_refusal_is_noted_in_the_callers_facts() -> None:
    scope = http_scope()
    asyncio.run(ask(lambda scope, _, send: TOO_MANY(scope, send), scope))
    assert caller_of(scope).refused == "rate_limited"


def test_a_challenge_names_the_realm_the_error_and_what_is_added() -> None:
    refusal = unauthorized(error="invalid_token", challenge='resource_metadata="https://a.example/x"')
    assert answer(refusal, {}).header("www-authenticate") == (
        'Bearer realm="mcp", error="invalid_token", resource_metadata="https://a.example/x"'
    )


@pytest.mark.parametrize("refusal", [TOO_LARGE, TOO_SLOW])
def test_a_connection_with_an_unread_body_is_closed(refusal: Refusal) -> None:
    assert answer(refusal, {}).header("connection") == "close"


def test_the_facts_about_a_caller_are_one_object_per_request() -> None:
    scope = http_scope()
    caller_of(scope).key = "0a1b2c3d"
    assert scope["mcp"] is caller_of(scope)
    caller = caller_of(scope)
    assert (caller.headers, caller.address, caller.key, caller.refused) == ({}, "unknown", "0a1b2c3d", None)


def test_a_header_that_was_sent_twice_is_joined() -> None:
    scope = http_scope(headers=[("accept", "a"), ("host", "h"), ("accept", "b"), ("accept", "c")])
    assert caller_of(scope).headers == {b"accept": b"a, b, c", b"host": b"h"}


@pytest.mark.parametrize(
    ("path", "root", "expected"),
    [
        ("/health", "", True),
        ("/health/", "", False),
        ("//health", "", False),
        ("/.well-known/oauth-protected-resource/mcp", "", True),
        ("/.well-known", "", False),
        ("/mcp", "", False),
        ("/api/health", "/api", True),
        ("/api/mcp", "/api", False),
        ("/apihealth", "/api", False),
        ("/health", "/api", True),
    ],
)
def test_paths_are_exact_or_below_a_prefix_wherever_the_application_is_mounted(
    path: str, root: str, expected: bool
) -> None:
    paths = Paths(["/health", "/.well-known/*"])
    assert paths.match(http_scope(path=path, root_path=root)) is expected


def test_a_path_that_is_none_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="starts with '/'"):
        Paths(["health"])
