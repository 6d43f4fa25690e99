"""A provider that was written for the official SDK, behind our endpoints."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import httpx2
import pytest
from issuing import CLAUDE, Flow, House, flow, house, sent_back
from pydantic import AnyUrl
from sdk_provider import SimpleProvider

from mcp_server.oauth.server.assertions import BEARER
from mcp_server.oauth.server.options import ServerOptions
from mcp_server.oauth.server.provider import ProviderServer
from mcp_server.stores import Store


class Served(ProviderServer):
    """With what a test wants to look at."""

    def __init__(self, options: ServerOptions, store: Store) -> None:
        self.provider = SimpleProvider(options.issuer)
        self.pages: list[Any] = []
        super().__init__(self.provider, options, store)


@pytest.fixture
def home() -> Generator[House]:
    with house(make=Served) as found:
        yield found


@pytest.fixture
def client(home: House) -> Generator[Flow]:
    with flow(home) as found:
        yield found


def provider(flow: Flow) -> SimpleProvider:
    return flow.house.server.provider


def code(client: Flow, **changes: str | None) -> str:
    return sent_back(client.authorize(**changes))["code"]


def test_the_provider_signs_somebody_in(client: Flow) -> None:
    found = sent_back(client.authorize())
    assert set(found) == {"code", "state", "iss"}
    tokens = client.redeem(found["code"]).json()
    access = client.house.verify(tokens["access_token"])
    assert (access.subject, access.client, access.scopes) == ("sdk:anna", client.client_id, {"read"})
    assert access.claims["aud"] == f"{client.house.url}/mcp"
    newer = client.refresh(tokens["refresh_token"]).json()
    assert client.house.verify(newer["access_token"])
    assert client.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"
    for kind in ("access_token", "refresh_token"):
        client.http.post("/revoke", data={"token": newer[kind], "client_id": client.client_id})
    assert client.house.verify(newer["access_token"]) is None
    assert client.refresh(newer["refresh_token"]).json()["error"] == "invalid_grant"


def test_our_checks_stand_in_front_of_it(client: Flow) -> None:
    assert client.authorize(redirect_uri="https://evil.example/").status_code == 400
    assert sent_back(client.authorize(code_challenge_method="plain"))["error"] == "invalid_request"
    assert sent_back(client.authorize(resource="https://other.example/"))["error"] == "invalid_target"
    assert sent_back(client.authorize(scope="admin"))["error"] == "invalid_scope"
    answer = client.http.post("/register", json={"redirect_uris": ["javascript:alert(1)"]})
    assert answer.json()["error"] == "invalid_redirect_uri"


def test_an_address_that_it_has_accepted_before_us_is_not_used(client: Flow) -> None:
    known = provider(client).clients[client.client_id]
    provider(client).clients[client.client_id] = known.model_copy(
        update={"redirect_uris": [AnyUrl("javascript:alert(1)"), AnyUrl(CLAUDE[0])]}
    )
    assert client.authorize(redirect_uri="javascript:alert(1)").status_code == 400
    assert client.authorize().status_code == 302


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code_verifier": "x" * 43}, "invalid_grant"),
        ({"redirect_uri": CLAUDE[1]}, "invalid_grant"),
        ({"redirect_uri": None}, "invalid_grant"),
        ({"resource": "https://other.example"}, "invalid_target"),
        ({"code": "unknown"}, "invalid_grant"),
    ],
)
def test_a_code_needs_its_proof(client: Flow, changes: dict[str, str | None], error: str) -> None:
    said = {"code": code(client), **changes}
    assert client.redeem(said.pop("code") or "", **said).json()["error"] == error


def test_a_code_or_a_token_of_another_client_is_refused(client: Flow) -> None:
    with flow(client.house) as thief:
        assert thief.redeem(code(client), code_verifier=client.verifier).json()["error"] == "invalid_grant"
        tokens = client.redeem(code(client)).json()
        assert thief.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"
        thief.http.post("/revoke", data={"token": tokens["access_token"], "client_id": thief.client_id})
    assert client.house.verify(tokens["access_token"])


def test_what_is_over_is_not_good(client: Flow) -> None:
    tokens = client.redeem(code(client)).json()
    late = code(client)
    held = provider(client)
    held.access[tokens["access_token"]].expires_at = 1
    held.codes[late].expires_at = 1
    held.refresh[tokens["refresh_token"]].expires_at = 1
    assert client.house.verify(tokens["access_token"]) is None
    assert client.redeem(late).json()["error"] == "invalid_grant"
    assert client.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"


def test_a_token_for_another_resource_is_not_good_here(client: Flow) -> None:
    tokens = client.redeem(code(client)).json()
    held = provider(client)
    held.access[tokens["access_token"]].resource = "https://other.example/mcp"
    assert client.house.verify(tokens["access_token"]) is None
    held.refresh[tokens["refresh_token"]].resource = "https://other.example/mcp"
    answer = client.refresh(tokens["refresh_token"], resource=f"{client.house.url}/mcp")
    assert answer.json()["error"] == "invalid_target"


def test_a_refresh_may_not_ask_for_more(client: Flow) -> None:
    tokens = client.redeem(code(client)).json()
    assert client.refresh(tokens["refresh_token"], scope="read write").json()["error"] == "invalid_scope"


def test_what_it_refuses_is_refused_in_its_words(client: Flow) -> None:
    held = provider(client)
    good = client.redeem(code(client)).json()
    found = code(client)
    held.refuses = {"authorize", "exchange", "register"}
    refused = sent_back(client.authorize())
    assert (refused["error"], refused["error_description"], refused["iss"]) == (
        "access_denied",
        "not now",
        client.house.url,
    )
    assert client.redeem(found).json() == {"error": "invalid_grant", "error_description": "not this one"}
    answer = client.refresh(good["refresh_token"])
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    answer = client.http.post("/register", json={"redirect_uris": [CLAUDE[0]]})
    assert answer.json() == {"error": "invalid_client_metadata", "error_description": "not here"}


def test_a_client_with_a_secret_proves_itself_and_asks_about_its_token(client: Flow) -> None:
    secret = client.register(token_endpoint_auth_method="client_secret_post")["client_secret"]
    assert client.redeem(code(client)).status_code == 401
    tokens = client.redeem(code(client), client_secret=secret).json()
    said = {"token": tokens["access_token"], "client_id": client.client_id, "client_secret": secret}
    assert client.http.post("/introspect", data=said).json()["sub"] == "sdk:anna"


def test_the_metadata_is_ours(home: House) -> None:
    answer = httpx2.get(f"{home.url}/.well-known/openid-configuration/mcp", trust_env=False)
    assert answer.json()["issuer"] == home.url
    assert "client_credentials" not in answer.json()["grant_types_supported"]


def test_a_client_with_keys_is_kept_with_them(client: Flow) -> None:
    key = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    proof = {"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [key]}}
    assert client.register(**proof)["jwks"] == {"keys": [key]}
    assert provider(client).clients[client.client_id].jwks == {"keys": [key]}
    asks = {"client_assertion": "x", "client_assertion_type": BEARER}
    assert client.redeem(code(client), **asks).json()["error_description"] == "The assertion cannot be read."


def test_nobody_gets_a_token_in_their_own_name(client: Flow) -> None:
    known = provider(client).clients[client.client_id]
    provider(client).clients[client.client_id] = known.model_copy(update={"grant_types": ["client_credentials"]})
    answer = client.token({"grant_type": "client_credentials", "client_id": client.client_id})
    assert answer.json()["error"] == "unauthorized_client"
