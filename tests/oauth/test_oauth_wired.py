"""OAUTH_ENABLED=true, from the settings to the tool that knows who calls it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from redis_servers import own_redis
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from mcp_server.http_server import http_app
from mcp_server.oauth.approvals import Person
from mcp_server.settings import Settings, SettingsError
from tests.oauth.login.login_house import Browser
from tests.oauth.server.issuing import Flow, House, flow
from tests.oauth.who import who_server
from tests.oauth.wired import (
    ACCEPT,
    CALL,
    add_user,
    called,
    code_from_pages,
    discovered,
    query_of,
    said_by,
    sqlite,
    wired,
)
from tests.served import KEY, PATIENCE, ROOT
from tests.store_backends import SHARED, backend

BACK = "http://127.0.0.1:1455/callback"
AWAY = "redis://127.0.0.1:1/0"


@contextmanager
def client_of(home: House) -> Generator[Flow]:
    """A client that has introduced itself."""
    with flow(home, redirect_uri=BACK) as found:
        yield found


@contextmanager
def store_of(name: str, directory: Path) -> Generator[str]:
    """The URL of a store that nobody else has; as no URL keeps tests in one Redis apart, it is a Redis of its own."""
    if name == "redis":
        with own_redis(directory) as server:
            yield server.url
    else:
        with backend(name, directory) as found:
            yield found.url


def test_a_client_goes_from_a_401_to_a_tool_that_knows_who_calls_with_nothing_but_memory() -> None:
    with wired(store="memory://", oauth_login="auto") as home, client_of(home) as client:
        _whole_way(home, client, _code_of_auto(client), "dev:anybody")  # nobody else could add a user to it


@pytest.mark.parametrize("name", SHARED)
def test_a_client_goes_from_a_401_to_a_tool_that_knows_who_calls(name: str, tmp_path: Path) -> None:
    with store_of(name, tmp_path) as store:
        add_user(store)
        with wired(store=store) as home, client_of(home) as client:
            _whole_way(home, client, code_from_pages(client), "local:anna")


@pytest.mark.parametrize("name", SHARED)
def test_two_with_one_store_are_one_server(name: str, tmp_path: Path) -> None:
    """Each step at the other one: the page, the code, the tokens, and their end."""
    with store_of(name, tmp_path) as store:
        add_user(store)
        with (
            wired(store=store, oauth_revocation_delay=0) as one,
            wired(store=store, oauth_revocation_delay=0, public_url=one.url) as other,
            client_of(one) as here,
            other.client() as http,
        ):
            there = replace(here, http=http)
            tokens = there.redeem(code_from_pages(here)).json()
            assert said_by(called(here.http, tokens["access_token"]))["subject"] == "local:anna"
            fresh = here.refresh(tokens["refresh_token"]).json()
            assert said_by(called(there.http, fresh["access_token"]))["subject"] == "local:anna"
            given_back = {"token": fresh["refresh_token"], "client_id": here.client_id}
            assert there.http.post("/revoke", data=given_back).status_code == 200
            assert called(here.http, fresh["access_token"]).status_code == 401


def _whole_way(home: House, client: Flow, code: str, subject: str) -> None:
    assert discovered(home, client.http)["issuer"] == home.url
    tokens = client.redeem(code).json()
    said = said_by(called(client.http, tokens["access_token"]))
    assert said["client"] == client.client_id
    assert said["subject"].partition(":")[0] == subject.partition(":")[0]
    assert "read" in said["scopes"]
    assert "write" not in said["scopes"]
    fresh = client.refresh(tokens["refresh_token"]).json()
    assert said_by(called(client.http, fresh["access_token"])) == said
    given_back = {"token": fresh["refresh_token"], "client_id": client.client_id}
    assert client.http.post("/revoke", data=given_back).status_code == 200
    for token in (tokens["access_token"], fresh["access_token"]):
        refused = called(client.http, token)
        assert refused.status_code == 401
        assert 'error="invalid_token"' in refused.headers["www-authenticate"]


def _code_of_auto(client: Flow) -> str:
    with Browser(follow=False) as browser:
        answer = client.authorize()
        page = browser.get(f"{client.house.url}{answer.headers['location'].removeprefix(client.house.url)}")
        if page.refresh is not None:
            return page.sent_to["code"]
        return query_of(page.headers["location"])["code"]


def test_a_key_and_tokens_are_good_side_by_side(tmp_path: Path) -> None:
    add_user(sqlite(tmp_path))
    with wired(store=sqlite(tmp_path), mcp_api_key=KEY) as home, client_of(home) as client:
        token = client.redeem(code_from_pages(client)).json()["access_token"]
        assert said_by(called(client.http, token))["subject"] == "local:anna"
        assert said_by(called(client.http, KEY))["subject"] == ""
        assert called(client.http, KEY[:-1] + "x").status_code == 401


def test_without_its_store_the_server_is_not_ready_and_lets_nobody_in() -> None:
    with wired(store=AWAY, oauth_login="auto") as home, home.client() as http:
        ready = http.get("/ready")
        assert ready.status_code == 503
        assert "store_of_tokens" in ready.text
        assert called(http, "0" * 128).status_code == 503
        assert http.get("/health").status_code == 200
        assert http.get("/.well-known/oauth-authorization-server").status_code == 200


def test_with_its_store_the_server_is_ready(tmp_path: Path) -> None:
    with wired(store=sqlite(tmp_path)) as home, home.client() as http:
        assert http.get("/ready").status_code == 200


def test_the_authors_own_code_tells_who_signs_in(tmp_path: Path) -> None:
    server = who_server()

    @server.sign_in
    async def from_the_portal(request: Request) -> Person | Response | None:
        if "portal" not in request.cookies:
            return RedirectResponse("/portal", 303)
        return Person(f"portal:{request.cookies['portal']}", "Anna")

    with wired(server, store=sqlite(tmp_path)) as home, client_of(home) as client, Browser(follow=False) as browser:
        page = f"{home.url}{client.authorize().headers['location'].removeprefix(home.url)}"
        assert browser.get(page).headers["location"] == "/portal"
        browser.client.cookies.set("portal", "a7")
        asked = browser.get(page)
        code = browser.submit(asked, "/auth/consent", decision="allow").sent_to["code"]
        token = client.redeem(code).json()["access_token"]
        assert said_by(called(client.http, token))["subject"] == "portal:a7"


def test_who_has_a_token_has_the_limit_of_a_known_caller(tmp_path: Path) -> None:
    """Strangers of an address share one limit; whoever has a token is none of them."""
    add_user(sqlite(tmp_path))
    with (
        wired(store=sqlite(tmp_path), rate_limit="12/hour", rate_limit_per_key="1000/hour") as home,
        client_of(home) as client,
    ):
        token = client.redeem(code_from_pages(client)).json()["access_token"]
        assert called(client.http, token).status_code == 200
        while client.http.post("/mcp", json=CALL, headers=ACCEPT).status_code != 429:
            pass
        assert {called(client.http, token).status_code for _ in range(20)} == {200}
        assert called(client.http, "0" * 128).status_code == 429


def test_what_one_process_revokes_another_refuses_at_once_if_told_to_ask(tmp_path: Path) -> None:
    store = sqlite(tmp_path)
    add_user(store)
    with wired(store=store, oauth_revocation_delay=0) as home, client_of(home) as client:
        token = client.redeem(code_from_pages(client)).json()["access_token"]
        assert called(client.http, token).status_code == 200
        ended = _command("tokens", "revoke", "--subject", "local:anna", STORE_URL=store)
        assert ended.returncode == 0, ended.stderr
        assert called(client.http, token).status_code == 401


def test_a_stream_ends_soon_after_another_process_has_revoked_its_token(tmp_path: Path) -> None:
    store = sqlite(tmp_path)
    add_user(store)
    with wired(store=store, oauth_revocation_delay=1) as home, client_of(home) as client:
        token = client.redeem(code_from_pages(client)).json()["access_token"]
        meta = CALL["params"]["_meta"]
        listen = {"notifications": {"toolsListChanged": True}, "_meta": meta}
        body = {**CALL, "method": "subscriptions/listen", "params": listen}
        headers = {**ACCEPT, "mcp-method": "subscriptions/listen", "authorization": f"Bearer {token}"}
        del headers["mcp-name"]
        with client.http.stream("POST", "/mcp", json=body, headers=headers) as stream:
            lines = stream.iter_lines()
            assert "acknowledged" in next(line for line in lines if line.startswith("data:"))
            assert _command("tokens", "revoke", "--subject", "local:anna", STORE_URL=store).returncode == 0
            assert [line for line in lines if line.startswith("data:") and '"result"' in line]
        assert called(client.http, token).status_code == 401


def _command(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mcp_server", *words]
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("OAUTH_CLIENTS", {"OAUTH_CLIENTS": '[{"client_id": "x", "redirect_uris": ["http://evil.example/"]}]'}),
        ("OAUTH_LOGIN", {"OAUTH_LOGIN": "auto", "PUBLIC_URL": "https://api.example.com"}),
    ],
)
def test_what_cannot_be_ends_the_start_with_one_line(name: str, settings: dict[str, str], tmp_path: Path) -> None:
    given = {"OAUTH_ENABLED": "true", "STORE_URL": sqlite(tmp_path), **settings}
    ran = subprocess.run(
        [sys.executable, "main_http.py"],
        cwd=ROOT,
        env=given,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ran.returncode == 78
    assert "Traceback" not in ran.stderr
    assert [line for line in ran.stderr.splitlines() if name in line]


def test_addresses_of_other_servers_are_none_here(tmp_path: Path) -> None:
    """Once there were guides with these; a client that follows them is neither redirected nor given anything."""
    with wired(store=sqlite(tmp_path)) as home, home.client() as http:
        asked = {"client_id": "x", "redirect_uri": "https://evil.example/"}
        said = {"client_id": "x", "client_secret": "y", "code": "z"}
        for answer in (
            http.get("/auth/authorize", params=asked),
            http.post("/auth/token", json=said),
            http.get("/api/v1/health"),
        ):
            assert (answer.status_code, "location" in answer.headers) == (401, False)
        assert http.post("/token", json=said).json()["error"] == "invalid_request"


def test_a_client_that_cannot_be_is_refused_by_name(tmp_path: Path) -> None:
    settings = Settings(oauth_enabled=True, store_url=sqlite(tmp_path), oauth_clients='[{"client_id": "x"}]')  # pyright: ignore[reportArgumentType, reportCallIssue]
    with pytest.raises(SettingsError) as raised:
        http_app(who_server(), settings)
    assert "OAUTH_CLIENTS" in str(raised.value)
    assert "OAUTH_CLIENTS OAUTH_CLIENTS" not in str(raised.value)
