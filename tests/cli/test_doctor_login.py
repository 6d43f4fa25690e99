"""`mcp-server doctor --login`: against the wired server, and against servers at which something is wrong."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cli_running import Run
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.oauth.login.login_house import running
from tests.oauth.wired import sqlite, wired
from tests.served import free_port


def findings(run: Run, url: str) -> tuple[int, dict[str, str]]:
    """How it ends, and what it has found at which level."""
    result = run("doctor", url, "--login", "--json")
    return result.exit_code, {each["what"]: each["level"] for each in json.loads(result.output)}


def test_our_server_shows_the_way_to_its_login(run: Run, tmp_path: Path) -> None:
    with wired(store=sqlite(tmp_path)) as home:
        code, found = findings(run, f"{home.url}/mcp")
        assert code == 0
        assert [what for what, level in found.items() if level != "ok"] == ["localhost is not public"]
        assert f"People sign in at {home.url}/authorize" in found
        assert "Clients are known by a document or registration" in found


def test_a_server_without_a_login_is_told_how_to_have_one(run: Run, tmp_path: Path) -> None:
    with wired(store=sqlite(tmp_path), oauth_enabled=False) as home:
        result = run("doctor", f"{home.url}/mcp", "--login")
        assert result.exit_code == 1
        assert "FAIL  The server answers without a login\n      Set OAUTH_ENABLED=true" in result.output


def test_only_a_url_has_a_login(run: Run, fixture: str) -> None:
    refused = run("doctor", fixture, "--login")
    assert refused.exit_code == 2
    assert "--login goes with a URL" in refused.stderr


@pytest.mark.parametrize(
    ("words", "text"), [(["--key", "x"], "goes without a key"), (["--tool", "x"], "calls no tool")]
)
def test_what_would_do_nothing_is_refused(run: Run, words: list[str], text: str) -> None:
    refused = run("doctor", "https://mcp.example.com/mcp", "--login", *words)
    assert refused.exit_code == 2
    assert text in refused.stderr


@contextmanager
def broken(tenant: str = "", place: str = "/.well-known/oauth-authorization-server", **wrong: Any) -> Generator[str]:
    """The URL of a server at which only this is wrong: an answer to a path, or a value in the metadata."""

    def right(base: str) -> dict[str, dict[str, Any]]:
        return {
            "/resource": {"resource": f"{base}/mcp", "authorization_servers": [base + tenant]},
            place: {
                "issuer": base + tenant,
                "authorization_endpoint": f"{base}/authorize",
                "registration_endpoint": f"{base}/register",
                "code_challenge_methods_supported": ["S256"],
                "token_endpoint_auth_methods_supported": ["none"],
            },
        }

    async def answer(request: Request) -> Response:
        path, base = request.url.path, str(request.base_url).rstrip("/")
        if path in wrong:
            return wrong[path]
        if path == "/mcp":
            return Response(
                status_code=401, headers={"www-authenticate": f'Bearer resource_metadata="{base}/resource"'}
            )
        if path == "/authorize":
            return Response(status_code=400)
        document = right(base).get(path)
        if document is None:
            return Response(status_code=404)
        return JSONResponse({name: wrong.get(name, value) for name, value in document.items() if wrong.get(name) != ""})

    with running(Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST"])])) as url:
        yield f"{url}/mcp"


def test_what_is_right_is_found_to_be_so(run: Run) -> None:
    with broken() as url:
        assert findings(run, url)[0] == 0


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"/mcp": Response(status_code=403)}, "/mcp: 403"),
        ({"/mcp": Response(status_code=401)}, "The 401 has no resource_metadata"),
        ({"/mcp": RedirectResponse("/mcp/", 307)}, "/mcp: 307"),
        ({"/resource": Response(status_code=404)}, "/resource: 404"),
        ({"/resource": Response("<html>")}, "is no JSON object"),
        ({"/resource": JSONResponse([])}, "is no JSON object"),
        ({"resource": "https://elsewhere.example/mcp"}, "The metadata are for https://elsewhere.example/mcp"),
        ({"authorization_servers": []}, "The metadata name no authorization server"),
        ({"authorization_servers": 1}, "The metadata name no authorization server"),
        ({"/.well-known/oauth-authorization-server": Response(status_code=404)}, "has no metadata"),
        ({"issuer": "https://elsewhere.example"}, "It calls itself https://elsewhere.example"),
        ({"code_challenge_methods_supported": ["plain"]}, "It does not offer PKCE with S256"),
        ({"authorization_endpoint": ""}, "There is no authorization_endpoint"),
        ({"/authorize": Response(status_code=502)}, "/authorize: 502"),
    ],
)
def test_what_leads_nowhere_is_a_failure(run: Run, wrong: dict[str, Any], text: str) -> None:
    with broken(**wrong) as url:
        code, found = findings(run, url)
    assert code == 1
    assert any(text in what for what, level in found.items() if level == "failure"), found


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"registration_endpoint": ""}, "Clients can neither register nor have a document"),
        ({"token_endpoint_auth_methods_supported": ["client_secret_basic"]}, "It takes no clients without a secret"),
    ],
)
def test_what_keeps_some_clients_out_is_a_warning(run: Run, wrong: dict[str, Any], text: str) -> None:
    with broken(**wrong) as url:
        code, found = findings(run, url)
    assert code == 0
    assert found[text] == "warning"


@pytest.mark.parametrize(
    "place",
    [
        "/.well-known/oauth-authorization-server/tenant",
        "/.well-known/openid-configuration/tenant",
        "/tenant/.well-known/openid-configuration",
    ],
)
def test_an_issuer_with_a_path_is_found_where_clients_look(run: Run, place: str) -> None:
    with broken("/tenant", place) as url:
        code, found = findings(run, url)
    assert code == 0
    assert f"The authorization server is {url.removesuffix('/mcp')}/tenant" in found


def test_who_does_not_answer_is_named(run: Run) -> None:
    code, found = findings(run, f"http://127.0.0.1:{free_port()}/mcp")
    assert code == 1
    assert any("does not answer" in what for what in found)
