"""What a client that does everything right gets, over real HTTP."""

from __future__ import annotations

import base64

import httpx2
import pytest
from issuing import CLAUDE, Flow, House, flow, house

from mcp_server.oauth.server.client import Client
from mcp_server.oauth.server.handles import digest

MACHINE = Client(
    id="nightly",
    known_by="settings",
    method="client_secret_basic",
    grants=frozenset({"client_credentials"}),
    scopes=("read",),
    secret=digest("the secret of nightly"),
)
BASIC = {"authorization": "Basic " + base64.b64encode(b"nightly:the secret of nightly").decode()}
METADATA = [
    f"{before}/.well-known/{name}{behind}"
    for name in ("oauth-authorization-server", "openid-configuration")
    for before, behind in (
        ("", ""),
        ("", "/"),
        ("", "/mcp"),
        ("", "/mcp/"),
        ("", "/mcp/sse"),
        ("/mcp", ""),
        ("/mcp/sse", ""),
    )
]


@pytest.mark.parametrize("path", METADATA)
def test_the_metadata_is_at_every_address_at_which_clients_look(home: House, path: str) -> None:
    with home.client() as http:
        answer = http.get(path, headers={"origin": "https://anybody.example"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["access-control-allow-origin"] == "*"
    said = answer.json()
    assert said["issuer"] == home.url
    assert said["code_challenge_methods_supported"] == ["S256"]
    assert said["authorization_response_iss_parameter_supported"] is True
    assert said["client_id_metadata_document_supported"] is True
    assert "none" in said["token_endpoint_auth_methods_supported"]
    assert "offline_access" in said["scopes_supported"]


def test_every_endpoint_in_the_metadata_is_there(home: House) -> None:
    with home.client() as http:
        said = http.get("/.well-known/oauth-authorization-server").json()
        addresses = [value for name, value in said.items() if name.endswith("_endpoint")]
        assert len(addresses) == 5
        assert {http.post(address).status_code for address in addresses} == {400}


def test_metadata_of_an_issuer_with_a_path_is_where_rfc_8414_has_it() -> None:
    with house(public_url="https://example.com/tools") as home, home.client() as http:
        said = http.get("/.well-known/oauth-authorization-server/tools").json()
    assert (said["issuer"], said["token_endpoint"]) == ("https://example.com/tools", "https://example.com/tools/token")


@pytest.mark.parametrize("path", ["/token", "/register", "/revoke", "/introspect", METADATA[0]])
def test_a_page_of_any_origin_may_ask_before(home: House, path: str) -> None:
    asks = {
        "origin": "https://anybody.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization, content-type, mcp-protocol-version",
    }
    with home.client() as http:
        answer = http.options(path, headers=asks)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "*"
    granted = answer.headers["access-control-allow-headers"].lower()
    assert {"authorization", "content-type", "mcp-protocol-version"} <= set(granted.split(", "))
    assert "access-control-allow-credentials" not in answer.headers


def test_a_code_becomes_tokens_that_say_who_for_whom_and_what(claude: Flow) -> None:
    answer = claude.redeem(claude.code(scope="read offline_access"))
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"] == "application/json"
    said = answer.json()
    assert {**said, "access_token": "", "refresh_token": ""} == {
        "access_token": "",
        "token_type": "Bearer",
        "expires_in": 3600,
        "refresh_token": "",
        "scope": "read offline_access",
    }
    assert len(said["access_token"]) == len(said["refresh_token"]) == 128
    access = claude.house.verify(said["access_token"])
    assert (access.subject, access.client) == ("local:anna", claude.client_id)
    assert access.scopes == {"read", "offline_access"}
    assert access.issuer == claude.house.url
    assert access.claims["aud"] == f"{claude.house.url}/mcp"
    assert access.claims["name"] == "Anna"
    assert access.expires == claude.house.clock() + 3600


def test_the_answer_has_code_state_and_issuer_once(claude: Flow) -> None:
    claude.state = "a state with & = % + \r\n and ü"
    found = claude.come_back()
    assert set(found) == {"code", "state", "iss"}
    assert (found["state"], found["iss"]) == (claude.state, claude.house.url)


def test_an_answer_without_state_has_none(claude: Flow) -> None:
    assert set(claude.come_back(state=None)) == {"code", "iss"}


def test_what_an_address_has_in_its_query_stays_there(home: House) -> None:
    uri = "https://client.example/cb?tenant=a%20b&x"
    with flow(home, redirect_uri=uri) as client:
        answer = client.http.get(client.authorize().headers["location"])
    assert answer.headers["location"].startswith(f"{uri}&code=")


def test_a_refusal_goes_back_with_state_and_issuer(claude: Flow) -> None:
    where = claude.authorize().headers["location"]
    found = claude.http.get(f"{where}&refuse").headers["location"]
    assert found.startswith(f"{CLAUDE[0]}?error=access_denied&")
    assert f"state=the%20state&iss={claude.house.url.replace(':', '%3A').replace('/', '%2F')}" in found


def test_an_authorization_request_may_be_a_form(claude: Flow) -> None:
    answer = claude.http.post("/authorize", data=claude.asks())
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/approve?request=")


def test_a_request_without_resource_is_for_ours(claude: Flow) -> None:
    answer = claude.redeem(claude.code(resource=None), resource=None)
    assert claude.house.verify(answer.json()["access_token"]).claims["aud"] == f"{claude.house.url}/mcp"


@pytest.mark.parametrize("path", ["", "/", "/mcp", "/mcp/", "/mcp/sse", "/mcp/sse/"])
def test_our_resource_may_be_written_in_several_ways(claude: Flow, path: str) -> None:
    resource = claude.house.url.replace("http", "HTTP") + path
    answer = claude.redeem(claude.code(resource=resource), resource=resource)
    assert claude.house.verify(answer.json()["access_token"]).claims["aud"] == f"{claude.house.url}/mcp"


def test_a_request_without_scopes_is_for_the_usual_ones(claude: Flow) -> None:
    assert claude.tokens(scope=None)["scope"] == "read write"


def test_a_client_with_one_address_need_not_name_it(claude: Flow) -> None:
    code = claude.code(redirect_uri=None)
    assert claude.redeem(code, redirect_uri=None).status_code == 200


def test_a_person_can_allow_less_than_was_asked_for(claude: Flow) -> None:
    from issuing import ANNA

    where = claude.authorize(scope="read write").headers["location"]
    identity = where.partition("request=")[2]
    pending = claude.house.run(claude.house.approvals.pending(identity))
    assert (pending.client_name, pending.known_by, pending.scopes) == ("Claude", "registration", ("read", "write"))
    with pytest.raises(ValueError, match="more than was asked"):
        claude.house.run(claude.house.approvals.allow(identity, ANNA, ("read", "admin")))
    address = claude.house.run(claude.house.approvals.allow(identity, ANNA, ("write",)))
    code = httpx2.URL(address).params["code"]
    assert claude.redeem(code).json()["scope"] == "write"


def test_a_refresh_token_becomes_new_tokens(claude: Flow) -> None:
    first = claude.tokens(scope="read write")
    second = claude.refresh(first["refresh_token"]).json()
    assert second["scope"] == "read write"
    assert second["refresh_token"] != first["refresh_token"]
    assert claude.house.verify(second["access_token"]) is not None
    assert claude.refresh(second["refresh_token"]).status_code == 200


def test_a_refresh_may_ask_for_less_and_later_for_all_again(claude: Flow) -> None:
    first = claude.tokens(scope="read write")
    second = claude.refresh(first["refresh_token"], scope="read").json()
    assert second["scope"] == "read"
    assert claude.house.verify(second["access_token"]).scopes == {"read"}
    assert claude.refresh(second["refresh_token"]).json()["scope"] == "read write"
    assert claude.refresh(second["refresh_token"], scope="read admin").json()["error"] == "invalid_scope"


def test_tokens_end_when_their_time_is_over(claude: Flow) -> None:
    tokens = claude.tokens()
    claude.house.clock.now += 3599
    assert claude.house.verify(tokens["access_token"]) is not None
    claude.house.clock.now += 1
    assert claude.house.verify(tokens["access_token"]) is None
    assert claude.refresh(tokens["refresh_token"]).status_code == 200
    claude.house.clock.now += 30 * 86_400
    assert claude.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"


def test_a_client_that_does_not_refresh_gets_no_refresh_token(home: House) -> None:
    with flow(home, client_id="none yet") as client:
        assert client.register(grant_types=["authorization_code"])["grant_types"] == ["authorization_code"]
        tokens = client.tokens()
        assert "refresh_token" not in tokens
        assert client.refresh("0" * 128).json()["error"] == "unauthorized_client"
        home.clock.now += 3600
        assert home.verify(tokens["access_token"]) is None


def test_a_client_of_the_operator_gets_a_token_in_its_own_name() -> None:
    with house(known=[MACHINE]) as home, home.client() as http:
        asks = {"grant_type": "client_credentials", "resource": f"{home.url}/mcp"}
        answer = http.post("/token", data=asks, headers=BASIC)
        assert answer.status_code == 200
        assert "refresh_token" not in answer.json()
        access = home.verify(answer.json()["access_token"])
        assert (access.subject, access.client, access.scopes) == ("client:nightly", "nightly", {"read"})
        posted = {**asks, "client_id": "nightly", "client_secret": "the secret of nightly"}
        assert http.post("/token", data=posted).status_code == 200
        refused = http.post("/token", data={**asks, "scope": "write"}, headers=BASIC)
        assert refused.json()["error"] == "invalid_scope"


def test_whoever_registered_gets_no_token_in_their_own_name(home: House) -> None:
    with flow(home, client_id="none yet") as client:
        said = client.register(token_endpoint_auth_method="client_secret_post")
        asks = {
            "grant_type": "client_credentials",
            "client_id": said["client_id"],
            "client_secret": said["client_secret"],
        }
        assert client.token(asks).json()["error"] == "unauthorized_client"


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_a_token_that_is_given_back_ends_all_of_its_grant(claude: Flow, kind: str) -> None:
    tokens = claude.tokens()
    assert claude.house.verify(tokens["access_token"]) is not None
    answer = claude.http.post("/revoke", data={"token": tokens[kind], "client_id": claude.client_id})
    assert (answer.status_code, answer.content) == (200, b"")
    assert claude.house.verify(tokens["access_token"]) is None
    assert claude.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"


def test_giving_back_what_is_no_token_is_fine(claude: Flow) -> None:
    for token in ("nothing", "0" * 128):
        answer = claude.http.post("/revoke", data={"token": token, "client_id": claude.client_id})
        assert answer.status_code == 200


def test_a_client_of_the_operator_may_ask_about_every_token() -> None:
    with house(known=[MACHINE]) as home, flow(home) as client:
        tokens = client.tokens()
        said = client.http.post("/introspect", data={"token": tokens["access_token"]}, headers=BASIC).json()
        assert said == {
            "active": True,
            "scope": "read",
            "client_id": client.client_id,
            "sub": "local:anna",
            "iss": home.url,
            "aud": f"{home.url}/mcp",
            "iat": int(home.clock()),
            "exp": int(home.clock() + 3600),
            "token_type": "Bearer",
        }
        said = client.http.post("/introspect", data={"token": tokens["refresh_token"]}, headers=BASIC).json()
        assert said["active"] is True
        for token in ("nothing", "0" * 128, tokens["access_token"][:-1] + "x"):
            assert client.http.post("/introspect", data={"token": token}, headers=BASIC).json() == {"active": False}


def test_another_client_may_ask_about_its_own_tokens_only(home: House) -> None:
    with flow(home) as anybody, flow(home, client_id="none yet") as other:
        said = other.register(token_endpoint_auth_method="client_secret_post")
        proof = {"client_id": said["client_id"], "client_secret": said["client_secret"]}
        foreign = other.http.post("/introspect", data={"token": anybody.tokens()["access_token"], **proof})
        assert foreign.json() == {"active": False}
        tokens = other.redeem(other.code(), client_secret=said["client_secret"]).json()
        own = other.http.post("/introspect", data={"token": tokens["access_token"], **proof})
        assert own.json()["active"] is True
        nobody = other.http.post("/introspect", data={"token": tokens["access_token"], "client_id": anybody.client_id})
        assert nobody.status_code == 401
