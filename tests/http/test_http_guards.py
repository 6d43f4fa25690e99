"""The guards as the application puts them together: what passes, what does not, and in which order."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from fakes import meta
from http_driver import BOTH, Visit, Web, rpc, serving
from http_shop import SECRET, content, shop

from mcp_server.protocol.versions import V2026_07_28
from mcp_server.settings import Settings, SettingsError

KEY, OLD_KEY = "k1-" + "a1b2c3d4" * 4, "k2-" + "e5f6a7b8" * 4
STRANGER = ("203.0.113.9", 4711)
LIST = {"action": "list_tools"}


def visit(body: object = b"", *, settings: dict[str, Any] | None = None, **how: Any) -> Visit:
    """One request to a server of its own, from somewhere else."""

    async def main() -> Visit:
        async with serving(shop()[0], **(settings or {})) as web:
            return await web.ask(body, **{"client": STRANGER, **how})

    return asyncio.run(main())


def keyed(sent: str | None, path: str = "/mcp", **how: Any) -> Visit:
    """One request with this in `Authorization`, to a server that has a key."""
    settings = {"mcp_api_key": KEY, "mcp_api_key_previous": OLD_KEY}
    return visit(LIST, settings=settings, path=path, headers={"authorization": sent, "accept": "*/*"}, **how)


# -- keys ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sent",
    [
        f"Bearer {KEY}",
        f"bearer {KEY}",
        f"BEARER {KEY}",
        f"Bearer Bearer {KEY}",
        f"Bearer bearer {KEY}",
        f'Bearer "{KEY}"',
        f"Bearer '{KEY}'",
        f"Bearer  {KEY}",
        f"Bearer {OLD_KEY}",
    ],
)
@pytest.mark.parametrize("path", ["/mcp", "/mcp/sse"])
def test_a_key_is_recognised_as_people_write_it(path: str, sent: str) -> None:
    """Peers' failure 11: `Bearer Bearer x` and a quoted key are refused."""
    assert keyed(sent, path).status == 200


@pytest.mark.parametrize(
    "sent",
    [None, "", KEY, f"Basic {KEY}", "Bearer", "Bearer ", f"Bearer {KEY}x", f"Bearer {KEY.upper()}", "Bearer wrong"],
)
@pytest.mark.parametrize("path", ["/mcp", "/mcp/", "/mcp/sse", "/mcp/messages", "/nowhere"])
def test_anything_else_is_a_401_in_the_same_words(path: str, sent: str | None) -> None:
    answer = keyed(sent, path)
    assert (answer.status, answer.json) == (401, {"error": "unauthorized", "detail": "Invalid API key"})
    challenge = answer.headers["www-authenticate"]
    assert challenge.startswith('Bearer realm="mcp"')
    assert ("invalid_token" in challenge) == (sent is not None)


def test_a_key_in_the_query_is_worth_nothing() -> None:
    assert keyed(None, f"/mcp?api_key={KEY}&token={KEY}").status == 401


def test_an_mcp_client_is_refused_in_its_own_language() -> None:
    answer = visit(rpc("tools/list", {"_meta": meta()}, 1), settings={"mcp_api_key": KEY})
    assert (answer.status, answer.json["jsonrpc"], answer.json["id"]) == (401, "2.0", None)


def test_without_a_key_this_machine_is_served() -> None:
    assert visit(LIST, client=("127.0.0.1", 1)).status == 200
    assert visit(LIST, client=("::1", 1), headers={"host": "[::1]:8000"}).status == 200


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"client": None},
        {"client": ("127.0.0.1", 1), "headers": {"x-forwarded-for": "127.0.0.1"}},
        {"client": ("127.0.0.1", 1), "headers": {"host": "api.example.com"}},
    ],
)
def test_without_a_key_nobody_else_is(how: dict[str, Any]) -> None:
    answer = visit(LIST, **how)
    assert answer.status == 401
    assert b"MCP_API_KEY" in answer.body


def test_in_development_without_a_key_everybody_is_and_the_log_says_so(caplog: pytest.LogCaptureFixture) -> None:
    assert visit(LIST, settings={"environment": "development"}).status == 200
    [warning] = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warning.startswith("MCP_API_KEY is not set: anybody who can reach this server may call it")


@pytest.mark.parametrize("environment", ["production", "staging"])
@pytest.mark.parametrize("key", [None, "your_test_token", "your_secure_token", "short", "x" * 40])
def test_production_does_not_start_without_a_good_key(environment: str, key: str | None) -> None:
    with pytest.raises(SettingsError, match="MCP_API_KEY"):
        Settings(environment=environment, **({"mcp_api_key": key} if key else {}))  # type: ignore[arg-type]


def test_a_refused_key_is_in_the_log_with_an_address_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "mcp_server")
    keyed("Bearer sk-guess-4711")
    assert "=== AUTH FAILURE === unauthorized, from 203.0.113.9" in caplog.text
    assert "4711" not in caplog.text


# -- limits ----------------------------------------------------------------------------------------------------------


async def ask_many(web: Web, count: int, **how: Any) -> list[Visit]:
    """So many requests, over the faces in turn."""
    paths = ["/mcp", "/mcp/sse"]
    return [await web.ask(LIST, path=paths[number % 2], **how) for number in range(count)]


def test_the_hundred_and_first_request_of_a_minute_is_a_429() -> None:
    async def main() -> None:
        async with serving(shop()[0], mcp_api_key=KEY, rate_limit="100/minute") as web:
            how: dict[str, Any] = {"headers": {"authorization": f"Bearer {KEY}", "accept": "*/*"}, "client": STRANGER}
            assert {answer.status for answer in await ask_many(web, 100, **how)} == {200}
            for path in ("/mcp", "/mcp/sse"):
                refused = await web.ask(LIST, path=path, **how)
                assert (refused.status, refused.json["error"]) == (429, "rate_limited")
                assert 1 <= int(refused.headers["retry-after"]) <= 61
                assert refused.headers["ratelimit-limit"] == "100"
            rpc_refused = await web.call("add", headers={"authorization": f"Bearer {KEY}"}, client=STRANGER)
            assert (rpc_refused.status, rpc_refused.code) == (429, 429)
            for _ in range(3):
                assert (await web.get("/health", client=STRANGER)).status == 200
                assert (await web.get("/ready", client=STRANGER)).status == 200

    asyncio.run(main())


def test_a_limit_that_is_off_counts_nobody() -> None:
    async def main() -> None:
        async with serving(shop()[0], mcp_api_key=KEY, rate_limit="off") as web:
            how: dict[str, Any] = {"headers": {"authorization": f"Bearer {KEY}", "accept": "*/*"}, "client": STRANGER}
            answers = await ask_many(web, 150, **how)
            assert {answer.status for answer in answers} == {200}
            assert "ratelimit" not in answers[-1].headers
            assert {(await web.ask(LIST, client=STRANGER)).status for _ in range(150)} == {401}

    asyncio.run(main())


def test_a_quota_holds_where_the_limit_is_off() -> None:
    async def main() -> None:
        async with serving(shop()[0], rate_limit="off", rate_limit_day=3) as web:
            assert [answer.status for answer in await ask_many(web, 4)] == [200, 200, 200, 429]

    asyncio.run(main())


def test_one_call_costs_one_request() -> None:
    """Peers' failure 7: a modern call is counted twice, and refused with 200 and without `Retry-After`."""

    async def main() -> None:
        async with serving(shop()[0], rate_limit="5/minute") as web:
            for _ in range(5):
                assert (await web.call("add", {"a": 1, "b": 1})).status == 200
            refused = await web.call("add", {"a": 1, "b": 1})
            assert refused.status == 429
            assert refused.headers["retry-after"].isdigit()

    asyncio.run(main())


def test_a_forged_address_changes_nothing() -> None:
    async def main() -> None:
        async with serving(shop()[0], mcp_api_key=KEY, rate_limit="10/minute") as web:
            seen = [
                await web.ask(LIST, client=STRANGER, headers={"x-forwarded-for": f"198.51.100.{number}"})
                for number in range(12)
            ]
            assert [answer.status for answer in seen] == [401] * 10 + [429] * 2

    asyncio.run(main())


def test_behind_a_trusted_proxy_the_forged_part_is_not_read() -> None:
    async def main() -> None:
        settings: dict[str, Any] = {"mcp_api_key": KEY, "rate_limit": "10/minute", "trusted_proxies": "10.0.0.0/8"}
        async with serving(shop()[0], **settings) as web:
            seen = [
                await web.ask(
                    LIST, client=("10.1.2.3", 1), headers={"x-forwarded-for": f"198.51.100.{number}, 203.0.113.9"}
                )
                for number in range(12)
            ]
            assert [answer.status for answer in seen] == [401] * 10 + [429] * 2
            other = await web.ask(LIST, client=("10.1.2.3", 1), headers={"x-forwarded-for": "203.0.113.10"})
            assert other.status == 401

    asyncio.run(main())


def test_callers_with_a_key_share_no_address_and_strangers_share_no_key() -> None:
    async def main() -> None:
        settings: dict[str, Any] = {
            "mcp_api_key": [KEY, OLD_KEY],
            "rate_limit": "5/minute",
            "rate_limit_per_key": "8/minute",
        }
        async with serving(shop()[0], **settings) as web:
            for key in (KEY, OLD_KEY):
                headers = {"authorization": f"Bearer {key}", "accept": "*/*"}
                statuses = [answer.status for answer in await ask_many(web, 10, headers=headers, client=STRANGER)]
                assert statuses == [200] * 8 + [429] * 2

    asyncio.run(main())


def test_limits_that_were_hit_are_counted() -> None:
    async def main() -> None:
        settings: dict[str, Any] = {
            "mcp_api_key": KEY,
            "rate_limit": "2/minute",
            "metrics_enabled": True,
            "metrics_key": OLD_KEY,
        }
        async with serving(shop()[0], **settings) as web:
            await ask_many(web, 4, client=STRANGER)
            metrics = await web.get("/metrics", headers={"authorization": f"Bearer {OLD_KEY}"})
            assert b'mcp_limits_hit_total{reason="rate_limited"} 2.0' in metrics.body
            assert b'mcp_auth_failures_total{reason="unauthorized"} 2.0' in metrics.body

    asyncio.run(main())


def test_when_redis_is_away_limits_are_open_and_the_log_raises_an_alarm(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with serving(shop()[0], rate_limit="2/minute", redis_url="redis://127.0.0.1:1") as web:
            assert {(await web.ask(LIST, headers={"accept": "*/*"})).status for _ in range(5)} == {200}

    asyncio.run(main())
    assert "Rate limits are open" in caplog.text


# -- HTTPS -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "status"),
    [
        ({}, 403),
        ({"headers": {"x-forwarded-proto": "https"}}, 403),  # nobody says so whom we trust
        ({"client": ("10.0.0.1", 1), "headers": {"x-forwarded-proto": "https", "x-forwarded-for": "203.0.113.9"}}, 200),
        ({"client": ("10.0.0.1", 1), "headers": {"x-forwarded-proto": "http", "x-forwarded-for": "203.0.113.9"}}, 403),
        ({"client": ("127.0.0.1", 1)}, 200),
        ({"method": "GET", "path": "/health"}, 200),
    ],
)
def test_plain_http_from_elsewhere_is_refused_if_https_is_required(how: dict[str, Any], status: int) -> None:
    settings: dict[str, Any] = {"require_https": True, "mcp_api_key": KEY, "trusted_proxies": "10.0.0.0/8"}
    how["headers"] = {"authorization": f"Bearer {KEY}", **how.get("headers", {})}
    assert visit(LIST, settings=settings, **how).status == status
    assert visit(LIST, settings={**settings, "require_https": False}, **how).status == 200


# -- bodies and arguments --------------------------------------------------------------------------------------------


def test_ten_megabytes_are_refused() -> None:
    answer = visit(b" " * 10_000_000, client=("127.0.0.1", 1), headers={"content-length": "10000000"})
    assert answer.status == 413


def test_ten_megabytes_that_were_not_announced_are_refused() -> None:
    answer = visit(b"[" + b" " * 10_000_000 + b"]", client=("127.0.0.1", 1))
    assert answer.status == 413


def test_a_stranger_is_refused_before_his_body_is_read() -> None:
    assert visit(b" " * 10_000_000, settings={"mcp_api_key": KEY}).status == 401


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 5000 + b"1" + b"}" * 5000])
def test_json_that_is_nested_too_deep_is_too_much(body: bytes) -> None:
    answer = visit(body, client=("127.0.0.1", 1))
    assert (answer.status, answer.code, answer.json["id"]) == (413, -32600, None)


def test_a_mark_in_front_of_a_body_is_ignored() -> None:
    answer = visit(b"\xef\xbb\xbf" + json.dumps(LIST).encode(), client=("127.0.0.1", 1))
    assert answer.status == 200


@pytest.mark.parametrize(
    "arguments",
    [
        {"a": "5", "b": 1},
        {"a": True, "b": 1},
        {"a": 5.5, "b": 1},
        {"a": 51, "b": 1},
        {"a": -1, "b": 1},
        {"a": 1},
        {"a": None, "b": 1},
        {"a": 1, "b": 1, "c": "sk-4711"},
        {"a": [1], "b": 1},
    ],
)
def test_arguments_are_taken_at_their_word(arguments: dict[str, Any]) -> None:
    """Peers' failure 9: `"5"` is 5, `true` is 1, and extra arguments are dropped without a word."""

    async def main() -> None:
        server, stage = shop()
        async with serving(server) as web:
            answer = await web.call("add", arguments)
            assert answer.result["isError"] is True
            assert answer.result["content"][0]["text"].startswith("Invalid arguments: ")
            assert b"4711" not in answer.body
            assert b"pydantic" not in answer.body
            small = await web.ask({"action": "call_tool", "name": "add", "arguments": arguments})
            assert (small.status, small.json["error"]) == (400, "invalid_arguments")
            assert stage.happened == []

    asyncio.run(main())


@pytest.mark.parametrize(("query", "good"), [("", False), ("x", True), ("x" * 100_001, False)])
def test_texts_have_a_length(query: str, good: bool) -> None:
    async def main() -> None:
        async with serving(shop()[0]) as web:
            answer = await web.call("say", {"text": query, "times": 1})
            assert answer.result.get("isError", False) is not good

    asyncio.run(main())


@pytest.mark.parametrize("version", [V2026_07_28, "2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"])
def test_a_failure_is_masked_in_every_version(version: str) -> None:
    """Peers' failure 5: the text of an exception, with a password in it, reaches the client."""

    async def main() -> None:
        async with serving(shop()[0]) as web:
            if version == V2026_07_28:
                answer = await web.call("fail")
            else:
                answer = await (await web.session(version)).call("fail")
            assert answer.result["isError"] is True
            assert answer.result["content"][0]["text"].startswith("Tool execution failed [")
            assert b"hunter2" not in answer.body

    asyncio.run(main())


def test_what_cannot_be_told_is_an_error_like_any_other() -> None:
    async def main() -> None:
        async with serving(shop()[0]) as web:
            answer = await web.call("odd")
            assert (answer.status, answer.code) == (200, -32603)
            assert (await web.call("add", {"a": 1, "b": 1})).status == 200

    asyncio.run(main())


@pytest.mark.parametrize("setting", ["mcp_api_key", "api_key", "session_secret"])
@pytest.mark.parametrize("path", ["/mcp", "/mcp/sse"])
def test_a_configured_secret_never_leaves(setting: str, path: str) -> None:
    headers = {"authorization": f"Bearer {SECRET}"}

    async def main() -> None:
        async with serving(shop()[0], **dict[str, Any]({setting: SECRET})) as web:
            answer = await web.call("leak", path=path, headers=headers)
            assert answer.result["content"] == content('{"key":"[redacted]"}')
            assert SECRET.encode() not in answer.body

    asyncio.run(main())


# -- browsers --------------------------------------------------------------------------------------------------------

PAGE = "https://app.example.com"


def preflight(origin: str, headers: str, **settings: Any) -> Visit:
    asked = {"origin": origin, "access-control-request-method": "POST", "access-control-request-headers": headers}
    return visit(method="OPTIONS", headers=asked, settings={"mcp_api_key": KEY, **settings})


@pytest.mark.parametrize("path", ["/mcp"])
def test_a_preflight_needs_no_key(path: str) -> None:
    """Peers' failure 11: `OPTIONS` under authentication is a 401, so that no browser can ask."""
    asked = "authorization, content-type, mcp-protocol-version, mcp-method, mcp-name, mcp-session-id, mcp-param-region"
    answer = preflight(PAGE, asked, cors_allowed_origins=PAGE)
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == PAGE
    allowed = answer.headers["access-control-allow-headers"].lower()
    assert all(name.strip() in allowed for name in asked.split(","))
    assert "access-control-allow-credentials" not in answer.headers


def test_a_page_that_is_not_listed_is_granted_nothing() -> None:
    answer = preflight("https://evil.example", "authorization", cors_allowed_origins=PAGE)
    assert answer.status == 400
    assert "access-control-allow-origin" not in answer.headers


def test_a_refusal_can_be_read_by_the_page_that_caused_it() -> None:
    answer = visit(LIST, settings={"mcp_api_key": KEY, "cors_allowed_origins": PAGE}, headers={"origin": PAGE})
    assert answer.status == 401
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert "WWW-Authenticate" in answer.headers["access-control-expose-headers"]


def test_a_session_id_can_be_read_by_a_page() -> None:
    hello = rpc("initialize", {"protocolVersion": "2025-11-25", "capabilities": {}}, 1)
    headers = {"origin": PAGE, "authorization": f"Bearer {KEY}"}
    answer = visit(hello, settings={"mcp_api_key": KEY, "cors_allowed_origins": PAGE}, headers=headers)
    assert "Mcp-Session-Id" in answer.headers["access-control-expose-headers"]


def home(host: str, origin: str | None, body: object = LIST, **how: Any) -> Visit:
    return visit(body, client=("127.0.0.1", 1), headers={"host": host, "origin": origin}, **how)


@pytest.mark.parametrize(
    "body", [rpc("server/discover", {"_meta": meta()}, 1), rpc("notifications/initialized"), LIST, b""]
)
def test_a_rebound_name_is_refused(body: object) -> None:
    assert home("evil.example.com", "http://evil.example.com", body).status == 403


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:8000", "[::1]:8000"])
def test_this_machine_may_call_itself_by_its_names(host: str) -> None:
    assert home(host, f"http://{host}").status == 200
    assert home(host, f"http://{host}", rpc("notifications/initialized")).status == 202
    assert home(host, None).status == 200


@pytest.mark.parametrize("origin", ["http://evil.example.com", "null", "http://localhost.evil.example", "file://"])
def test_a_foreign_page_may_not_call_this_machine(origin: str) -> None:
    assert home("localhost:8000", origin).status == 403


def test_a_fresh_deployment_answers_under_its_real_name() -> None:
    """Peers' failure 10: a freshly deployed server answers 421 to everybody until an allow-list is found."""
    headers = {"host": "api.example.com", "authorization": f"Bearer {KEY}"}
    assert visit(LIST, settings={"mcp_api_key": KEY, "environment": "production"}, headers=headers).status == 200


def test_with_a_name_configured_others_are_refused() -> None:
    settings = {"mcp_api_key": KEY, "public_url": "https://api.example.com"}
    for host, status in (("api.example.com", 200), ("other.example.com", 403), ("localhost:8000", 200)):
        headers = {"host": host, "authorization": f"Bearer {KEY}"}
        assert visit(LIST, settings=settings, headers=headers).status == status


def test_a_health_check_may_come_under_any_name() -> None:
    settings = {"mcp_api_key": KEY, "public_url": "https://api.example.com"}
    for path in ("/health", "/ready"):
        assert visit(method="GET", path=path, settings=settings, headers={"host": "10.0.0.7:8000"}).status == 200


def test_accepting_both_kinds_changes_no_refusal() -> None:
    assert visit(LIST, settings={"mcp_api_key": KEY}, headers={"accept": BOTH}).json["error"]["code"] == 401
