"""Who is refused, in which words, on every face; and what those who are let in may see and do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import httpx2
import pytest
from guarded_shop import HOST, KEY, Street, Visitor, shop, street
from token_office import Office

from mcp_server import RegistrationError, Server
from mcp_server.engine.calls import Principal
from mcp_server.engine.scopes import Hierarchy
from mcp_server.testing import ErrorResponse, TestClient

T = TypeVar("T")

METADATA = f'resource_metadata="{HOST}/.well-known/oauth-protected-resource/mcp"'


def visited(
    office: Office, visit: Callable[[Street], Awaitable[T]], server: Server | None = None, **settings: Any
) -> T:
    async def main() -> T:
        async with street(server, oauth_issuers=office.url, **settings) as there:
            return await visit(there)

    return asyncio.run(main())


# Refused before anything is read


def test_who_sends_nothing_is_told_where_to_sign_in(office: Office) -> None:
    answer = visited(office, lambda there: there.visitor().call("hello"), oauth_challenge_scopes="items:read")
    assert answer.status_code == 401
    assert answer.headers.get_list("www-authenticate") == [f'Bearer realm="mcp", {METADATA}, scope="items:read"']


def test_who_sends_what_is_not_valid_is_told_so_in_the_header_alone(office: Office) -> None:
    async def visit(there: Street) -> list[httpx2.Response]:
        return [await there.visitor(token).call("hello") for token in (None, "wrong", office.issue(exp=1))]

    nothing, wrong, over = visited(office, visit)
    assert nothing.content == wrong.content == over.content
    assert "error" not in nothing.headers["www-authenticate"]
    assert wrong.headers["www-authenticate"] == f'Bearer realm="mcp", error="invalid_token", {METADATA}'
    assert over.headers["www-authenticate"] == wrong.headers["www-authenticate"]


def test_the_words_of_old_are_said_where_there_are_keys(office: Office) -> None:
    async def visit(there: Street) -> Any:
        return (await there.web.post("/mcp", json={"action": "list_tools"})).json()

    assert visited(office, visit, mcp_api_key=KEY) == {"error": "unauthorized", "detail": "Invalid API key"}
    assert visited(office, visit) == {"error": "unauthorized", "detail": "A valid access token is required"}


def test_each_path_names_its_own_metadata(office: Office) -> None:
    async def visit(there: Street) -> list[str]:
        answers = [
            await there.visitor().post({}, path) for path in ("/mcp", "/mcp/", "/mcp/sse", "/mcp/messages", "/x")
        ]
        return [answer.headers["www-authenticate"].partition("oauth-protected-resource")[2] for answer in answers]

    assert visited(office, visit) == ['/mcp"', '/mcp/"', '/mcp/sse"', '/mcp/sse"', '/mcp"']


def test_a_scope_that_every_token_needs_is_asked_for_at_once(office: Office) -> None:
    async def visit(there: Street) -> list[httpx2.Response]:
        granted = ["items:read", "", "admin"]
        return [await there.visitor(office.issue(scope=scope)).call("hello") for scope in granted for _ in range(2)]

    *fine, first, again, implied, remembered = visited(office, visit, oauth_required_scopes="items:read")
    assert [each.status_code for each in [*fine, implied, remembered]] == [200] * 4
    assert first.status_code == again.status_code == 403
    assert first.headers.get_list("www-authenticate") == [
        f'Bearer error="insufficient_scope", scope="items:read", {METADATA}'
    ]


# Metadata


@pytest.mark.parametrize(
    ("path", "resource"),
    [
        ("", "/mcp"),
        ("/mcp", "/mcp"),
        ("/mcp/", "/mcp/"),
        ("/mcp/sse", "/mcp/sse"),
        ("/mcp/sse/", "/mcp/sse/"),
    ],
)
def test_the_metadata_name_the_address_that_was_typed(office: Office, path: str, resource: str) -> None:
    async def visit(there: Street) -> httpx2.Response:
        return await there.web.get(f"/.well-known/oauth-protected-resource{path}")

    answer = visited(office, visit, oauth_challenge_scopes="items:read offline_access")
    assert answer.status_code == 200
    assert answer.json() == {
        "resource": f"{HOST}{resource}",
        "authorization_servers": [office.url],
        "bearer_methods_supported": ["header"],
        "resource_name": "shop",
        "mcp_endpoints": [f"{HOST}/mcp", f"{HOST}/mcp/sse"],
        "scopes_supported": ["items:read"],
    }


def test_the_metadata_are_for_everybody(office: Office) -> None:
    async def visit(there: Street) -> list[httpx2.Response]:
        path = "/.well-known/oauth-protected-resource/mcp"
        stranger = {"origin": "https://inspector.example"}
        asks = {
            **stranger,
            "access-control-request-method": "GET",
            "access-control-request-headers": "mcp-protocol-version",
        }
        return [
            await there.web.get(path, headers=stranger),
            await there.web.head(path),
            await there.web.options(path, headers=asks),
            await there.web.post(path),
        ]

    read, head, preflight, posted = visited(office, visit)
    assert (read.status_code, read.headers["access-control-allow-origin"]) == (200, "*")
    assert "access-control-allow-credentials" not in read.headers
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(read.content)))
    assert (preflight.status_code, preflight.headers["access-control-allow-headers"]) == (204, "*")
    assert posted.status_code in (401, 405)


def test_the_metadata_are_counted_by_address(office: Office) -> None:
    async def visit(there: Street) -> list[int]:
        path = "/.well-known/oauth-protected-resource"
        return [(await there.web.get(path)).status_code for _ in range(4)]

    assert visited(office, visit, rate_limit="3/minute") == [200, 200, 200, 429]


@pytest.mark.parametrize(
    ("host", "base"),
    [
        ("api.example.com", HOST),
        ("api.example.com:443", HOST),
        ("API.example.com", HOST),
        ("evil.example", HOST),
        ("api.example.com.evil.example", HOST),
        ("localhost:8000", HOST),
        ("api.example.com@evil.example", HOST),
        ("x" * 600, HOST),
        ("second.example.com", "https://second.example.com"),
        ("any.wild.example", HOST),
    ],
)
def test_a_host_chooses_among_our_addresses_and_adds_none(office: Office, host: str, base: str) -> None:
    async def visit(there: Street) -> list[str]:
        headers = {"host": host, "x-forwarded-host": "evil.example", "forwarded": "host=evil.example"}
        found = await there.web.get("/.well-known/oauth-protected-resource/mcp", headers=headers)
        refused = await there.web.post("/mcp", headers=headers, json={})
        # A host that is none of ours gets no further than to the metadata.
        challenge = refused.headers.get("www-authenticate", f'"{base}/')
        assert f'"{base}/' in challenge
        return [found.json()["resource"], found.text + challenge]

    resource, said = visited(office, visit, allowed_hosts="second.example.com *.wild.example")
    assert resource == f"{base}/mcp"
    assert "evil" not in said


def test_a_token_for_another_name_of_ours_is_for_us(office: Office) -> None:
    token = office.issue(aud="https://second.example.com/mcp")

    async def visit(there: Street) -> int:
        return (await there.visitor(token).call("hello")).status_code

    assert visited(office, visit, allowed_hosts="second.example.com") == 200
    assert visited(office, visit) == 401


def test_an_address_with_a_path_is_found_behind_it_and_in_front_of_it(office: Office) -> None:
    async def visit(there: Street) -> list[Any]:
        challenge = (await there.visitor().call("hello")).headers["www-authenticate"]
        places = ("/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-protected-resource/tools/mcp")
        return [challenge, *[(await there.web.get(place)).json()["resource"] for place in places]]

    challenge, *resources = visited(office, visit, public_url=f"{HOST}/tools")
    assert f'resource_metadata="{HOST}/tools/.well-known/oauth-protected-resource/mcp"' in challenge
    assert resources == [f"{HOST}/tools/mcp"] * 2


def test_on_this_machine_no_address_is_needed(office: Office) -> None:
    async def visit(there: Street) -> list[Any]:
        found = await there.web.get("/.well-known/oauth-protected-resource/mcp")
        token = office.issue(aud="http://localhost:9001/mcp")
        return [found.json()["resource"], (await there.visitor(token).call("hello")).status_code]

    async def main() -> list[Any]:
        local: dict[str, Any] = {"public_url": None, "environment": "development", "port": 9001}
        async with street(base="http://127.0.0.1:9001", oauth_issuers=office.url, **local) as there:
            return await visit(there)

    assert asyncio.run(main()) == ["http://127.0.0.1:9001/mcp", 200]


def test_tokens_of_the_operators_own_programs_need_no_place_to_sign_in() -> None:
    async def main() -> list[httpx2.Response]:
        async with street(mcp_jwt_secret="jwt-s3cr3t-" + "b2c3d4e5" * 4, oauth_required_scopes="x") as there:
            return [await there.visitor().call("hello"), await there.web.get("/.well-known/oauth-protected-resource")]

    refused, lost = asyncio.run(main())
    assert refused.headers["www-authenticate"] == 'Bearer realm="mcp", scope="x"'
    assert lost.status_code == 401


def test_the_metadata_of_an_issuer_elsewhere_are_not_ours_to_serve(office: Office) -> None:
    async def visit(there: Street) -> list[int]:
        visitor = there.visitor(office.issue())
        paths = ("/.well-known/oauth-authorization-server", "/.well-known/openid-configuration")
        return [(await visitor.get(path)).status_code for path in paths]

    assert visited(office, visit) == [404, 404]


# Scopes of single tools, resources and prompts


def test_what_a_token_does_not_suffice_for_is_refused_with_one_challenge(office: Office) -> None:
    async def visit(there: Street) -> httpx2.Response:
        return await there.visitor(office.issue()).call("change")

    answer = visited(office, visit, oauth_required_scopes="items:read")
    assert answer.status_code == 403
    assert answer.headers.get_list("www-authenticate") == [
        f'Bearer error="insufficient_scope", scope="items:read items:write stock", {METADATA}'
    ]
    assert answer.json() == {
        "jsonrpc": "2.0",
        "id": 7,
        "error": {
            "code": 403,
            "message": "Insufficient scope",
            "data": {"reason": "insufficient_scope", "scopes": ["items:write", "stock"]},
        },
    }


def test_one_scope_may_imply_another(office: Office) -> None:
    async def visit(there: Street) -> list[int]:
        tokens = [office.issue(scope=scope) for scope in ("admin stock", "items:write stock", "stock", "admin")]
        return [(await there.visitor(token).call("change")).status_code for token in tokens]

    assert visited(office, visit) == [200, 200, 403, 403]


def test_before_a_stream_begins_it_is_known_who_may_not(office: Office) -> None:
    async def visit(there: Street) -> httpx2.Response:
        return await there.visitor(office.issue()).call("change", "/mcp/sse")

    answer = visited(office, visit)
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/json"
    assert 'oauth-protected-resource/mcp/sse"' in answer.headers["www-authenticate"]


def test_the_small_face_refuses_in_its_own_words(office: Office) -> None:
    async def visit(there: Street) -> httpx2.Response:
        return await there.visitor(office.issue()).post({"action": "call_tool", "name": "change", "arguments": {}})

    answer = visited(office, visit)
    assert (answer.status_code, answer.json()["error"]) == (403, "insufficient_scope")
    assert 'scope="items:write stock"' in answer.headers["www-authenticate"]


def test_lists_show_what_the_caller_may_do_and_are_for_the_caller_alone(office: Office) -> None:
    async def seen(visitor: Visitor) -> list[list[str]]:
        pairs = [
            ("tools/list", "tools"),
            ("resources/list", "resources"),
            ("resources/templates/list", "resourceTemplates"),
            ("prompts/list", "prompts"),
        ]
        return [await visitor.names(*pair) for pair in pairs]

    async def visit(there: Street) -> list[Any]:
        few = await seen(there.visitor(office.issue(scope="")))
        some = await seen(there.visitor(office.issue(scope="items:read books irrelevant")))
        key = await seen(there.visitor(KEY))
        page = (await there.visitor(KEY).ask("tools/list")).json()["result"]
        action = await there.visitor(office.issue(scope="")).post({"action": "list_tools"})
        return [few, some, key, page["cacheScope"], [tool["name"] for tool in action.json()["tools"]]]

    few, some, key, scope, action = visited(office, visit, shop(cache_scope="public"), mcp_api_key=KEY)
    assert few == [["hello"], ["open_page"], [], []]
    assert some == [["hello", "look"], ["open_page", "books"], ["shelf"], ["audit"]]
    assert key == [["hello", "look", "change"], ["open_page", "books"], ["shelf"], ["audit"]]
    assert (scope, action) == ("private", ["hello"])


def test_a_filtered_list_has_pages_of_its_own(office: Office) -> None:
    server = Server("pages", page_size=2)
    for number in range(6):
        scopes = ["odd"] if number % 2 else []

        @server.tool(name=f"t{number}", scopes=scopes)
        async def tool() -> str:
            return "x"

    async def visit(there: Street) -> list[str]:
        visitor, names, cursor = there.visitor(office.issue()), list[str](), dict[str, str]()
        while True:
            page = (await visitor.ask("tools/list", cursor)).json()["result"]
            names += [entry["name"] for entry in page["tools"]]
            if "nextCursor" not in page:
                return names
            cursor = {"cursor": page["nextCursor"]}

    assert visited(office, visit, server) == ["t0", "t2", "t4"]


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("resources/read", {"uri": "shop://books"}),
        ("resources/read", {"uri": "shop://shelf/top"}),
        ("prompts/get", {"name": "audit", "arguments": {"year": "2026"}}),
        (
            "completion/complete",
            {"ref": {"type": "ref/prompt", "name": "audit"}, "argument": {"name": "year", "value": ""}},
        ),
        (
            "completion/complete",
            {"ref": {"type": "ref/resource", "uri": "shop://shelf/{name}"}, "argument": {"name": "name", "value": ""}},
        ),
    ],
    ids=str,
)
def test_whatever_is_not_a_tool_is_guarded_too(office: Office, method: str, params: Any) -> None:
    async def visit(there: Street) -> list[httpx2.Response]:
        return [await there.visitor(office.issue(scope=scope)).ask(method, params) for scope in ("x", "books")]

    refused, fine = visited(office, visit, shop(cache_scope="public"))
    assert (refused.status_code, fine.status_code) == (403, 200)
    assert 'scope="books"' in refused.headers["www-authenticate"]
    if method == "resources/read":
        assert fine.json()["result"]["cacheScope"] == "private"


@pytest.mark.parametrize("path", ["/mcp", "/mcp/sse"])
@pytest.mark.parametrize(
    ("tools", "status", "scopes"),
    [
        (["hello", "change"], 200, "items:write stock"),
        (["change", "change"], 403, "items:write stock"),
        (["change", "look"], 403, "items:read items:write stock"),
        (["hello", "hello"], 200, None),
    ],
)
def test_a_batch_has_one_status_and_one_challenge_and_an_answer_for_each_message(
    office: Office, path: str, tools: list[str], status: int, scopes: str | None
) -> None:
    async def visit(there: Street) -> httpx2.Response:
        visitor = there.visitor(office.issue(scope="nothing"))
        await visitor.begin("2025-03-26")
        calls: list[dict[str, Any]] = [
            {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": {"name": tool, "arguments": {}}}
            for number, tool in enumerate(tools)
        ]
        told: dict[str, Any] = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        return await visitor.post([*calls, told], path)

    answer = visited(office, visit)
    assert answer.status_code == status
    text = answer.text.partition("data: ")[2] if answer.text.startswith(("event", "id")) else answer.text
    failed = {each["id"]: "error" in each for each in json.loads(text)}
    assert failed == {number: tool != "hello" for number, tool in enumerate(tools)}
    place = METADATA if path == "/mcp" else METADATA[:-1] + '/sse"'
    challenge = f'Bearer error="insufficient_scope", scope="{scopes}", {place}'
    assert answer.headers.get_list("www-authenticate") == ([] if scopes is None else [challenge])


# Sessions


def test_a_session_is_guarded_and_belongs_to_whoever_began_it(office: Office) -> None:
    call: dict[str, Any] = {
        "jsonrpc": "2.0",
        "id": 5,
        "method": "tools/call",
        "params": {"name": "change", "arguments": {}},
    }

    async def visit(there: Street) -> list[int]:
        anna = there.visitor(office.issue())
        await anna.begin()
        later = there.visitor(office.issue(scope="items:write stock", jti="another"))
        bert, program, key = (
            there.visitor(office.issue(sub="bert", scope="items:write stock")),
            there.visitor(office.issue(client_id="other", scope="items:write stock")),
            there.visitor(KEY),
        )
        nobody = there.visitor()
        for other in (later, bert, program, key, nobody):
            other.session = anna.session
        return [(await each.post(call)).status_code for each in (anna, later, bert, program, key, nobody)]

    assert visited(office, visit, mcp_api_key=KEY) == [403, 200, 404, 404, 404, 401]


def test_a_resource_that_must_not_be_read_is_not_watched(office: Office) -> None:
    body = {"jsonrpc": "2.0", "id": 5, "method": "resources/subscribe", "params": {"uri": "shop://books"}}

    async def visit(there: Street) -> list[int]:
        statuses: list[int] = []
        for scope in ("x", "books"):
            visitor = there.visitor(office.issue(scope=scope))
            await visitor.begin()
            statuses.append((await visitor.post(body)).status_code)
        return statuses

    assert visited(office, visit) == [403, 200]


class Listener(TestClient):
    """A client that can be waited for until it has heard something."""

    something: asyncio.Event

    async def send(self, message: bytes) -> None:
        await super().send(message)
        self.something.set()

    async def hears(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not condition():
                self.something.clear()
                await self.something.wait()


def client_of(server: Server, *scopes: str) -> Listener:
    client = Listener(server.engine(), principal=Principal("anna", frozenset(scopes)))
    client.something = asyncio.Event()
    return client


def test_news_of_what_must_not_be_read_is_no_news() -> None:
    async def main() -> list[Any]:
        server = shop()
        heard: list[Any] = []
        for scopes in ((), ("books",)):
            async with client_of(server, *scopes) as client:
                wanted = {"resourceSubscriptions": ["shop://open", "shop://books", "shop://shelf"]}
                listening = asyncio.create_task(client.request("subscriptions/listen", {"notifications": wanted}))
                said = client.notifications
                await client.hears(lambda said=said: bool(said))
                for uri in ("shop://books", "shop://shelf/top", "shop://open"):
                    server.resource_updated(uri)
                await client.hears(lambda said=said: said[-1]["params"].get("uri") == "shop://open")
                listening.cancel()
                await asyncio.wait([listening])
                honoured = client.notifications[0]["params"]["notifications"]["resourceSubscriptions"]
                heard.append((honoured, [each["params"]["uri"] for each in client.notifications[1:]]))
        return heard

    everything = ["shop://books", "shop://open", "shop://shelf"]
    assert asyncio.run(main()) == [
        (["shop://open", "shop://shelf"], ["shop://open"]),
        (everything, ["shop://books", "shop://shelf/top", "shop://open"]),
    ]


def test_in_memory_a_caller_with_scopes_is_held_to_them_and_nobody_at_all_is_not() -> None:
    async def main() -> None:
        server = shop()
        async with client_of(server, "admin") as client:
            assert (await client.call_tool("look")).structured["may write"] is True
            with pytest.raises(ErrorResponse) as caught:
                await client.call_tool("change")
            assert (caught.value.code, caught.value.data["scopes"]) == (403, ["items:write", "stock"])
        async with server.test_client() as client:
            assert (await client.call_tool("look")).structured == {"nobody": True}
            assert (await client.call_tool("change")).text == "changed"

    asyncio.run(main())


# What is seen of it


def test_the_log_says_who_was_let_in_and_who_was_not_and_shows_no_token(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    good, bad = office.issue(), office.issue(aud="https://other.example.com")

    async def visit(there: Street) -> None:
        for token in (good, bad, None):
            await there.visitor(token).call("hello")

    caplog.set_level("INFO")
    visited(office, visit, trace_requests=True)
    said = [record.getMessage() for record in caplog.records]
    (success,) = [line for line in said if "OAUTH SUCCESS" in line]
    (failure,) = [line for line in said if "OAUTH FAILURE" in line]
    assert success.startswith("=== OAUTH SUCCESS === Token valid: ")
    assert len(success) == len("=== OAUTH SUCCESS === Token valid: 12345678")
    assert failure == "=== OAUTH FAILURE === it is meant for another server (aud), from 203.0.113.9"
    assert [line for line in said if "AUTH FAILURE" in line and "OAUTH" not in line] != []
    for part in (*good.split("."), *bad.split(".")):
        assert part not in caplog.text


def test_bearers_behind_one_address_are_counted_for_themselves(office: Office) -> None:
    async def visit(there: Street) -> list[list[int]]:
        tokens = [office.issue(sub=name) for name in ("anna", "bert")]
        return [[(await there.visitor(token).call("hello")).status_code for _ in range(4)] for token in tokens]

    limits: dict[str, Any] = {"rate_limit": "2/minute", "rate_limit_per_key": "3/minute"}
    assert visited(office, visit, **limits) == [[200, 200, 200, 429]] * 2


def test_a_second_token_of_one_person_counts_with_the_first(office: Office) -> None:
    async def visit(there: Street) -> list[int]:
        return [(await there.visitor(office.issue(jti=str(n))).call("hello")).status_code for n in range(4)]

    assert visited(office, visit, rate_limit="100/minute", rate_limit_per_key="3/minute") == [200, 200, 200, 429]


# Said in code


@pytest.mark.parametrize("scopes", ["items:read", ["two words"], [""], ['"'], ["back\\slash"], ["ümlaut"]])
def test_what_is_no_scope_is_refused_when_it_is_registered(scopes: Any) -> None:
    server = Server("x")
    with pytest.raises(RegistrationError, match="scope"):

        @server.tool(scopes=scopes)
        async def tool() -> str:
            return ""


def test_what_needs_scopes_is_not_for_public_caches() -> None:
    server = Server("x")
    with pytest.raises(RegistrationError, match="cache_scope"):
        server.add_resource("text", "x://y", scopes=["a"], cache_scope="public")


def test_a_hierarchy_whose_implied_scopes_are_one_text_is_refused() -> None:
    with pytest.raises(RegistrationError, match=r"scope_hierarchy: what 'admin' implies is a collection"):
        Server("x", scope_hierarchy={"admin": "write"})


def test_a_hierarchy_may_run_in_circles() -> None:
    hierarchy = Hierarchy({"a": ["b"], "b": ["c", "a"]})
    assert hierarchy.of(frozenset({"b"})) == {"a", "b", "c"}
    assert hierarchy.of(frozenset({"c"})) == {"c"}


def test_what_is_kept_of_a_hierarchy_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    from mcp_server.engine import scopes as module

    monkeypatch.setattr(module, "_MOST_KEPT", 2)
    hierarchy = Hierarchy({"a": ["b"]})
    for number in range(5):
        assert hierarchy.of(frozenset({"a", str(number)})) == {"a", "b", str(number)}
    assert len(vars(hierarchy)["_kept"]) <= 2


def test_a_server_that_is_mounted_is_challenged_below_its_place(office: Office) -> None:
    from starlette.applications import Starlette
    from starlette.routing import Mount

    from mcp_server.http_server import http_app
    from mcp_server.settings import Settings

    async def main() -> list[str]:
        said: dict[str, Any] = {"public_url": f"{HOST}/tools", "oauth_issuers": office.url, "session_secret": KEY}
        app = Starlette(routes=[Mount("/tools", http_app(shop(), Settings(**said)))])
        transport = httpx2.ASGITransport(app=app, client=("203.0.113.9", 4711))
        async with httpx2.AsyncClient(transport=transport, base_url="http://api.example.com") as web:
            challenge = (await web.post("/tools/mcp/sse", json={})).headers["www-authenticate"]
            found = await web.get("/tools/.well-known/oauth-protected-resource/mcp/sse")
            return [challenge.partition("resource_metadata=")[2], found.json()["resource"]]

    assert asyncio.run(main()) == [
        f'"{HOST}/tools/.well-known/oauth-protected-resource/mcp/sse"',
        f"{HOST}/tools/mcp/sse",
    ]


def _inside(thing: object) -> dict[str, Any]:
    return vars(thing)


def test_filtered_lists_and_their_pages_are_kept_in_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    from mcp_server import local
    from mcp_server.registry import registry

    monkeypatch.setattr(registry, "_MOST_FILTERED", 2)
    monkeypatch.setattr(local, "_MOST_PAGES", 3)

    async def main() -> None:
        server = Server("many")
        for name in "abcdef":

            @server.tool(name=name, scopes=[name])
            async def tool() -> str:
                return "x"

        for name in "abcdef":
            async with TestClient(server.engine(), principal=Principal("me", frozenset({name}))) as client:
                assert [tool["name"] for tool in await client.list_tools()] == [name]
        lists, service = _inside(_inside(server.registry)["_pages"]["tools"]), _inside(_inside(server)["_service"])
        assert len(lists["_filtered"]) <= 2
        assert len(service["_pages"]) <= 3

    asyncio.run(main())
