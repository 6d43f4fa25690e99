from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from asgi_driver import Answer, ask, get, http_scope
from redis_servers import RUNNING
from slowapi import Limiter
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from mcp_server.guards.addresses import ClientAddress
from mcp_server.guards.caller import caller_of
from mcp_server.guards.slow import FunctionLimiter, attach, shared_function_limiter
from mcp_server.guards.windows import MemoryWindows


class Clock:
    now = 6000.0

    def __call__(self) -> float:
        return self.now


def application(limiter: Limiter) -> ASGIApp:
    @limiter.limit("2/minute")  # pyright: ignore[reportUnknownMemberType, reportUntypedFunctionDecorator]
    async def report(request: Request) -> Response:
        return PlainTextResponse("report")

    @limiter.limit("2/minute")  # pyright: ignore[reportUnknownMemberType, reportUntypedFunctionDecorator]
    def blocking(request: Request) -> Response:
        return PlainTextResponse("blocking")

    app = Starlette(routes=[Route("/report", report), Route("/blocking", blocking)])
    attach(app, limiter)
    return ClientAddress(app)


def ask_report(app: ASGIApp, client: str = "203.0.113.9", path: str = "/report") -> Answer:
    return get(app, method="GET", path=path, client=(client, 1))


def test_a_decorated_function_is_limited_by_address() -> None:
    app = application(FunctionLimiter(MemoryWindows(clock=Clock())))
    assert [ask_report(app).status for _ in range(3)] == [200, 200, 429]
    assert ask_report(app, "203.0.113.10").status == 200


def test_a_decorated_function_in_a_thread_is_limited_too() -> None:
    app = application(FunctionLimiter(MemoryWindows(clock=Clock())))
    assert [ask_report(app, path="/blocking").status for _ in range(3)] == [200, 200, 429]


def test_it_counts_where_the_guards_count() -> None:
    windows = MemoryWindows(clock=Clock())
    app = application(FunctionLimiter(windows))
    ask_report(app)
    assert len(windows) == 1


def test_a_refusal_is_worded_like_those_of_the_guards_and_says_when_to_come_back() -> None:
    clock = Clock()
    app = application(FunctionLimiter(MemoryWindows(clock=clock)))
    refused = [ask_report(app) for _ in range(3)][2]
    assert refused.json() == {"error": "rate_limited", "detail": "Rate limit exceeded"}
    assert refused.header("retry-after") in {"60", "61"}
    clock.now += 61
    assert ask_report(app).status == 200


def test_a_refusal_is_noted_in_the_callers_facts() -> None:
    app = application(FunctionLimiter(MemoryWindows(clock=Clock())))
    scope = http_scope(method="GET", path="/report")
    for _ in range(3):
        scope = http_scope(method="GET", path="/report")
        asyncio.run(ask(app, scope))
    assert caller_of(scope).refused == "rate_limited"


def test_who_has_a_key_is_counted_by_it() -> None:
    inner = application(FunctionLimiter(MemoryWindows(clock=Clock())))

    def ask_with(key: str, client: str) -> int:
        scope = http_scope(method="GET", path="/report", client=(client, 1))
        caller_of(scope).key = key
        return asyncio.run(ask(inner, scope)).status

    assert [ask_with("0a1b2c3d", f"203.0.113.{number}") for number in range(3)] == [200, 200, 429]
    assert ask_with("ffffffff", "203.0.113.0") == 200


def test_asking_without_counting_counts_nothing() -> None:
    limiter = FunctionLimiter(MemoryWindows(clock=Clock()))
    item = __import__("limits").parse("1/minute")
    counter = limiter.limiter
    assert [counter.test(item, "a"), counter.test(item, "a"), counter.hit(item, "a")] == [True, True, True]
    assert [counter.test(item, "a"), counter.hit(item, "a")] == [False, False]
    assert counter.get_window_stats(item, "b").remaining == 1
    assert counter.get_window_stats(item, "a").remaining == 0


def test_workers_share_one_count_in_redis(prefix: str) -> None:
    workers = [application(shared_function_limiter(RUNNING, prefix=prefix, patience=5)) for _ in range(2)]
    assert [ask_report(workers[number % 2]).status for number in range(3)] == [200, 200, 429]
    refused = ask_report(workers[0])
    assert 1 <= int(refused.header("retry-after") or 0) <= 121


def test_when_redis_is_away_a_decorated_function_is_limited_in_memory() -> None:
    app = application(shared_function_limiter("redis://127.0.0.1:1/0"))
    assert [ask_report(app).status for _ in range(3)] == [200, 200, 429]


def test_a_url_nothing_can_be_done_with_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="redis://host:6379/0"):
        shared_function_limiter("memory://")


def test_a_dotenv_file_that_lies_about_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("RATELIMIT_ENABLED=\nRATELIMIT_STRATEGY=nonsense\n")
    monkeypatch.chdir(tmp_path)
    app = application(FunctionLimiter(MemoryWindows(clock=Clock())))
    assert [ask_report(app).status for _ in range(3)] == [200, 200, 429]
