"""How a server behind HTTP begins and ends, whatever its host makes of that."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fakes import FakeService
from http_driver import Web, serving
from http_shop import shop
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mcp_server import Server
from mcp_server.engine.engine import Engine
from mcp_server.http_server import http_app
from mcp_server.lifecycle import Lifecycle
from mcp_server.settings import Settings


def counted() -> tuple[Server, list[str]]:
    """A server that notes when it begins and ends."""
    happened: list[str] = []

    @asynccontextmanager
    async def lifespan(_: Server) -> AsyncGenerator[None]:
        happened.append("begins")
        async with asyncio.TaskGroup():  # a lifespan may hold what must be left in the task that entered it
            yield
        happened.append("ends")

    server = Server("counted", lifespan=lifespan)

    @server.tool
    async def ready() -> str:
        """Answer."""
        return "yes"

    return server, happened


def test_a_lifespan_may_come_many_times() -> None:
    """Peers' failure 1: the second warm invocation fails, as the session manager may be entered once a process."""

    async def main() -> None:
        server, happened = counted()
        app = http_app(server, Settings())
        for _ in range(3):
            async with app.router.lifespan_context(app):
                assert (await Web(app).call("ready")).status == 200
        assert happened == ["begins", "ends"] * 3

    asyncio.run(main())


def test_without_a_lifespan_the_first_requests_start_the_server_once() -> None:
    async def main() -> None:
        server, happened = counted()
        web = Web(http_app(server, Settings()))
        visits = [web.begin("ready") for _ in range(20)]
        for visit in visits:
            assert (await visit.done()).status == 200
        assert happened == ["begins"]

    asyncio.run(main())


def test_a_host_that_runs_each_request_in_a_loop_of_its_own_is_served() -> None:
    server, happened = counted()
    client = TestClient(http_app(server, Settings()), base_url="http://localhost", client=("127.0.0.1", 1))
    for _ in range(3):
        assert client.post("/mcp", json={"action": "call_tool", "name": "ready"}).json()["output"] == "yes"
    assert happened.count("begins") == 3


def test_where_answers_go_out_whole_the_server_outlasts_its_lifespans() -> None:
    async def main() -> None:
        server, happened = counted()
        app = http_app(server, Settings(), streaming=False)
        for _ in range(5):
            async with app.router.lifespan_context(app):
                assert (await Web(app).call("ready")).status == 200
        assert happened == ["begins"]

    asyncio.run(main())


def test_the_application_can_be_mounted_and_extended() -> None:
    async def hello(_: Any) -> PlainTextResponse:
        return PlainTextResponse("hello")

    server, happened = counted()
    app = http_app(server, Settings(trace_requests=True))
    app.router.routes.append(Route("/hello", hello))
    with TestClient(Starlette(routes=[Mount("/api", app)]), base_url="http://localhost", client=("127.0.0.1", 1)) as c:
        assert c.get("/api/hello").text == "hello"
        assert c.get("/api/health").status_code == 200
        assert c.post("/api/mcp", json={"action": "call_tool", "name": "ready"}).json()["output"] == "yes"
    assert happened == ["begins"]


def test_a_layer_that_somebody_adds_sees_every_request_and_every_answer() -> None:
    class Stamp:
        def __init__(self, app: ASGIApp) -> None:
            self._app = app

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            async def stamped(message: Message) -> None:
                if message["type"] == "http.response.start":
                    message["headers"] = [*message["headers"], (b"x-stamp", b"seen")]
                await send(message)

            await self._app(scope, receive, stamped)

    app = http_app(counted()[0], Settings())
    app.add_middleware(Stamp)
    with TestClient(app, base_url="http://localhost", client=("127.0.0.1", 1)) as client:
        answers = [
            client.post("/mcp", json={"action": "call_tool", "name": "ready"}),
            client.get("/health"),
            client.get("/nowhere"),
            client.get("/health", headers={"host": "evil.example", "origin": "http://evil.example"}),
            client.post("/mcp", headers={"host": "evil.example", "origin": "http://evil.example"}),
        ]
    assert [answer.status_code for answer in answers] == [200, 200, 404, 200, 403]
    assert {answer.headers["x-stamp"] for answer in answers} == {"seen"}


def test_a_route_that_breaks_is_answered_by_whoever_was_told_to() -> None:
    async def breaks(_: Any) -> PlainTextResponse:
        raise ArithmeticError("secret")

    async def sorry(_: Any, error: Exception) -> PlainTextResponse:
        return PlainTextResponse(type(error).__name__, 500)

    app = http_app(counted()[0], Settings())
    app.router.routes.append(Route("/breaks", breaks))
    app.add_exception_handler(Exception, sorry)
    client = TestClient(app, "http://localhost", raise_server_exceptions=False, client=("127.0.0.1", 1))
    with client:
        answer = client.get("/breaks")
    assert (answer.status_code, answer.text) == (500, "ArithmeticError")


def test_a_test_client_runs_the_lifespan_through_everything() -> None:
    server, happened = counted()
    app = http_app(server, Settings(trace_requests=True))
    with TestClient(app, base_url="http://localhost", client=("127.0.0.1", 1)) as client:
        assert client.get("/ready").status_code == 200
    assert happened == ["begins", "ends"]


def test_a_server_that_cannot_start_says_so_each_time() -> None:
    attempts: list[int] = []

    @asynccontextmanager
    async def lifespan(_: Server) -> AsyncGenerator[None]:
        attempts.append(1)
        if len(attempts) < 3:
            raise ConnectionError("no database")
        yield

    async def main() -> None:
        web = Web(http_app(Server("s", lifespan=lifespan), Settings()))
        for _ in range(2):
            with pytest.raises(ConnectionError):
                await web.modern("tools/list")
        assert (await web.modern("tools/list")).status == 200
        await web.app.state.lifecycle.stop()

    asyncio.run(main())


def test_a_request_that_gives_up_while_the_server_starts_does_not_start_it_twice() -> None:
    begun: list[int] = []

    async def main() -> None:
        begins, go_on = asyncio.Event(), asyncio.Event()

        @asynccontextmanager
        async def lifespan(_: Server) -> AsyncGenerator[None]:
            begun.append(1)
            begins.set()
            await go_on.wait()
            yield

        web = Web(http_app(Server("s", lifespan=lifespan), Settings()))
        first = web.open_modern("tools/list")
        await begins.wait()
        first.task.cancel()
        second = web.open_modern("tools/list")
        go_on.set()
        assert (await second.done()).status == 200
        assert begun == [1]
        await web.app.state.lifecycle.stop()

    asyncio.run(main())


def test_what_is_let_go_is_let_go_at_the_end_even_if_the_end_fails() -> None:
    happened: list[str] = []

    @asynccontextmanager
    async def lifespan(_: Server) -> AsyncGenerator[None]:
        yield
        raise RuntimeError("the end")

    async def close() -> None:
        happened.append("closed")

    async def main() -> None:
        engine = Server("s", lifespan=lifespan).engine()
        lifecycle = Lifecycle(engine, drains=[lambda: happened.append("drained")], closes=[close])
        await lifecycle.start()
        assert (lifecycle.started, lifecycle.draining) == (True, False)
        with pytest.raises(RuntimeError, match="the end"):
            await lifecycle.stop()
        assert happened == ["drained", "closed"]
        assert not lifecycle.started

    asyncio.run(main())


def test_a_server_that_was_never_started_can_be_stopped() -> None:
    asyncio.run(Lifecycle(Engine(FakeService())).stop())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_drains_and_is_passed_on_and_the_second_ends_it(number: signal.Signals) -> None:
    heard: list[int] = []
    usual = {
        each: signal.signal(each, lambda number, _: heard.append(number)) for each in (signal.SIGTERM, signal.SIGINT)
    }

    async def main() -> None:
        async with serving(shop()[0]) as web:
            assert (await web.get("/ready")).status == 200
            subscription = web.open_modern("subscriptions/listen", {"notifications": {}})
            await subscription.hears(1)
            signal.raise_signal(number)
            await subscription.done()
            assert (await web.get("/ready")).status == 503
            assert heard == [number]
            assert signal.getsignal(signal.SIGTERM) is signal.getsignal(signal.SIGINT) is signal.SIG_DFL

    try:
        asyncio.run(main())
        signal.raise_signal(number)
        assert heard == [number, number]
    finally:
        for each, handler in usual.items():
            signal.signal(each, handler)


def test_outside_the_main_thread_signals_are_left_alone() -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    seen: list[Any] = []

    async def main() -> None:
        async with serving(shop()[0]):
            seen.append((signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    thread.join(30)
    assert seen == [before]
