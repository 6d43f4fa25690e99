"""Authorization, on the whole server with a login, as a client and a browser meet it."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import httpx2
import pytest

from mcp_server import Context, Server
from mcp_server.settings import Settings
from mcp_server.settings.variables import variables
from tests.oauth.login.login_house import PASSWORD, Browser
from tests.oauth.server.issuing import Flow, House, flow, house, sent_back
from tests.oauth.wired import ACCEPT, CALL, add_user, called, wired

BACK = "http://127.0.0.1:1455/callback"
AS = "/.well-known/oauth-authorization-server"
PRM = "/.well-known/oauth-protected-resource"


def scoped() -> Server:
    """A server with tools that ask for scopes."""
    server = Server("who", scope_hierarchy={"write": ["read"]})

    @server.tool(scopes=["read"])
    async def who(ctx: Context) -> dict[str, Any]:
        """Say who calls."""
        assert ctx.principal is not None
        return {"subject": ctx.principal.subject}

    @server.tool(scopes=["write", "admin"])
    async def change() -> str:
        """Change something."""
        return "changed"

    return server


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Generator[House]:
    with pytest.MonkeyPatch.context() as patch:
        for name in {name for variable in variables(Settings) for name in variable.names}:
            patch.delenv(name, raising=False)
        store = f"sqlite:///{tmp_path_factory.mktemp('authorization') / 'store.db'}"
        add_user(store)
        limits = {"oauth_rate": "10000/minute", "oauth_registration_rate": "10000/minute"}
        with wired(scoped(), store=store, oauth_scopes="read write admin offline_access", **limits) as found:
            yield found


@pytest.fixture
def client(home: House) -> Generator[Flow]:
    with flow(home, redirect_uri=BACK) as found:
        yield found


@pytest.fixture(scope="module")
def browser(home: House) -> Generator[Browser]:
    """A browser in which somebody has signed in; whoever signs in anew for each test has to wait in the end."""
    with Browser() as found, flow(home, redirect_uri=BACK) as client:
        found.submit(found.get(begins(client)), "/auth/login", name="anna", password=PASSWORD)
        yield found


def begins(client: Flow, **changes: str | None) -> str:
    """The address that the client opens."""
    return str(client.http.build_request("GET", "/authorize", params=client.asks(**changes)).url)


def code(client: Flow, browser: Browser, **changes: str | None) -> str:
    """What the client gets once the person has allowed it."""
    return browser.submit(browser.get(begins(client, **changes)), "/auth/consent", decision="allow").sent_to["code"]


def challenge(answer: httpx2.Response) -> str:
    return answer.headers["www-authenticate"]


def token(client: Flow, browser: Browser, scope: str = "read") -> str:
    return client.redeem(code(client, browser, scope=scope)).json()["access_token"]


def asked(client: Flow, access: str, name: str = "who", method: str = "tools/call") -> httpx2.Response:
    named = {"mcp-name": name} if method == "tools/call" else {}
    headers = {**ACCEPT, "mcp-method": method, "mcp-name": "", **named, "authorization": f"Bearer {access}"}
    params = {**CALL["params"], "name": name} if named else {"_meta": CALL["params"]["_meta"]}
    if not named:
        del headers["mcp-name"]
    return client.http.post("/mcp", json={**CALL, "method": method, "params": params}, headers=headers)


@pytest.mark.requirement("O1a")
def test_the_metadata_of_the_resource_are_at_its_path_and_at_the_root(client: Flow) -> None:
    for place in (f"{PRM}/mcp", PRM):
        said = client.http.get(place).json()
        assert (said["resource"], said["authorization_servers"]) == (f"{client.house.url}/mcp", [client.house.url])


@pytest.mark.requirement("O1b", "O1c")
def test_who_sends_no_token_is_told_where_and_for_what_to_ask(client: Flow) -> None:
    answer = client.http.post("/mcp", json=CALL, headers=ACCEPT)
    assert answer.status_code == 401
    assert f'resource_metadata="{client.house.url}{PRM}/mcp"' in challenge(answer)
    assert 'scope="read write admin"' in challenge(answer)
    assert client.http.get(PRM).json()["scopes_supported"] == ["read", "write", "admin"]


@pytest.mark.requirement("O2a")
def test_a_token_that_is_none_gets_401(client: Flow, browser: Browser) -> None:
    access = token(client, browser)
    assert called(client.http, access).status_code == 200
    for wrong in (access[:-1] + ("0" if access[-1] != "0" else "1"), "eyJhbGciOiJub25lIn0.e30.", "x"):
        answer = called(client.http, wrong)
        assert (answer.status_code, 'error="invalid_token"' in challenge(answer)) == (401, True)


@pytest.mark.requirement("O2b")
def test_a_token_in_the_address_is_not_looked_at(client: Flow, browser: Browser) -> None:
    answer = client.http.post("/mcp", params={"access_token": token(client, browser)}, json=CALL, headers=ACCEPT)
    assert answer.status_code == 401


@pytest.mark.requirement("O3a", "O3b")
def test_what_a_token_does_not_suffice_for_names_all_scopes(client: Flow, browser: Browser) -> None:
    answer = asked(client, token(client, browser), "change")
    assert answer.status_code == 403
    assert 'error="insufficient_scope", scope="admin write"' in challenge(answer)
    assert f'resource_metadata="{client.house.url}{PRM}/mcp"' in challenge(answer)
    assert asked(client, token(client, browser, "write")).status_code == 200


@pytest.mark.requirement("O3c")
def test_a_list_that_depends_on_scopes_is_for_its_caller_alone(client: Flow, browser: Browser) -> None:
    for scope, names in (("read", ["who"]), ("write admin", ["change", "who"])):
        result = asked(client, token(client, browser, scope), method="tools/list").json()["result"]
        assert (sorted(each["name"] for each in result["tools"]), result["cacheScope"]) == (names, "private")


@pytest.mark.requirement("O4a", "O10")
def test_the_metadata_of_the_issuer_are_wherever_they_are_looked_for(client: Flow) -> None:
    oidc = "/.well-known/openid-configuration"
    places = [AS, f"{AS}/mcp", oidc, f"{oidc}/mcp", f"/mcp{oidc}"]
    [said] = {client.http.get(place).text for place in places}
    found = httpx2.Response(200, text=said).json()
    assert found["issuer"] == client.house.url
    for name in ("authorize", "token", "register"):
        key = {"authorize": "authorization_endpoint", "register": "registration_endpoint"}.get(name, "token_endpoint")
        assert found[key] == f"{client.house.url}/{name}"


@pytest.mark.requirement("O4b", "O5")
def test_a_code_needs_s256_and_every_answer_says_from_whom_it_is(client: Flow, browser: Browser) -> None:
    said = client.http.get(AS).json()
    assert said["code_challenge_methods_supported"] == ["S256"]
    assert said["authorization_response_iss_parameter_supported"] is True
    for changes in ({"code_challenge_method": "plain"}, {"code_challenge": None}, {"scope": "nothing"}):
        found = sent_back(client.authorize(**changes))
        assert ("error" in found, found["iss"], found["state"]) == (True, client.house.url, client.state)
    page = browser.get(begins(client))
    assert browser.submit(page, "/auth/consent", decision="allow").sent_to["iss"] == client.house.url
    assert client.redeem(code(client, browser), code_verifier="x" * 43).json()["error"] == "invalid_grant"


@pytest.mark.requirement("O6a", "O6b")
def test_clients_come_by_document_or_register_addresses_that_run_nothing(client: Flow) -> None:
    assert client.http.get(AS).json()["client_id_metadata_document_supported"] is True
    for uri in ("javascript:alert(1)", "data:text/html,x", "http://client.example/"):
        answer = client.http.post("/register", json={"redirect_uris": [uri]})
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_redirect_uri")


@pytest.mark.requirement("O7")
def test_tokens_are_for_the_resource_that_was_named(client: Flow, browser: Browser) -> None:
    assert sent_back(client.authorize(resource="https://other.example/mcp"))["error"] == "invalid_target"
    answer = client.redeem(code(client, browser), resource="https://other.example/mcp")
    assert answer.json()["error"] == "invalid_target"


@pytest.mark.requirement("O8")
def test_the_browser_is_sent_to_an_address_of_the_client(client: Flow, browser: Browser) -> None:
    for uri in (f"{BACK}/", f"{BACK}?a=b", "http://localhost:1455/callback", "https://evil.example/"):
        answer = client.authorize(redirect_uri=uri)
        assert (answer.status_code, "location" in answer.headers) == (400, False)


@pytest.mark.requirement("O9a", "O9b")
def test_a_refresh_token_is_good_once_and_its_second_use_ends_all() -> None:
    """After the time in which a client may ask again that has lost an answer."""
    with house() as home, flow(home) as client:
        answer = client.redeem(client.code())
        assert "no-store" in answer.headers["cache-control"]
        first = answer.json()["refresh_token"]
        second = client.refresh(first)
        assert "no-store" in second.headers["cache-control"]
        home.clock.now += 31
        assert client.refresh(first).json()["error"] == "invalid_grant"
        assert client.refresh(second.json()["refresh_token"]).json()["error"] == "invalid_grant"
        assert home.verify(second.json()["access_token"]) is None


@pytest.mark.requirement("O11")
def test_a_person_sees_who_asks_for_what_before_anything_is_given(client: Flow, browser: Browser) -> None:
    page = browser.get(begins(client))
    assert all(word in page.text for word in ("Claude", "127.0.0.1", "read"))
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert page.headers["x-frame-options"] == "DENY"
    assert browser.submit(page, "/auth/consent", decision="refuse").sent_to["error"] == "access_denied"
