"""What the handler itself sees to: places, addresses, sizes, faults, the beginning and the end."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import lambda_tools
import pytest
from lambda_events import KEY, KINDS, Answer, Caller, Context, Deploy, answered, event
from mangum.exceptions import LifespanFailure
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from mcp_server.aws_lambda import MAX_ANSWER, MAX_ANSWER_TO_BALANCER, LambdaHandler
from mcp_server.http_server import http_app
from mcp_server.settings import load_settings

AUTHORIZED = {"authorization": f"Bearer {KEY}"}


async def _mirror(request: Request) -> Response:
    """Tell what the application is told."""
    seen = {
        "client": list(request.client) if request.client else None,
        "path": request.scope["path"],
        "root": request.scope["root_path"],
        "url": str(request.url),
        "query": request.url.query,
        "cookies": request.cookies,
    }
    return Response(json.dumps(seen), media_type="application/json")


async def _crash(_: Request) -> Response:
    raise RuntimeError("for the log only")


def _routes(**endpoints: Any) -> Starlette:
    return Starlette(
        routes=[Route(f"/{name}", endpoint, methods=["GET", "POST"]) for name, endpoint in endpoints.items()]
    )


def _seen(handler: LambdaHandler, made: Any) -> Any:
    return answered(handler(made, Context())).json


# -- where the application is mounted --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_an_application_at_the_root_sees_the_path_that_was_asked_for(deploy: Deploy, kind: str) -> None:
    seen = _seen(deploy(_routes(mirror=_mirror)), event(kind, "GET", "/mirror"))
    assert seen["path"].removeprefix(seen["root"]) == "/mirror"
    assert seen["root"] == ("/prod" if kind == "rest_v1" else "")


def test_the_stage_of_an_http_api_is_where_the_application_is_mounted(deploy: Deploy) -> None:
    made = event("http_api_v2", "GET", "/live/mirror")
    made["requestContext"]["stage"], made["pathParameters"] = "live", None
    seen = _seen(deploy(_routes(mirror=_mirror)), made)
    assert (seen["root"], seen["path"]) == ("/live", "/live/mirror")
    assert seen["url"] == "https://a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com/live/mirror"


def test_the_rest_of_a_route_tells_where_the_application_is_mounted(deploy: Deploy) -> None:
    """A custom domain's base path is part of the path, but not of the route's parameter."""
    made = event("rest_v1", "GET", "/tools/mirror")
    made["requestContext"]["path"], made["pathParameters"] = "/tools/mirror", {"proxy": "mirror"}
    assert _seen(deploy(_routes(mirror=_mirror)), made)["root"] == "/tools"


def test_a_stage_is_stripped_where_a_route_has_no_rest(deploy: Deploy) -> None:
    made = event("rest_v1", "GET", "/mirror")
    made["pathParameters"] = None
    assert _seen(deploy(_routes(mirror=_mirror)), made)["root"] == "/prod"


def test_a_base_path_can_be_given(deploy: Deploy) -> None:
    made = event("http_api_v2", "GET", "/tools/mirror")
    made["pathParameters"] = None
    assert _seen(deploy(_routes(mirror=_mirror), base_path="/tools/"), made)["root"] == "/tools"


@pytest.mark.parametrize("path", ["/toolsmith", "/tool"])
def test_a_base_path_ends_at_a_slash(deploy: Deploy, path: str) -> None:
    made = event("function_url", "GET", path)
    seen = _seen(deploy(_routes(**{path[1:]: _mirror}), base_path="/tools"), made)
    assert (seen["root"], seen["path"]) == ("", path)


def test_the_front_page_is_found_where_the_application_is_mounted(deploy: Deploy, app: Starlette) -> None:
    made = event("function_url", "GET", "/tools", headers=AUTHORIZED)
    page = answered(deploy(app, base_path="/tools")(made, Context())).json
    assert page["endpoints"]["mcp"].endswith(".on.aws/tools/mcp")


def test_the_guards_open_their_open_paths_under_a_stage(caller: Caller, handler: LambdaHandler) -> None:
    assert Caller(handler, "rest_v1").send("GET", "/health").status == 200


# -- who is calling --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["function_url", "http_api_v2", "rest_v1"])
def test_a_forged_header_does_not_change_the_address_that_a_gateway_tells(deploy: Deploy, kind: str) -> None:
    made = event(kind, "GET", "/mirror", headers={"x-forwarded-for": "198.51.100.66, 198.51.100.67"})
    assert _seen(deploy(_routes(mirror=_mirror)), made)["client"] == ["203.0.113.9", 0]


@pytest.mark.parametrize("kind", ["alb", "alb_multi_value"])
@pytest.mark.parametrize(
    ("header", "client"),
    [
        ("203.0.113.9", ["203.0.113.9", 0]),
        ("198.51.100.66, 203.0.113.9", ["203.0.113.9", 0]),
        ("198.51.100.66,198.51.100.67,203.0.113.9:4711", ["203.0.113.9", 0]),
        ("127.0.0.1, 2001:db8::7", ["2001:db8::7", 0]),
        ("198.51.100.66, nonsense", None),
        ("", None),
    ],
)
def test_behind_a_load_balancer_only_the_last_address_counts(
    deploy: Deploy, kind: str, header: str, client: object
) -> None:
    made = event(kind, "GET", "/mirror", headers={"x-forwarded-for": header})
    assert _seen(deploy(_routes(mirror=_mirror)), made)["client"] == client


def test_of_several_headers_behind_a_load_balancer_only_the_last_one_counts(deploy: Deploy) -> None:
    made = event("alb_multi_value", "GET", "/mirror")
    made["multiValueHeaders"]["x-forwarded-for"] = ["198.51.100.66", "198.51.100.67, 203.0.113.9"]
    assert _seen(deploy(_routes(mirror=_mirror)), made)["client"] == ["203.0.113.9", 0]


def test_a_health_check_of_a_load_balancer_has_no_address_and_is_answered(handler: LambdaHandler) -> None:
    made = event("alb", "GET", "/health")
    made["headers"] = {"user-agent": "ELB-HealthChecker/2.0"}
    assert answered(handler(made, Context())).status == 200


@pytest.mark.parametrize("kind", KINDS)
def test_a_stranger_cannot_escape_its_limit_by_forging_addresses(
    monkeypatch: pytest.MonkeyPatch, deploy: Deploy, kind: str
) -> None:
    monkeypatch.setenv("RATE_LIMIT", "5/minute")
    handler = deploy(http_app(lambda_tools.server, load_settings()))

    def stranger(number: int) -> int:
        forged = f"198.51.100.{number}"
        header = f"{forged}, 203.0.113.9" if kind.startswith("alb") else forged
        return Caller(handler, kind).send("POST", "/mcp", {}, {"x-forwarded-for": header}).status

    assert [stranger(number) for number in range(6)] == [401, 401, 401, 401, 401, 429]


@pytest.mark.parametrize("kind", ["alb", "rest_v1", "function_url", "http_api_v2"])
def test_a_host_that_cannot_be_read_is_the_callers_fault(handler: LambdaHandler, kind: str) -> None:
    name = "Host" if kind == "rest_v1" else "host"
    response = handler(event(kind, "GET", "/health", headers={name: "a:b:c"}), Context())
    assert answered(response).status == 400


@pytest.mark.parametrize("made", [{"version": "2.0", "requestContext": {}}, {"resource": "/", "requestContext": {}}])
def test_half_an_event_is_answered(handler: LambdaHandler, made: Any) -> None:
    assert answered(handler(made, None)).status == 400


# -- bodies and headers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_bytes_that_are_no_text_arrive_as_they_are(deploy: Deploy, kind: str) -> None:
    async def picture(_: Request) -> Response:
        return Response(b"\x89PNG\r\n\x1a\n\xff", media_type="image/png")

    answer = answered(deploy(_routes(picture=picture))(event(kind, "GET", "/picture"), Context()))
    assert answer.body == b"\x89PNG\r\n\x1a\n\xff"


def test_cookies_of_a_function_url_arrive(deploy: Deploy) -> None:
    made = event("function_url", "GET", "/mirror")
    made["cookies"] = ["a=1", "b=2"]
    assert _seen(deploy(_routes(mirror=_mirror)), made)["cookies"] == {"a": "1", "b": "2"}


def test_headers_that_come_twice_are_told_twice(deploy: Deploy) -> None:
    async def cookies(_: Request) -> Response:
        response = PlainTextResponse("")
        response.set_cookie("a", "1")
        response.set_cookie("b", "2")
        return response

    handler = deploy(_routes(cookies=cookies))
    assert len(handler(event("function_url", "GET", "/cookies"), Context())["cookies"]) == 2
    assert len(handler(event("rest_v1", "GET", "/cookies"), Context())["multiValueHeaders"]["set-cookie"]) == 2
    balanced = handler(event("alb_multi_value", "GET", "/cookies"), Context())
    assert len(balanced["multiValueHeaders"]["set-cookie"]) == 2


# -- what is too large -----------------------------------------------------------------------------------------------


def _too_large(answer: Answer) -> str:
    (message,) = answer.messages
    assert (message["id"], message["error"]["code"]) == (7, -32603)
    return message["error"]["message"]


@pytest.mark.parametrize(
    ("kind", "most", "words"),
    [
        ("function_url", MAX_ANSWER, "The answer is too large: AWS sends at most 6 MB"),
        ("alb", MAX_ANSWER_TO_BALANCER, "The answer is too large: AWS sends at most 1 MB"),
    ],
)
def test_an_answer_that_aws_would_refuse_becomes_an_error_that_says_so(
    handler: LambdaHandler, kind: str, most: int, words: str
) -> None:
    answer = Caller(handler, kind).modern("tools/call", name="fill", arguments={"size": most})
    assert _too_large(answer) == words


def test_an_answer_that_just_fits_is_given(handler: LambdaHandler) -> None:
    response = handler(_fill("function_url", 6_000_000, "x"), Context())
    assert MAX_ANSWER * 0.9 < len(json.dumps(response)) <= MAX_ANSWER
    assert len(answered(response).json["output"]) == 6_000_000


def test_what_json_makes_of_a_body_counts(handler: LambdaHandler) -> None:
    """Of a quote the body makes two bytes, and the answer to AWS four."""
    answer = answered(handler(_fill("function_url", 1_600_000, '"'), Context()))
    assert (answer.status, answer.json["error"]) == (500, "answer_too_large")


def _fill(kind: str, size: int, letter: str) -> Any:
    body = {"action": "call_tool", "name": "fill", "arguments": {"size": size, "letter": letter}}
    return event(kind, "POST", "/mcp", body, AUTHORIZED | {"content-type": "application/json"})


def test_a_stream_that_is_too_large_becomes_a_stream_that_says_so(caller: Caller) -> None:
    answer = caller.legacy("tools/call", "/mcp/sse", name="fill", arguments={"size": MAX_ANSWER})
    assert answer.headers["content-type"] == "text/event-stream"
    assert _too_large(answer).startswith("The answer is too large")


def test_an_answer_without_end_is_not_kept(deploy: Deploy) -> None:
    async def endless(_: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _part in range(20):
            await send({"type": "http.response.body", "body": b"x" * 1024**2, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    response = deploy(endless)(event("function_url", "GET", "/"), Context())
    assert (response["statusCode"], "too large" in response["body"]) == (500, True)


def test_what_browsers_must_know_stays_with_an_error(monkeypatch: pytest.MonkeyPatch, deploy: Deploy) -> None:
    monkeypatch.setenv("CORS_ALLOWED_ORIGINS", "https://page.example.com")
    handler = deploy(http_app(lambda_tools.server, load_settings()))
    made = _fill("function_url", 7_000_000, "x")
    made["headers"]["origin"] = "https://page.example.com"
    answer = answered(handler(made, Context()))
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (500, "https://page.example.com")


# -- faults ----------------------------------------------------------------------------------------------------------


def test_an_application_that_fails_is_a_500_without_its_reasons(
    deploy: Deploy, caplog: pytest.LogCaptureFixture
) -> None:
    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            raise RuntimeError("for the log only")

    answer = answered(deploy(failing)(event("function_url", "GET", "/"), Context()))
    assert (answer.status, answer.json["error"]) == (500, "internal_error")
    assert "for the log only" in caplog.text
    assert b"for the log" not in answer.body


def test_an_application_that_gives_itself_up_is_a_500(deploy: Deploy) -> None:
    async def given_up(_: Request) -> Response:
        raise asyncio.CancelledError

    assert answered(deploy(_routes(up=given_up))(event("function_url", "GET", "/up"), Context())).status == 500


def test_a_handler_outlives_a_crash(deploy: Deploy) -> None:
    handler = deploy(_routes(crash=_crash, mirror=_mirror))
    assert answered(handler(event("function_url", "GET", "/crash"), Context())).status == 500
    assert answered(handler(event("function_url", "GET", "/mirror"), Context())).status == 200


def test_an_application_that_says_nothing_is_a_500(deploy: Deploy) -> None:
    async def silent(_: Scope, _receive: Receive, _send: Send) -> None: ...

    assert answered(deploy(silent)(event("function_url", "GET", "/"), Context())).status == 500


def test_what_comes_after_the_answer_is_waited_for(deploy: Deploy) -> None:
    done: list[str] = []

    async def later(_: Request) -> Response:
        return PlainTextResponse("first", background=BackgroundTask(lambda: done.append("then")))

    answer = answered(deploy(_routes(later=later))(event("function_url", "GET", "/later"), Context()))
    assert (answer.body, done) == (b"first", ["then"])


def test_an_application_hears_that_its_client_has_gone_when_it_has_answered(deploy: Deploy) -> None:
    heard: list[str] = []

    async def curious(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        heard.append((await receive())["type"])
        await PlainTextResponse("x")(scope, receive, send)
        heard.append((await receive())["type"])
        await send({"type": "http.response.body", "body": b"more"})

    answer = answered(deploy(curious)(event("function_url", "POST", "/", "{}"), Context()))
    assert (heard, answer.body) == (["http.request", "http.disconnect"], b"x")


# -- the beginning and the end ---------------------------------------------------------------------------------------


def test_the_lifespan_begins_with_the_process_and_ends_when_closed(app: Starlette) -> None:
    handler = LambdaHandler(app)
    assert lambda_tools.lifespans == ["begun"]
    handler.close()
    handler.close()
    assert lambda_tools.lifespans == ["begun"]  # as on Lambda, where another lifespan may come


def test_the_lifespan_of_any_application_is_ended(deploy: Deploy) -> None:
    seen: list[str] = []

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[dict[str, str]]:
        seen.append("begun")
        yield {"kept": "here"}
        seen.append("ended")

    async def state(request: Request) -> Response:
        return PlainTextResponse(request.state.kept)

    handler = LambdaHandler(Starlette(lifespan=lifespan, routes=[Route("/state", state)]))
    bodies = [answered(handler(event("alb", "GET", "/state"), Context())).body for _ in range(3)]
    handler.close()
    assert (bodies, seen) == ([b"here"] * 3, ["begun", "ended"])


def test_the_lifespan_of_a_snapshot_begins_after_it(
    monkeypatch: pytest.MonkeyPatch, app: Starlette, deploy: Deploy
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start")
    handler = deploy(app)
    before = list(lambda_tools.lifespans)
    handler({}, Context())
    assert (before, lambda_tools.lifespans) == ([], ["begun"])


def test_a_lifespan_that_fails_stops_the_function_from_starting() -> None:
    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        raise RuntimeError("no database")
        yield

    with pytest.raises(LifespanFailure):
        LambdaHandler(Starlette(lifespan=lifespan))


@pytest.mark.parametrize("made", [{}, event("alb", "GET", "/crash"), event("alb", "GET", "/mirror")])
def test_the_log_is_flushed_after_every_event(deploy: Deploy, made: Any) -> None:
    flushed: list[None] = []
    handler = deploy(_routes(crash=_crash, mirror=_mirror), flush=lambda: flushed.append(None))
    handler(made, Context())
    assert flushed == [None]


def test_an_event_that_is_no_request_leaves_a_line_in_the_log(
    handler: LambdaHandler, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    handler({"Records": [{"body": "secret"}]}, Context())
    assert "no HTTP request" in caplog.text
    assert "secret" not in caplog.text
