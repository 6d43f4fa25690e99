from __future__ import annotations

import pytest
from asgi_driver import Answer, Seen, get, passes_lifespan

from mcp_server.guards.cors import Cors
from mcp_server.guards.refusals import TOO_MANY

PAGE = "https://app.example"


def preflight(*asked: str, cors: Cors | None = None, origin: str = PAGE, method: str = "POST") -> Answer:
    headers = [("origin", origin), ("access-control-request-method", method)]
    if asked:
        headers.append(("access-control-request-headers", ", ".join(asked)))
    return get(cors or Cors(Seen(), origins=[PAGE]), method="OPTIONS", headers=headers)


def granted(answer: Answer) -> set[str]:
    return {name.strip().lower() for name in (answer.header("access-control-allow-headers") or "").split(",")}


def test_a_preflight_is_answered_without_the_application() -> None:
    seen = Seen()
    answer = preflight("authorization", cors=Cors(seen, origins=[PAGE]))
    assert answer.status == 200
    assert answer.header("access-control-allow-origin") == PAGE
    assert not seen.scopes


def test_every_header_of_mcp_is_granted() -> None:
    names = "content-type authorization accept last-event-id mcp-session-id mcp-protocol-version mcp-method mcp-name"
    answer = preflight(*names.split())
    assert answer.status == 200
    assert set(names.split()) <= granted(answer)


def test_parameter_headers_are_granted_whatever_their_names() -> None:
    answer = preflight("Mcp-Param-Region", "content-type", "mcp-param-tenant_id")
    assert answer.status == 200
    assert {"mcp-param-region", "mcp-param-tenant_id", "mcp-name"} <= granted(answer)


def test_parameter_headers_alone_are_granted() -> None:
    assert "mcp-param-region" in granted(preflight("mcp-param-region"))


@pytest.mark.parametrize("name", ["x-evil", "mcp-param-", "mcp-param-a b", "mcp-param-é", "mcp-param-" + "a" * 200])
def test_other_headers_are_refused(name: str) -> None:
    assert preflight("mcp-param-ok", name).status == 400
    assert preflight(name).status == 400


def test_headers_of_ones_own_are_granted() -> None:
    cors = Cors(Seen(), origins=[PAGE], headers=["X-Requested-With"])
    assert preflight("x-requested-with", cors=cors).status == 200


def test_an_unknown_page_is_granted_nothing() -> None:
    answer = preflight("authorization", "mcp-param-a", origin="https://evil.example")
    assert answer.status == 400
    assert answer.header("access-control-allow-origin") is None


def test_an_unknown_method_is_refused() -> None:
    assert preflight(method="PATCH").status == 400


def test_an_answer_can_be_read_with_all_its_headers() -> None:
    answer = get(Cors(Seen(), origins=[PAGE], expose=["X-Request-Id"]), headers=[("origin", PAGE)])
    exposed = {name.strip() for name in (answer.header("access-control-expose-headers") or "").split(",")}
    assert answer.header("access-control-allow-origin") == PAGE
    assert {"Mcp-Session-Id", "WWW-Authenticate", "Retry-After", "RateLimit", "X-Request-Id"} <= exposed


def test_a_refusal_of_an_inner_guard_can_be_read_by_the_page() -> None:
    cors = Cors(lambda scope, _, send: TOO_MANY(scope, send), origins=[PAGE])
    answer = get(cors, headers=[("origin", PAGE)])
    assert (answer.status, answer.header("access-control-allow-origin")) == (429, PAGE)


def test_credentials_are_never_granted_not_even_with_a_star() -> None:
    cors = Cors(Seen(), origins=["*"])
    answers = [preflight("authorization", cors=cors), get(cors, headers=[("origin", PAGE), ("cookie", "a=b")])]
    assert [answer.header("access-control-allow-origin") for answer in answers] == ["*", "*"]
    assert [answer.header("access-control-allow-credentials") for answer in answers] == [None, None]


@pytest.mark.parametrize("origin", ["http://localhost:6274", "http://127.0.0.1:1", "https://[::1]"])
def test_pages_of_this_machine_are_granted_only_if_asked_for(origin: str) -> None:
    assert preflight(cors=Cors(Seen(), loopback=True), origin=origin).status == 200
    assert preflight(cors=Cors(Seen()), origin=origin).status == 400


@pytest.mark.parametrize(
    "origin", ["http://localhost.evil.example", "http://127.0.0.1.evil.example", "http://localhost:1@x"]
)
def test_pages_that_only_sound_like_this_machine_are_refused(origin: str) -> None:
    assert preflight(cors=Cors(Seen(), loopback=True), origin=origin).status == 400


def test_a_request_without_an_origin_is_left_alone() -> None:
    answer = get(Cors(Seen(), origins=[PAGE]))
    assert [name for name, _ in answer.headers] == ["content-type"]


def test_an_answer_that_may_be_cached_varies_by_origin() -> None:
    assert get(Cors(Seen(), origins=[PAGE]), method="GET").header("vary") == "Origin"


def test_what_is_no_request_passes() -> None:
    assert passes_lifespan(Cors)
