from __future__ import annotations

import logging

import pytest
from asgi_driver import Headers, Seen, get, passes_lifespan

from mcp_server.guards.authority import is_loopback, parse_authority
from mcp_server.guards.https import HttpsGuard
from mcp_server.guards.origin import OriginGuard

LOCAL = "127.0.0.1:8000"


def status(guard: OriginGuard, host: str | None, origin: str | None = None, *, scheme: str = "http") -> int:
    headers = [*([("host", host)] if host is not None else []), *([("origin", origin)] if origin is not None else [])]
    return get(guard, headers=headers, scheme=scheme).status


def unconfigured() -> OriginGuard:
    return OriginGuard(Seen())


def configured() -> OriginGuard:
    return OriginGuard(
        Seen(), hosts=["mcp.example.com", "*.apps.example", "odd.example:8443"], origins=["https://ui.example"]
    )


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8000", "localhost", "LOCALHOST:1", "[::1]:8000", "127.3.2.1", "localhost."]
)
@pytest.mark.parametrize("guard", [unconfigured(), configured()])
def test_this_machine_is_always_served(guard: OriginGuard, host: str) -> None:
    assert status(guard, host) == 200


@pytest.mark.parametrize("origin", ["http://localhost:6274", "http://127.0.0.1:8000", "https://[::1]:9"])
def test_a_page_of_this_machine_may_ask_this_machine(origin: str) -> None:
    assert status(unconfigured(), LOCAL, origin) == 200


def test_a_page_of_this_machine_may_not_ask_elsewhere() -> None:
    assert status(configured(), "mcp.example.com", "http://localhost:6274") == 403


@pytest.mark.parametrize("guard", [unconfigured(), configured(), OriginGuard(Seen(), strict=True)])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_rebound_name_is_refused(guard: OriginGuard, scheme: str) -> None:
    assert status(guard, "evil.example.com", f"{scheme}://evil.example.com") == 403
    assert status(guard, "evil.example.com:8000", f"{scheme}://evil.example.com:8000") == 403


@pytest.mark.parametrize("guard", [unconfigured(), configured()])
@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "",
        "file://",
        "chrome-extension://abc",
        "http://localhost.evil.example",
        "http://127.0.0.1.evil.example",
        "http://localhost@evil.example",
        "http://localhost/evil",
        "https://evil.example, http://localhost",
        "http://localhost:" + "9" * 600,
    ],
)
def test_a_foreign_page_is_refused(guard: OriginGuard, origin: str) -> None:
    assert status(guard, LOCAL, origin) == 403


def test_a_new_deployment_answers_under_a_name_nobody_has_configured() -> None:
    assert status(unconfigured(), "my-app.up.railway.example") == 200


def test_a_page_served_over_tls_under_that_name_may_ask_it() -> None:
    assert status(unconfigured(), "my-app.example", "https://my-app.example", scheme="https") == 200
    assert status(unconfigured(), "my-app.example", "https://evil.example", scheme="https") == 403
    assert status(unconfigured(), "my-app.example", "http://my-app.example", scheme="https") == 403


def test_with_an_allow_list_an_unknown_host_is_refused() -> None:
    assert status(configured(), "other.example") == 403
    assert status(configured(), None) == 403


def test_an_allow_list_can_be_lenient_and_its_absence_strict() -> None:
    assert status(OriginGuard(Seen(), hosts=["a.example"], strict=False), "other.example") == 200
    assert status(OriginGuard(Seen(), strict=True), "other.example") == 403


@pytest.mark.parametrize(
    "host",
    [
        "mcp.example.com",
        "MCP.Example.com:443",
        "mcp.example.com.",
        "a.apps.example",
        "a.b.apps.example",
        "odd.example:8443",
    ],
)
def test_listed_hosts_are_served(host: str) -> None:
    assert status(configured(), host) == 200


@pytest.mark.parametrize(
    "host",
    [
        "example.com",
        "x.mcp.example.com",
        "apps.example",
        "evilapps.example",
        "odd.example",
        "odd.example:1",
        "mcp.example.com.evil",
    ],
)
def test_hosts_that_only_resemble_listed_ones_are_refused(host: str) -> None:
    assert status(configured(), host) == 403


def test_a_page_of_the_same_listed_host_may_ask() -> None:
    assert status(configured(), "mcp.example.com", "https://mcp.example.com") == 200
    assert status(configured(), "mcp.example.com", "https://a.apps.example") == 403


def test_a_listed_page_may_ask() -> None:
    assert status(configured(), "mcp.example.com", "https://UI.example") == 200
    assert status(configured(), "mcp.example.com", "http://ui.example") == 403
    assert status(configured(), "mcp.example.com", "https://ui.example:444") == 403


def test_stars_allow_everything_for_those_who_ask_for_it() -> None:
    assert status(OriginGuard(Seen(), origins=["*"]), LOCAL, "https://evil.example") == 200
    assert status(OriginGuard(Seen(), hosts=["*"]), "evil.example", "http://evil.example") == 200


@pytest.mark.parametrize("host", ["", "a b", "a/b", "user@localhost", "localhost:port", "[::1", "a" * 600])
def test_a_host_that_is_none_is_refused(host: str) -> None:
    assert status(unconfigured(), host) == 403


def test_a_request_without_a_host_passes_where_hosts_are_not_listed() -> None:
    assert status(unconfigured(), None) == 200
    assert status(unconfigured(), None, "http://localhost") == 403


def test_two_hosts_or_two_origins_are_refused() -> None:
    twice: list[Headers] = [
        [("host", "localhost"), ("host", "localhost")],
        [("host", "localhost"), ("origin", "http://localhost"), ("origin", "http://localhost")],
    ]
    assert [get(unconfigured(), headers=headers).status for headers in twice] == [403, 403]


def test_the_host_a_proxy_claims_is_not_read() -> None:
    headers = [("host", "evil.example"), ("x-forwarded-host", "mcp.example.com")]
    assert get(configured(), headers=headers).status == 403


def test_a_probe_of_a_load_balancer_needs_no_listed_host() -> None:
    guard = OriginGuard(Seen(), hosts=["mcp.example.com"], open_paths=["/health"])
    assert get(guard, method="GET", path="/health", headers=[("host", "10.0.0.7:8000")]).status == 200
    assert get(guard, method="GET", path="/mcp", headers=[("host", "10.0.0.7:8000")]).status == 403


def test_the_way_out_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    guard = configured()
    with caplog.at_level(logging.WARNING):
        status(guard, "other.example")
        status(guard, "other.example")
    assert [record.getMessage().count("ALLOWED_HOSTS") for record in caplog.records] == [1]


@pytest.mark.parametrize("pattern", ["https://a.example", "a.example/x", "*", "a.*.example", ""])
def test_a_pattern_that_is_no_host_is_a_mistake(pattern: str) -> None:
    if pattern == "*":
        OriginGuard(Seen(), hosts=[pattern])
        return
    with pytest.raises(ValueError, match="not a host name"):
        OriginGuard(Seen(), hosts=[pattern])


def test_an_authority_is_taken_apart() -> None:
    assert parse_authority("[2001:DB8::1]:80") == ("2001:db8::1", 80)
    assert parse_authority("Example.COM.") == ("example.com", None)


@pytest.mark.parametrize("host", ["::ffff:127.0.0.1", "::1", "127.0.0.1", "a.localhost"])
def test_this_machine_has_several_names(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.1", "::", "::ffff:10.0.0.1", "localhost.example", "127.1", ""])
def test_other_machines_are_not_this_one(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("scheme", "client", "path", "expected"),
    [
        ("https", "203.0.113.9", "/mcp", 200),
        ("http", "203.0.113.9", "/mcp", 403),
        ("http", "203.0.113.9", "/health", 200),
        ("http", "127.0.0.1", "/mcp", 200),
    ],
)
def test_plain_http_is_for_this_machine(scheme: str, client: str, path: str, expected: int) -> None:
    guard = HttpsGuard(Seen(), open_paths=["/health"])
    answer = get(guard, scheme=scheme, client=(client, 1), path=path, headers=[("host", "localhost")])
    assert answer.status == expected


def test_what_is_no_request_passes() -> None:
    assert passes_lifespan(OriginGuard)
    assert passes_lifespan(HttpsGuard)
