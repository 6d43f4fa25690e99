"""What Claude and ChatGPT send, request by request, to the wired server: the 401, the login, the calls, the days after.

They run elsewhere, so they are played by hand here; what each is known to do stands at its test.
"""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest

from mcp_server.oauth.server.registrations import KIND as REGISTERED
from mcp_server.stores import open_store
from tests.oauth.server.issuing import CLAUDE, Flow, House
from tests.oauth.wired import ACCEPT, CALL, add_user, code_from_pages, discovered, said_by, sqlite, wired

CHATGPT = ("https://chatgpt.com/connector/oauth/AbCdEf123456", "https://chatgpt.com/connector_platform_oauth_redirect")
BY_HAND = f'[{{"client_id": "claude", "client_name": "Claude", "redirect_uris": ["{CLAUDE[0]}", "{CLAUDE[1]}"]}}]'


@pytest.fixture
def home(tmp_path: Path) -> Generator[House]:
    add_user(sqlite(tmp_path))
    with wired(store=sqlite(tmp_path), oauth_revocation_delay=0, oauth_clients=BY_HAND) as found:
        yield found


class Connector:
    """A hosted client at the version of 2025-11-25, with its token and its session."""

    def __init__(self, http: httpx2.Client, token: str | None = None, name: str = "Anthropic/ClaudeAI") -> None:
        self.http = http
        self.name = name
        self.headers = {"accept": "application/json, text/event-stream"}
        if token is not None:
            self.headers["authorization"] = f"Bearer {token}"

    def send(self, method: str, identity: int | None = 1, **params: Any) -> httpx2.Response:
        body = {"jsonrpc": "2.0", "method": method, "params": params}
        return self.http.post("/mcp", json=body if identity is None else {**body, "id": identity}, headers=self.headers)

    def initialize(self) -> httpx2.Response:
        about = {"name": self.name, "version": "1.0.0"}
        return self.send("initialize", 0, protocolVersion="2025-11-25", capabilities={}, clientInfo=about)

    def begin(self) -> None:
        answer = self.initialize()
        assert answer.status_code == 200, answer.text
        self.headers["mcp-protocol-version"] = answer.json()["result"]["protocolVersion"]
        if "mcp-session-id" in answer.headers:
            self.headers["mcp-session-id"] = answer.headers["mcp-session-id"]
        assert self.send("notifications/initialized", None).status_code == 202

    def who(self) -> Any:
        assert [tool["name"] for tool in self.send("tools/list", 2).json()["result"]["tools"]] == ["who"]
        return said_by(self.send("tools/call", 3, name="who", arguments={}))


def claude(home: House, http: httpx2.Client, uri: str, *, registers: bool) -> Flow:
    """Claude, known by registration or by hand; it finds everything out from the 401 first."""
    refused = Connector(http).initialize()
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"].startswith("Bearer ")
    said = discovered(home, http)
    assert said["issuer"] == home.url
    assert "S256" in said["code_challenge_methods_supported"]
    assert "none" in said["token_endpoint_auth_methods_supported"]
    assert said["client_id_metadata_document_supported"] is True
    found = Flow(home, http, "claude", uri)
    if registers:
        found.register(
            redirect_uris=list(CLAUDE), grant_types=["authorization_code", "refresh_token"], response_types=["code"]
        )
    return found


@pytest.mark.parametrize(("uri", "registers"), [(CLAUDE[0], True), (CLAUDE[1], False)])
def test_claude_signs_in_and_calls(home: House, uri: str, registers: bool) -> None:
    with home.client() as http:
        client = claude(home, http, uri, registers=registers)
        tokens = client.redeem(code_from_pages(client, scope="read write")).json()
        connector = Connector(http, tokens["access_token"])
        connector.begin()
        said = connector.who()
        assert (said["subject"], said["client"]) == ("local:anna", client.client_id)
        assert {"read", "write"} <= set(said["scopes"])
        # A token in the address is none.
        assert http.post(f"/mcp?access_token={tokens['access_token']}", json=CALL, headers=ACCEPT).status_code == 401


def test_claude_stays_signed_in_when_several_of_its_machines_refresh(home: House) -> None:
    """They refresh at the same moment with the same token, and keep one answer of those that come."""
    with home.client() as http:
        client = claude(home, http, CLAUDE[0], registers=True)
        tokens = client.redeem(code_from_pages(client)).json()
        connector = Connector(http, tokens["access_token"])
        connector.begin()
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(client.refresh, [tokens["refresh_token"]] * 4))
        assert {answer.status_code for answer in answers} == {200}
        for answer in answers:  # its session goes on with each of the new tokens
            connector.headers["authorization"] = f"Bearer {answer.json()['access_token']}"
            assert connector.who()["subject"] == "local:anna"
        assert client.refresh(answers[2].json()["refresh_token"]).status_code == 200


def test_claude_signs_in_anew_when_its_person_has_revoked_it_amid_a_session(home: House) -> None:
    with home.client() as http:
        client = claude(home, http, CLAUDE[0], registers=True)
        tokens = client.redeem(code_from_pages(client)).json()
        connector = Connector(http, tokens["access_token"])
        connector.begin()
        ended = {"token": tokens["refresh_token"], "client_id": client.client_id}
        assert http.post("/revoke", data=ended).status_code == 200
        refused = connector.send("tools/list", 4)
        # Only a 401 makes it ask its person to sign in; an error of a tool does not.
        assert refused.status_code == 401
        assert 'error="invalid_token"' in refused.headers["www-authenticate"]
        assert "resource_metadata=" in refused.headers["www-authenticate"]
        answer = client.refresh(tokens["refresh_token"])
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
        tokens = client.redeem(code_from_pages(client)).json()
        connector.headers["authorization"] = f"Bearer {tokens['access_token']}"
        assert connector.who()["subject"] == "local:anna"


def test_claude_registers_anew_when_its_client_is_gone(home: House, tmp_path: Path) -> None:
    with home.client() as http:
        client = claude(home, http, CLAUDE[0], registers=True)
        tokens = client.redeem(code_from_pages(client)).json()
        before = client.client_id
        home.run(_forgotten(sqlite(tmp_path), before))
        answer = client.refresh(tokens["refresh_token"])
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
        client.register()
        assert client.client_id != before
        tokens = client.redeem(code_from_pages(client)).json()
        connector = Connector(http, tokens["access_token"])
        connector.begin()
        assert connector.who()["client"] == client.client_id


async def _forgotten(url: str, identity: str) -> None:
    store = open_store(url)
    await store.open()
    assert await store.delete(REGISTERED, identity)
    await store.close()


def _discover(http: httpx2.Client, token: str | None) -> httpx2.Response:
    """How ChatGPT begins."""
    body = {"jsonrpc": "2.0", "id": "openai-mcp-discover", "method": "server/discover", "params": _META}
    headers = {**ACCEPT, "mcp-method": "server/discover"}
    del headers["mcp-name"]
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    return http.post("/mcp", json=body, headers=headers)


_META = {"_meta": CALL["params"]["_meta"]}


@pytest.mark.parametrize("uri", CHATGPT)
def test_chatgpt_signs_in_discovers_and_calls(home: House, uri: str) -> None:
    """It takes a server whose later answers disagree with what it said of itself for a broken one."""
    with home.client() as http:
        refused = _discover(http, None)
        assert refused.status_code == 401
        assert (
            f'resource_metadata="{home.url}/.well-known/oauth-protected-resource/mcp"'
            in (refused.headers["www-authenticate"])
        )
        assert http.get("/.well-known/oauth-protected-resource/mcp").json()["resource"] == f"{home.url}/mcp"
        for name in ("oauth-authorization-server", "openid-configuration"):
            assert http.get(f"/.well-known/{name}/mcp").json()["issuer"] == home.url
        client = Flow(home, http, "", uri)
        client.register(client_name="ChatGPT", grant_types=["authorization_code", "refresh_token"])
        tokens = client.redeem(code_from_pages(client, scope="read write offline_access")).json()
        answer = _discover(http, tokens["access_token"])
        assert answer.status_code == 200, answer.text
        assert answer.json()["id"] == "openai-mcp-discover"
        said = answer.json()["result"]
        assert "tools" in said["capabilities"]
        assert "2026-07-28" in said["supportedVersions"]
        headers = {**ACCEPT, "authorization": f"Bearer {tokens['access_token']}"}
        assert said_by(http.post("/mcp", json=CALL, headers=headers))["subject"] == "local:anna"
        older = Connector(http, tokens["access_token"], "openai-mcp")
        older.begin()
        assert older.who()["client"] == client.client_id
        fresh = client.refresh(tokens["refresh_token"], resource=f"{home.url}/mcp")
        assert _discover(http, fresh.json()["access_token"]).json() == answer.json()
